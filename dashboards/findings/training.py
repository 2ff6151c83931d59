"""What the page "Training" says: each run's curves, its alarms, its speed and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from align.watching.alarms import WINDOW
from align.watching.step_log import STEP_LOG, steps_in
from dashboards.findings.model_labels import model_labels
from dashboards.findings.step_curves import Curves, FloatArray, IntArray, StepColumns, thinned
from dashboards.findings.training_log import Attempt, Raised, alarms_by_run, attempts, steps_by_run
from ledger.records import ModelVersion, Round
from ledger.workspace import Workspace

State = Literal["finished", "open", "failed", "interrupted"]
CLASSES: Mapping[str, State] = {"finished": "finished", "failed": "failed", "interrupted": "interrupted"}


@dataclass(frozen=True)
class Speed:
    """How fast a run was, over all its steps; None where it was not logged."""

    seconds: float | None = None  # of all steps together
    seconds_per_step: float | None = None  # median
    tokens_per_second: float | None = None
    pairs_per_second: float | None = None
    peak_mib: float | None = None


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        key: what it goes by in links: the run's key in the log, or the model's id
        label: "Round 1 (dpo)", "SFT", or what it began as
        model: id of what came of it; empty where nothing has yet
        method: "dpo", "sft", ...
        state: how its last attempt ended; "open": it has not, so it runs or was killed
        cause: why it failed
        began: of the last attempt, UTC, ISO 8601; empty where the log does not say
        pairs: that it is trained on; for SFT questions
        epochs: gone through
        n_steps: optimiser steps
        n_logged: steps that were logged
        first_loss: mean of the first logged steps (`align.watching.alarms.WINDOW`, at most half of them)
        last_loss: of as many last ones
        alarms: raised, by step
    """

    key: str
    label: str
    model: str
    method: str
    state: State
    cause: str
    began: str
    pairs: int | None
    epochs: float | None
    n_steps: int
    n_logged: int
    first_loss: float | None
    last_loss: float | None
    curves: Curves
    alarms: tuple[Raised, ...]
    speed: Speed


@dataclass(frozen=True)
class Training:
    """What the page "Training" says: the newest run first."""

    runs: tuple[Run, ...]


def find_training(workspace: Workspace) -> Training:
    """Read it from the ledger; for models whose steps it does not hold, from the step log beside their weights."""
    ledger = workspace.ledger
    models = [model for model in ledger.read(ModelVersion) if model.method != "base"]
    steps, entries = steps_by_run(ledger)
    tries = attempts(ledger, models, entries)
    alarms = alarms_by_run(ledger, models)
    labels = _labels(workspace, tries)
    runs = []
    for key, tried in tries.items():
        columns = steps.get(key) or _on_disk(workspace, tried)
        runs.append(_run(key, tried, labels[key], columns, alarms.get(key, ())))
    return Training(tuple(reversed(runs)))


def _run(key: str, tried: Attempt, label: str, columns: StepColumns, alarms: tuple[Raised, ...]) -> Run:
    steps, figures = columns.table()
    epochs = _last(figures.get("epoch"))
    first, last = _ends(figures.get("loss"))
    state: State = "finished" if tried.model else CLASSES.get(tried.ended, "open")
    return Run(
        key=key,
        label=label,
        model=tried.model.id if tried.model else "",
        method=tried.method,
        state=state,
        cause=tried.cause,
        began=tried.began,
        pairs=tried.pairs,
        epochs=epochs,
        n_steps=int(steps[-1]) if len(steps) else 0,
        n_logged=len(steps),
        first_loss=first,
        last_loss=last,
        curves=thinned(steps, figures),
        alarms=alarms,
        speed=speed_of(steps, figures, tried.pairs),
    )


def speed_of(steps: IntArray, figures: Mapping[str, FloatArray], pairs: int | None) -> Speed:
    """From the seconds a step of every logged step, which stand for the steps since the one logged before."""
    if "seconds" not in figures:
        return Speed()
    since = np.diff(steps, prepend=0)
    seconds = figures["seconds"]
    timed = np.isfinite(seconds)
    took = float((seconds * since)[timed].sum())
    rate = figures.get("tokens_per_second")
    epochs, peak = _last(figures.get("epoch")), figures.get("peak_mib")
    return Speed(
        seconds=took,
        seconds_per_step=float(np.median(seconds[timed])) if timed.any() else None,
        tokens_per_second=None if rate is None or not took else float(np.nansum(rate * seconds * since) / took),
        pairs_per_second=epochs * pairs / took if epochs and pairs and took else None,
        peak_mib=None if peak is None or not np.isfinite(peak).any() else float(np.nanmax(peak)),
    )


def _ends(losses: FloatArray | None) -> tuple[float | None, float | None]:
    known = np.empty(0) if losses is None else losses[np.isfinite(losses)]
    if not len(known):
        return None, None
    window = max(1, min(WINDOW, len(known) // 2))
    return float(known[:window].mean()), float(known[-window:].mean())


def _last(values: FloatArray | None) -> float | None:
    known = np.empty(0) if values is None else values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def _labels(workspace: Workspace, tries: Mapping[str, Attempt]) -> Mapping[str, str]:
    """A model's own label; before there is a model, that of the round that it is trained for, or what was begun."""
    known = model_labels(workspace.ledger)
    begun = {(each.policy, each.method): each.number for each in workspace.ledger.read(Round)}
    found: dict[str, str] = {}
    for key, tried in tries.items():
        number = begun.get((tried.policy, tried.method))  # type: ignore[arg-type]
        if tried.model:
            label = known[tried.model.id]
        elif tried.method == "sft":
            label = "SFT"
        elif number is not None:
            label = f"Round {number} ({tried.method})"
        else:
            label = f"{tried.method} after {known.get(tried.policy, 'a policy')}"
        taken = label in found.values()
        found[key] = f"{label}, begun {tried.began[:16].replace('T', ' ')}" if taken else label
    return found


def _on_disk(workspace: Workspace, tried: Attempt) -> StepColumns:
    """The steps in the log beside the weights, where there is one."""
    columns = StepColumns()
    places = (workspace.root / folder / STEP_LOG for folder in tried.folders)
    found = next((path for path in places if path.is_file()), None)
    if found:
        with found.open("rb") as file:
            columns.extend(steps_in(file))
    return columns
