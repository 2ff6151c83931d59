"""SIGKILL at random moments of each stage, then a rerun: the same records as undisturbed, nothing lost or doubled."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger.tables import NAMES, TABLES, training_pairs
from ledger.trace import trace
from ledger.workspace import Workspace, open_workspace

KILLS_PER_STAGE = 4
STAGES = ("import", "sample", "judge", "pairs", "train", "evaluate")
HEAVY = ["torch", "transformers", "trl", "peft", "datasets", "sampling.intake", "align.evaluate", "align.training"]
WORDS = ["hernia", "protrusion", "wall", "which", "contains", "through", "What", "the", "a", "it"]

CONFIG = """
[ledger]
url = "{url}"

[model]
path = "{model}"

[import]
eval_share = 0.3

[sample]
n = 3
max_new_tokens = 24
batch_size = 4

[judge]
tie_margin = 0.0

[pairs]
margin = 0.5
allow_truncated = true

[align]
epochs = 2
batch_size = 2
checkpoint_steps = 2
lora_rank = 4

[evaluate]
contests = "all"

[probes]
sets = ["arithmetic", "safety", "text"]
"""


def _import(workspace: Workspace) -> None:
    from sampling.intake import import_prompts

    import_prompts(workspace, str(workspace.root / "questions.jsonl"))


def _sample(workspace: Workspace) -> None:
    from sampling.policies import sft_model
    from sampling.sample import sample

    sample(workspace, sft_model(workspace), "train")


def _judge(workspace: Workspace) -> None:
    from annotate.comparing import compare
    from sampling.policies import sft_model

    compare(workspace, sft_model(workspace))


def _pairs(workspace: Workspace) -> None:
    from annotate.pairing import build_pairs
    from sampling.policies import sft_model

    build_pairs(workspace, sft_model(workspace))


def _train(workspace: Workspace) -> None:
    from align.training import train
    from sampling.policies import sft_model

    train(workspace, sft_model(workspace), "trained")


def _evaluate(workspace: Workspace) -> None:
    from align.evaluate import evaluate
    from sampling.policies import newest_trained, sft_model

    evaluate(workspace, newest_trained(workspace), sft_model(workspace))


RUN: dict[str, Callable[[Workspace], None]] = {
    "import": _import,
    "sample": _sample,
    "judge": _judge,
    "pairs": _pairs,
    "train": _train,
    "evaluate": _evaluate,
}


def run_stage(root: str, stage: str) -> None:
    """What the process that gets killed runs."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with open_workspace(Path(root)) as workspace:
        RUN[stage](workspace)


def _start(root: Path, stage: str) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    process = context.Process(target=run_stage, args=(str(root), stage))
    process.start()
    return process


def _finish(root: Path, stage: str) -> float:
    began = time.monotonic()
    process = _start(root, stage)
    process.join(300)
    assert process.exitcode == 0, stage
    return time.monotonic() - began


def _kill(root: Path, stage: str, seconds: float, rng: random.Random) -> int:
    """Kill the stage at random moments of its length; return how often that was."""
    kills = 0
    while kills < KILLS_PER_STAGE:
        process = _start(root, stage)
        process.join(rng.uniform(0.05, 0.7) * seconds)
        if process.exitcode is None:
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join(60)
        assert process.exitcode in {0, -signal.SIGKILL}
        if process.exitcode == 0:  # it was quicker
            seconds /= 2
        else:
            kills += 1
    return kills


def _make(root: Path, model: Path, url: str = "sqlite:///ledger.db") -> None:
    root.mkdir()
    (root / "wardround.toml").write_text(CONFIG.format(model=model, url=url), encoding="utf-8")
    rng = random.Random(7)
    rows = [
        {
            "question": f"Case {number}: " + " ".join(rng.choice(WORDS) + str(rng.randrange(99)) for _ in range(9)),
            "reference": " ".join(rng.sample(WORDS, 6)),
        }
        for number in range(30)
    ]
    (root / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def _ids(root: Path) -> dict[str, list[str]]:
    """The ids of all records but the log's, by table."""
    with open_workspace(root) as workspace:
        ledger = workspace.ledger
        found = {
            name: sorted(row.id for row in ledger.rows(sa.select(TABLES[kind].c.id)))
            for kind, name in NAMES.items()
            if name != "log"
        }
        columns = (training_pairs.c.model, training_pairs.c.pair)
        found["training_pairs"] = sorted("".join(row) for row in ledger.rows(sa.select(*columns)))
    return found


@pytest.mark.slow
def test_a_killed_round_ends_like_an_undisturbed_one(tmp_path: Path, tiny_policy: Path, url: str) -> None:
    """Whichever database it is killed over: the undisturbed one is on SQLite."""
    calm, killed, first = tmp_path / "calm", tmp_path / "killed", tmp_path / "first"
    rng = random.Random(20_261_121)
    kills = 0
    for root in (calm, first):
        _make(root, tiny_policy)
    _make(killed, tiny_policy, url)
    _finish(first, "import")  # pays for the start of the fork server
    for stage in STAGES:
        seconds = _finish(calm, stage)
        kills += _kill(killed, stage, seconds, rng)
        _finish(killed, stage)
        assert _ids(killed) == _ids(calm), stage
    assert kills >= 20
    undisturbed = _ids(calm)
    made = ("prompts", "candidates", "comparisons", "pairs", "training_pairs", "probes", "likelihoods", "ratings")
    assert all(undisturbed[table] for table in made)
    with open_workspace(killed) as workspace:
        assert trace(workspace.ledger, "trained").models[0].pairs == len(undisturbed["training_pairs"])
