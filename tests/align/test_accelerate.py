"""The configurations that come along are accelerate's, and two processes train what one trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from align.processes import CONFIGS, launch_config
from ledger.config import CONFIG_NAME, load_config
from ledger.records import Comparison, LogEntry, ModelVersion
from ledger.workspace import Workspace, open_workspace
from sampling.policies import sft_model
from tests.annotate.answered import answers, question

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("deepspeed_zero3", "one_gpu", "several_gpus_fsdp", "two_cpu_processes")

CONFIG = """
[model]
path = "{model}"

[align]
batch_size = {batch}
epochs = 2
lora_rank = 4
learning_rate = 1e-3
"""
# `wardround train`, with the loss of each step written down by the main process.
PROGRAM = """
import json, sys
import transformers.trainer as trainer
from transformers import TrainerCallback

class Record(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **others):
        if state.is_world_process_zero and "loss" in logs:
            with open(sys.argv[1], "a") as file:
                file.write(json.dumps(logs) + "\\n")

trainer.DEFAULT_CALLBACKS.append(Record)
import wardround
wardround.main(["train", "-w", sys.argv[2]])
"""


def test_these_come_along() -> None:
    assert sorted(path.stem for path in CONFIGS.iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_accelerate_reads_the_configuration(name: str) -> None:
    """By its own class, which refuses unknown keys; those of FSDP and DeepSpeed are options of its launcher."""
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    config = load_config_from_file(str(launch_config(name)))
    assert isinstance(config, ClusterConfig)
    options = {action.dest for action in launch_command_parser()._actions}
    written = yaml.safe_load(launch_config(name).read_text(encoding="utf-8"))
    assert set(written.get("fsdp_config", {})) <= options
    assert set(written.get("deepspeed_config", {})) <= options
    assert config.num_processes == (1 if name == "one_gpu" else 2)


def test_accelerates_plugins_take_what_the_configurations_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher hands FSDP's keys on as environment variables; accelerate's plugin reads and checks them."""
    from accelerate.utils import FullyShardedDataParallelPlugin

    written = yaml.safe_load(launch_config("several_gpus_fsdp").read_text(encoding="utf-8"))["fsdp_config"]
    for key, value in written.items():
        monkeypatch.setenv(key.upper(), str(value).lower() if isinstance(value, bool) else str(value))
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward, plugin.state_dict_type.name) == (
        *(2, True, "FULL_STATE_DICT"),
    )


class Trained(NamedTuple):
    """What a run left behind."""

    losses: list[float]
    model: ModelVersion
    stages: list[str]
    adapter: dict[str, Any]
    screen: str


def run(root: Path, policy: Path, launcher: tuple[str, ...] = ()) -> Trained:
    """`wardround train` on eight pairs in batches of four, in a workspace of its own."""
    from safetensors.torch import load_file

    root.mkdir()
    (root / CONFIG_NAME).write_text(CONFIG.format(model=policy, batch=4), encoding="utf-8")
    (root / "program.py").write_text(PROGRAM, encoding="utf-8")
    with open_workspace(root) as workspace:
        fill(replace(workspace, config=load_config(root / CONFIG_NAME)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, *launcher, "program.py", "losses", "."],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    losses = [json.loads(line)["loss"] for line in (root / "losses").read_text(encoding="utf-8").splitlines()]
    with open_workspace(root) as workspace:
        (model,) = (each for each in workspace.ledger.read(ModelVersion) if each.parent)
        stages = [f"{each.stage} {each.event}" for each in workspace.ledger.read(LogEntry)]
    adapter = load_file(root / model.path / "adapter_model.safetensors")
    return Trained(losses, model, stages, adapter, done.stderr)


def fill(workspace: Workspace) -> None:
    """Eight comparisons, with answers of many lengths."""
    policy = sft_model(workspace)
    for number in range(8):
        prompt = question(number)
        texts = ["A hernia. " * (number + 1), "The wall. " * (9 - number)]
        one, other = sorted(answers(prompt, policy, texts), key=lambda each: each.id)
        said = Comparison(prompt.id, one.id, other.id, policy.id, policy.id, "judge:large", "a", 0.9)
        workspace.ledger.append([prompt, one, other, said])


@pytest.fixture(scope="module")
def alone(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One process with batches of four."""
    return run(tmp_path_factory.mktemp("alone") / "workspace", tiny_policy)


@pytest.fixture(scope="module")
def together(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two processes with batches of two each, as `accelerate launch` starts them."""
    config = ("-m", "accelerate.commands.launch", "--config_file", str(launch_config("two_cpu_processes")))
    return run(tmp_path_factory.mktemp("together") / "workspace", tiny_policy, config)


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_and_end_with_its_adapter(alone: Trained, together: Trained) -> None:
    assert len(alone.losses) == 4
    assert together.losses == pytest.approx(alone.losses, rel=1e-6)
    assert together.adapter.keys() == alone.adapter.keys()
    moved = max(float(value.abs().max()) for name, value in alone.adapter.items() if "lora_B" in name)
    assert moved > 1e-3
    assert max(float((together.adapter[name] - alone.adapter[name]).abs().max()) for name in alone.adapter) < 1e-5


@pytest.mark.slow
def test_one_of_them_writes_and_speaks(alone: Trained, together: Trained) -> None:
    assert together.stages == alone.stages
    assert together.stages.count("train finished") == 1
    assert together.model.pairs == alone.model.pairs
    assert together.screen.count("Loading sft for training") == 1
    assert together.screen.count("Training sft-dpo on 8 pairs: 4/4") == 1
