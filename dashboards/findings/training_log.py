"""What the ledger's log says of training runs: when they were begun, how they ended, their steps and alarms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa

from align.gate.conditions import CLOSED
from align.gate.registration import STAGE as GATE
from align.run_log import RUN, run_key
from dashboards.findings.step_curves import StepColumns
from ledger.queries import every, utc
from ledger.records import ModelVersion
from ledger.store import Ledger
from ledger.tables import log
from sampling.policies import SFT

TRAIN = "train"


@dataclass(frozen=True)
class Attempt:
    """The last attempt at one training, and what came of it.

    Attributes:
        run: of the program that began it
        stage: "train" or "sft"
        began: UTC, ISO 8601; empty where the log does not say
        ended: "finished", "failed", "interrupted", or empty
        cause: why it failed
        policy: id of the model that is trained further
        made: id of the model that it ended with; for SFT the hash of what it learnt from
        folders: where its step log may lie, relative to the workspace
    """

    run: str = ""
    stage: str = TRAIN
    began: str = ""
    ended: str = ""
    cause: str = ""
    method: str = ""
    policy: str = ""
    pairs: int | None = None
    made: str = ""
    model: ModelVersion | None = None
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raised:
    """An alarm of a run; ``closed`` is the reason why it stands in nobody's way, or empty."""

    kind: str
    step: int
    what: str
    advice: str
    closed: str = ""


@dataclass(frozen=True)
class Entry:
    """That a run of the program logged a step or alarm of a training, at that row of the log."""

    row: int
    run: str
    key: str


def steps_by_run(ledger: Ledger) -> tuple[dict[str, StepColumns], list[Entry]]:
    """The steps of every training by its key, and which run of the program logged the first of them."""
    steps: dict[str, StepColumns] = defaultdict(StepColumns)
    entries: dict[tuple[str, str], Entry] = {}
    query = sa.select(log.c.row, log.c.run, log.c.detail).where(log.c.stage == RUN, log.c.event == "step")
    for row in ledger.rows(query.order_by(log.c.row)):
        detail = orjson.loads(row.detail)
        key = str(detail["training"])
        steps[key].extend(detail["steps"])
        entries.setdefault((row.run, key), Entry(row.row, row.run, key))
    return steps, list(entries.values())


def alarms_by_run(ledger: Ledger, models: Sequence[ModelVersion]) -> dict[str, tuple[Raised, ...]]:
    """The alarms of every training by its key, in the order of their steps; one of a kind, the last that was raised."""
    ids = {model.id: run_key(model) for model in models}
    closed = {(ids.get(done.detail["model"], ""), done.detail["kind"]): done for done in every(ledger, GATE, CLOSED)}
    found: dict[str, dict[str, Raised]] = defaultdict(dict)
    for done in every(ledger, RUN, "alarm"):
        said = done.detail
        key, kind = str(said["training"]), str(said["kind"])
        reason = str(closed[key, kind].detail.get("reason", "")) if (key, kind) in closed else ""
        found[key][kind] = Raised(kind, int(said["step"]), str(said["what"]), str(said["advice"]), reason)
    return {key: tuple(sorted(some.values(), key=lambda each: each.step)) for key, some in found.items()}


def attempts(ledger: Ledger, models: Sequence[ModelVersion], entries: Sequence[Entry]) -> dict[str, Attempt]:
    """Every training by its key, in the order of their last beginnings.

    Trainings that ended before their first step have no key; of these the last one alone is told, if nothing followed.
    """
    begun = _begun(ledger)
    keys = _keys(begun, entries, models)
    found: dict[str, Attempt] = {_key(model): _of_model(model) for model in models if model.parent or model.path}
    last = max(begun, default=0)
    for row, attempt in begun.items():
        key = keys.get(row) or (f"begun-{row}" if row == last and attempt.ended != "finished" else "")
        if key:
            made = found.pop(key, None)
            found[key] = _joined(attempt, made.model if made else None)
    return found


def _key(model: ModelVersion) -> str:
    return run_key(model) if model.parent else model.id


def _of_model(model: ModelVersion) -> Attempt:
    return Attempt(
        stage=TRAIN if model.parent else SFT,
        ended="finished",
        method=model.method,
        policy=model.parent or "",
        model=model,
        folders=(model.path,),
    )


def _joined(attempt: Attempt, model: ModelVersion | None) -> Attempt:
    if model is None:
        return attempt
    return replace(attempt, model=model, method=model.method, folders=(*attempt.folders, model.path))


def _begun(ledger: Ledger) -> dict[int, Attempt]:
    """Every attempt at a training by the row of its beginning."""
    found: dict[int, Attempt] = {}
    open_: dict[tuple[str, str], int] = {}
    query = sa.select(log.c.row, log.c.run, log.c.stage, log.c.event, log.c.at, log.c.detail)
    for row in ledger.rows(query.where(log.c.stage.in_((TRAIN, SFT))).order_by(log.c.row)):
        detail = orjson.loads(row.detail)
        if row.event == "started":
            found[row.row] = _attempt(row.run, row.stage, utc(row.at), detail)
            open_[row.run, row.stage] = row.row
        elif (row.run, row.stage) in open_:
            place = open_.pop((row.run, row.stage))
            found[place] = _ended(found[place], row.event, detail)
    return found


def _attempt(run: str, stage: str, began: str, detail: Mapping[str, Any]) -> Attempt:
    pairs = detail.get("pairs", detail.get("rows", detail.get("answers")))
    return Attempt(
        run=run,
        stage=stage,
        began=began,
        method=str(detail.get("method", stage)),
        policy=str(detail.get("policy", "")),
        pairs=None if pairs is None else int(pairs),
    )


def _ended(attempt: Attempt, event: str, detail: Mapping[str, Any]) -> Attempt:
    folders = (str(detail["path"]),) if "path" in detail else ()
    cause, made = str(detail.get("cause", "")), str(detail.get("model", detail.get("prompts", "")))
    return replace(attempt, ended=event, cause=cause, made=made, folders=folders)


def _keys(begun: Mapping[int, Attempt], entries: Sequence[Entry], models: Sequence[ModelVersion]) -> dict[int, str]:
    """The key of each attempt, by its row: that of the model it ended with, or of the steps that it logged.

    A step belongs to the training that the same run of the program began last before it.
    """
    of_models = {model.id: _key(model) for model in models}
    keys = {row: of_models[each.made] for row, each in begun.items() if each.made in of_models}
    for entry in entries:
        before = [row for row, each in begun.items() if each.run == entry.run and each.stage == TRAIN]
        place = max((row for row in before if row < entry.row), default=0)
        if place:
            keys.setdefault(place, entry.key)
    keys |= _keys_of_sft(begun, models)
    return keys


def _keys_of_sft(begun: Mapping[int, Attempt], models: Sequence[ModelVersion]) -> dict[int, str]:
    """The log of fine-tuning names a folder, or nothing: then it made the first SFT model."""
    own = [model for model in models if model.parent is None and model.method == SFT]
    ended = {row: each for row, each in begun.items() if each.stage == SFT and each.ended == "finished"}
    found = {}
    for row, each in ended.items():
        named = [model for model in own if model.path in each.folders or _learnt(model) == each.made] or own[:1]
        if named:
            found[row] = _key(named[0])
    return found


def _learnt(model: ModelVersion) -> object:
    return model.metrics.get("made", {}).get("prompts_hash", model)
