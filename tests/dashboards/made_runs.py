"""Trainings in a ledger, as the training stage logs them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from align.run_log import RUN, run_key
from ledger.records import Candidate, Comparison, LogEntry, Message, ModelVersion, Pair, Prompt, pairs_hash
from ledger.store import Ledger
from tests.dashboards.made_ledger import NASTY

SFT = ModelVersion("sft", "sft", "w0", path="models/sft")
TRAINED = ModelVersion("mine", "dpo", "w1", parent=SFT.id, pairs="p", config={"align": {}}, path="models/mine")
ALARM = {"kind": "displacement", "what": "chosen answers are 4.2 nats less likely", "advice": "lower the rate"}
_numbers = count()


def logged(ledger: Ledger, stage: str, event: str, run: str = "a run", **detail: Any) -> None:
    """An entry of the log, by a run of the program."""
    ledger.append([LogEntry(stage, event, detail, run=run, number=next(_numbers))])


def steps(n: int, first: int = 1, **changed: Any) -> Iterator[dict[str, Any]]:
    """Steps whose loss falls from 0.7 by a hundredth each, two seconds each."""
    for step in range(first, first + n):
        yield {
            "step": step,
            "epoch": step / 10,
            "loss": 0.7 - step / 100,
            "margin": step / 10,
            "chosen_ratio": -float(step),
            "rejected_ratio": -2.0 * step,
            "seconds": 2.0,
            "tokens_per_second": 50.0,
            "peak_mib": 1024.0 + step,
            **changed,
        }


def begun(ledger: Ledger, run: str = "a run", *, method: str = "dpo", pairs: int = 100) -> None:
    logged(ledger, "train", "started", run, policy=SFT.id, method=method, pairs=pairs)


def stepped(ledger: Ledger, key: str, *some: dict[str, Any], run: str = "a run") -> None:
    logged(ledger, RUN, "step", run, training=key, steps=list(some))


def trained(ledger: Ledger, n: int = 20, *, alarm: bool = False) -> str:
    """A whole training of the model `TRAINED` from `SFT`; its key."""
    key = run_key(TRAINED)
    ledger.append([SFT])
    begun(ledger)
    stepped(ledger, key, *steps(n))
    if alarm:
        logged(ledger, RUN, "alarm", training=key, step=7, **ALARM)
    ledger.append([TRAINED])
    logged(ledger, "train", "finished", model=TRAINED.id, path=TRAINED.path)
    return key


def with_pairs(ledger: Ledger) -> ModelVersion:
    """A model trained on three pairs: two clinical, one exam MCQ; two surgeons and a judge stand behind them."""
    ledger.append([SFT])
    made: list[Pair] = []
    weights, assessors = (0.55, 0.8, 1.0), (("surgeon:01", "surgeon:02"), ("judge:big",), ("judge:big", "surgeon:01"))
    for number, (weight, who) in enumerate(zip(weights, assessors, strict=True)):
        prompt = Prompt(
            (Message("user", f"Question {number}?"),),
            mode="exam" if number == 2 else "clinical",
            kind="mcq" if number == 2 else "open",
            options=("Yes", "No") if number == 2 else (),
            topic=("hernia", NASTY, "")[number],
        )
        one, other = sorted((Candidate(prompt.id, SFT.id, text) for text in ("good", "bad")), key=lambda each: each.id)
        said = [Comparison(prompt.id, one.id, other.id, SFT.id, SFT.id, each, "a", 0.9) for each in who]
        pair = Pair(prompt.id, one.id, other.id, weight, tuple(each.id for each in said))
        ledger.append([prompt, one, other, *said, pair])
        made.append(pair)
    model = ModelVersion("mine", "dpo", "w1", parent=SFT.id, pairs=pairs_hash([each.id for each in made]))
    ledger.append_trained(model, [each.id for each in made])
    return model


def step_log(folder: Path, some: Iterator[dict[str, Any]]) -> Path:
    """A step log on disk."""
    from align.watching.step_log import STEP_LOG, StepLog

    with StepLog(folder / STEP_LOG) as log:
        for step in some:
            log(step)
    return folder / STEP_LOG
