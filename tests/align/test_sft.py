"""Fine-tuning teaches the completions alone, and a run that was killed ends as if it had not been."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.sft import SftSettings, train_sft
from align.tiny_policy import make_tiny_policy
from align.watching.step_log import STEP_LOG, read_steps
from ledger.weights import weights_hash

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = SftSettings(epochs=3, batch_size=2, max_length=64)
ANSWERS = ["A protrusion.", "Through the wall.", "The wall contains it.", "No.", "A wall which contains a hernia."]
ROWS: list[dict[str, Any]] = [
    {
        "prompt": [{"role": "user", "content": f"{number}. What is a hernia?"}],
        "completion": [{"role": "assistant", "content": answer}],
    }
    for number, answer in enumerate(ANSWERS)
]

# Trains, and kills itself at the end of the given call of the given method of transformers' Trainer.
KILLED = """
import os, pathlib, signal, sys
from transformers import Trainer
from test_sft import ROWS, SETTINGS
from align.sft import train_sft

base, target, method, call = sys.argv[1:]
whole, calls = getattr(Trainer, method), []

def killed(*given, **named):
    result = whole(*given, **named)
    calls.append(method)
    if len(calls) == int(call):
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(Trainer, method, killed)
train_sft(pathlib.Path(base), ROWS, pathlib.Path(target), SETTINGS)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained policy."""
    folder = tmp_path_factory.mktemp("sft") / "base"
    make_tiny_policy(folder, [*ANSWERS, "What is a hernia?"], vocabulary=300)
    return folder


@pytest.fixture(scope="module")
def undisturbed(base: Path) -> Path:
    """The policy after an undisturbed run."""
    target = base.with_name("undisturbed")
    train_sft(base, ROWS, target, SETTINGS)
    return target


def checkpoints(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.glob(f"{target.name}.checkpoints/*/checkpoint-*"))


def weights(target: Path) -> bytes:
    return (target / "model.safetensors").read_bytes()


def killed(base: Path, target: Path, method: str, call: int) -> None:
    """A run that was killed at the end of that call."""
    program = [sys.executable, "-c", KILLED, str(base), str(target), method, str(call)]
    # As many threads as here: sums that are shared out otherwise round otherwise.
    own = {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}", "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
    ended = subprocess.run(program, env=own, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert not target.exists()


def loss(model: Path, row: dict[str, Any], *, answer: bool) -> float:
    """Mean loss over a row's answer, or over its prompt."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, policy = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    shown = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
    whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], return_dict=True)["input_ids"]
    with torch.inference_mode():
        said = policy(torch.tensor([whole])).logits[0, :-1].log_softmax(-1)
    each = -said[torch.arange(len(whole) - 1), torch.tensor(whole[1:])]
    return float((each[len(shown) - 1 :] if answer else each[: len(shown) - 1]).mean())


def test_the_completions_are_learned_and_the_prompts_are_not(base: Path, undisturbed: Path) -> None:
    before, after = (sum(loss(model, row, answer=True) for row in ROWS) for model in (base, undisturbed))
    assert after < 0.7 * before
    shown_before, shown_after = (sum(loss(model, row, answer=False) for row in ROWS) for model in (base, undisturbed))
    assert shown_after > 0.85 * shown_before


def test_its_steps_stand_beside_its_weights(undisturbed: Path) -> None:
    steps = read_steps(undisturbed / STEP_LOG)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert [step["step"] for step in steps] == sorted({step["step"] for step in steps})


def test_the_result_is_a_whole_policy_and_nothing_else_is_left(base: Path, undisturbed: Path) -> None:
    names = {path.name for path in undisturbed.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= names
    assert (undisturbed / "chat_template.jinja").read_bytes() == (base / "chat_template.jinja").read_bytes()
    assert (undisturbed / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert weights_hash(undisturbed) != weights_hash(base)
    assert sorted(path.name for path in base.parent.iterdir()) == ["base", "undisturbed"]


@pytest.fixture(scope="module")
def other_seed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy after an undisturbed run with another seed."""
    target = tmp_path_factory.mktemp("other") / "seed"
    train_sft(base, ROWS, target, replace(SETTINGS, seed=1))
    return target


def test_the_seed_matters(undisturbed: Path, other_seed: Path) -> None:
    assert weights(other_seed) != weights(undisturbed)


@pytest.fixture(scope="module")
def after_one_checkpoint(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run was killed as soon as its first checkpoint was whole."""
    target = tmp_path_factory.mktemp("killed") / "policy"
    killed(base, target, "_save_checkpoint", 1)
    assert checkpoints(target) == ["checkpoint-3"]
    return target.parent


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(
    after_one_checkpoint: Path, base: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copy" / "policy"
    shutil.copytree(after_one_checkpoint, target.parent)
    train_sft(base, ROWS, target, SETTINGS)
    assert weights(target) == weights(undisturbed)
    assert weights_hash(target) == weights_hash(undisturbed)
    assert [path.name for path in target.parent.iterdir()] == ["policy"]
    shown = [line for line in capsys.readouterr().err.splitlines() if "Supervised fine-tuning" in line]
    assert shown[0].startswith("Supervised fine-tuning: 3/9")
    assert shown[-1].startswith("Supervised fine-tuning: 9/9")


@pytest.mark.slow
def test_a_killed_run_is_not_taken_for_one_with_other_settings(
    after_one_checkpoint: Path, base: Path, other_seed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy" / "policy"
    shutil.copytree(after_one_checkpoint, target.parent)
    train_sft(base, ROWS, target, replace(SETTINGS, seed=1))
    assert weights(target) == weights(other_seed)
    assert [path.name for path in target.parent.iterdir()] == ["policy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "call", "left"),
    [
        ("_save_rng_state", 2, ["checkpoint-3", "checkpoint-6"]),  # the second checkpoint lacks its last file
        ("train", 1, ["checkpoint-9"]),  # all steps are done, nothing is in place
    ],
)
def test_wherever_it_is_killed(method: str, call: int, left: list[str], base: Path, undisturbed: Path) -> None:
    target = base.with_name("killed") / method
    killed(base, target, method, call)
    assert checkpoints(target) == left
    train_sft(base, ROWS, target, SETTINGS)
    assert weights(target) == weights(undisturbed)
    shutil.rmtree(target.parent)
