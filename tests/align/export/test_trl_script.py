"""The plain TRL script trains what `wardround train` trains."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from align.export.material import DATA, jsonl
from align.export.rows import Preference, paired_rows, unpaired_rows
from align.export.trl_script import MACHINE, literal, lora_settings, plain_trl_script, trl_settings
from align.preference.runs import TrainingRun, common_settings, train_preferences
from ledger.config import AlignConfig, ModelConfig
from sampling.models import PolicySource, load_policy, load_tokenizer
from tests.lora_adapters import make_adapters

Method = Literal["dpo", "ipo", "orpo", "kto"]
METHODS: tuple[Method, ...] = ("dpo", "ipo", "orpo", "kto")
PREFERENCES = [
    Preference(({"role": "user", "content": f"{number}. What is a hernia?"},), f"A protrusion {number}.", "The wall.")
    for number in range(4)
]

pytestmark = pytest.mark.usefixtures("one_thread")


def a_config(method: Method) -> AlignConfig:
    return AlignConfig(
        method=method, batch_size=2, lora_rank=4, learning_rate=1e-3, beta=0.3, epochs=1, trainer={"logging_steps": 1}
    )


def arguments(script: str, name: str) -> dict[str, Any]:
    """The plain arguments of the call of ``name`` in a script."""
    (call,) = [
        node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]
    return {str(each.arg): ast.literal_eval(each.value) for each in call.keywords if each.arg not in MACHINE}


@pytest.mark.parametrize("method", METHODS)
def test_it_says_every_setting_that_train_gives_to_trl(method: Method) -> None:
    config = a_config(method)
    script = plain_trl_script(config, "model", DATA)
    name = {"orpo": "ORPOConfig", "kto": "KTOConfig"}.get(method, "DPOConfig")
    assert arguments(script, name) == {
        key: value for key, value in trl_settings(config, "trained").items() if key not in MACHINE
    }
    assert arguments(script, "LoraConfig") == {
        "r": 4,
        "lora_alpha": 32,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    }


def test_what_is_configured_wins() -> None:
    """Over the method's own rate and beta; and ``[align.trainer]`` over all."""
    own = AlignConfig(method="ipo", learning_rate=1e-3, beta=0.7, trainer={"warmup_steps": 5, "loss_type": ["hinge"]})
    said = arguments(plain_trl_script(own, "model", DATA), "DPOConfig")
    assert (said["learning_rate"], said["beta"], said["warmup_steps"], said["loss_type"]) == (1e-3, 0.7, 5, ["hinge"])
    said = arguments(plain_trl_script(AlignConfig(method="orpo"), "model", DATA), "ORPOConfig")
    assert (said["learning_rate"], said["beta"]) == (5e-5, 0.1)


def test_it_finds_out_what_depends_on_the_machine_as_train_does(tmp_path: Path) -> None:
    import torch

    settings = common_settings(AlignConfig(), tmp_path)
    names = {"cuda": torch.cuda.is_available(), "torch": torch}
    assert {key: eval(said, names) for key, said in MACHINE.items()} == {key: settings[key] for key in MACHINE}
    script = plain_trl_script(AlignConfig(trainer={"bf16": True}), "model", DATA)
    assert "bf16=True," in script
    assert "use_cpu=not cuda," in script


def test_the_lora_settings_follow_those_of_train() -> None:
    assert lora_settings(AlignConfig(lora_rank=3, lora_alpha=5))["lora_alpha"] == 5


@pytest.mark.parametrize(
    "value", ['a "b" \\ \n \u2028 \U0001f600 \x7f', [1, (2.5,), None], {"a": [True, 1e-7]}, -0.0, "C:\\new"]
)
def test_a_literal_is_read_as_it_was_written(value: object) -> None:
    assert repr(ast.literal_eval(literal(value))) == repr(ast.literal_eval(repr(value).replace("(2.5,)", "[2.5]")))


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), b"bytes"])
def test_what_is_no_plain_data_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no plain data"):
        literal(value)


def rows_of(method: Method) -> list[Any]:
    return unpaired_rows(PREFERENCES, 0) if method == "kto" else paired_rows(PREFERENCES)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_it_runs_and_ends_with_the_adapter_of_train(method: Method, tiny_policy: Path, tmp_path: Path) -> None:
    """The whole script, in a process of its own; for DPO on a policy of base and adapter."""
    from safetensors.torch import load_file

    adapters = tuple(make_adapters(tiny_policy, tmp_path / "sft", [2], 4)) if method == "dpo" else ()
    config, folder = a_config(method), tmp_path / "export"
    (folder / "data").mkdir(parents=True)
    (folder / DATA).write_text(jsonl(rows_of(method)), encoding="utf-8")
    script = plain_trl_script(config, str(tiny_policy), DATA, [str(each) for each in adapters])
    (folder / "train.py").write_text(script, encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    source = PolicySource(str(tiny_policy), adapters, ModelConfig())
    alike = config.model_copy(update={"shared_prefix": False})  # which rounds otherwise
    run = TrainingRun(load_policy(source), load_tokenizer(source), rows_of(method), alike, tmp_path / "ours")
    train_preferences(run, "Training").model.save_pretrained(tmp_path / "adapter")
    theirs = load_file(folder / "trained" / "adapter_model.safetensors")
    ours = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert ours.keys() == theirs.keys()
    assert any(float(value.abs().max()) > 1e-4 for name, value in ours.items() if "lora_B" in name)
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 1e-6
