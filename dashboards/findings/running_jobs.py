"""What is being done right now, read from the log and from the ends of step logs: cheap enough to ask every second."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from align.run_log import RUN
from align.watching.step_log import STEP_LOG, steps_in
from dashboards.findings.step_curves import Curves, StepColumns, thinned
from dashboards.findings.training_log import TRAIN
from ledger.store import Ledger
from ledger.tables import calls, candidates, comparisons, likelihoods, log, ratings
from ledger.workspace import Workspace
from sampling.policies import SFT

LOOKED_BACK = 200  # entries of the log on how stages went
FORGET = 24 * 3600.0  # seconds after which nobody waits for a job any more
QUIET = 600.0  # seconds without a sign, after which a job was killed, or hangs
QUIET_STEPS = 20  # ... or as long as so many steps take, where that is longer
TAIL = 256 * 1024  # bytes of a step log: some five hundred steps
# Where a stage leaves signs of life.
SIGNS: Mapping[str, tuple[sa.Table, ...]] = {
    "sample": (candidates,),
    "judge": (comparisons, calls, ratings),
    "safety": (calls, ratings),
    "likelihoods": (likelihoods,),
}


@dataclass(frozen=True)
class Job:
    """One stage that has begun and has not said how it ended.

    Attributes:
        stage: "train", "sample", "judge", ...
        detail: what it said as it began
        began: Unix seconds
        seen: of the last sign of life, Unix seconds
        quiet: seconds without a sign after which it is taken for dead
        step: the last optimiser step; None: none yet, or no training
        epoch: gone through
        tail: curves of the last steps
    """

    stage: str
    detail: Mapping[str, Any]
    began: float
    seen: float
    quiet: float
    step: int | None = None
    epoch: float | None = None
    tail: Curves = field(default_factory=Curves)

    def is_alive(self, now: float) -> bool:
        """As far as its last sign of life tells."""
        return now - self.seen < self.quiet


def running_jobs(workspace: Workspace, now: float) -> list[Job]:
    """The jobs that have begun in the last day and not ended, the newest first; of several of one kind the last one.

    Those that were killed say nothing any more; `Job.is_alive` tells them from those that run.
    """
    jobs = [_job(workspace, *each) for each in _open(workspace.ledger)]
    return [job for job in jobs if now - job.seen < FORGET]


def _open(ledger: Ledger) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    """Stage, detail and beginning of what has begun and not ended; what was begun again counts once."""
    query = (
        sa.select(log.c.run, log.c.stage, log.c.event, log.c.at, log.c.detail)
        .where(log.c.stage != RUN, log.c.event.in_(("started", "finished", "failed", "interrupted")))
        .order_by(log.c.row.desc())
        .limit(LOOKED_BACK)
    )
    over: dict[tuple[str, str], int] = {}
    met: set[tuple[str, str]] = set()
    for row in ledger.rows(query):
        if row.event != "started":
            over[row.run, row.stage] = over.get((row.run, row.stage), 0) + 1
            continue
        what = (row.stage, row.detail)
        if over.get((row.run, row.stage)):
            over[row.run, row.stage] -= 1
        elif what not in met:
            yield row.stage, orjson.loads(row.detail), row.at / 1000
        met.add(what)


def _job(workspace: Workspace, stage: str, detail: Mapping[str, Any], began: float) -> Job:
    if stage in {TRAIN, SFT}:
        found = _step_log(workspace, stage, began)
        return _training(found, stage, detail, began) if found else Job(stage, detail, began, began, QUIET)
    seen = max([began, *(_newest(workspace.ledger, table) for table in SIGNS.get(stage, ()))])
    return Job(stage, detail, began, seen, QUIET)


def _newest(ledger: Ledger, table: sa.Table) -> float:
    return float(ledger.scalar(sa.select(table.c.at).order_by(table.c.row.desc()).limit(1)) or 0) / 1000


def _step_log(workspace: Workspace, stage: str, began: float) -> Path | None:
    """The step log that was written last, if that was since the job began."""
    folders = ".checkpoints/*" if stage == TRAIN else "*.checkpoints/*"
    found = [(_written(path), path) for path in workspace.models.glob(f"{folders}/{STEP_LOG}")]
    last = max(found, default=None)
    return last[1] if last and last[0] >= began else None


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # it has just ended
        return 0.0


def _training(path: Path, stage: str, detail: Mapping[str, Any], began: float) -> Job:
    seen, tail = _written(path), list(steps_in(_last_lines(path)))
    columns = StepColumns()
    columns.extend(tail)
    if not tail:
        return Job(stage, detail, began, max(seen, began), QUIET)
    last = tail[-1]
    return Job(
        stage,
        detail,
        began,
        max(seen, began),
        max(QUIET, QUIET_STEPS * (last.get("seconds") or 0.0)),
        int(last["step"]),
        last.get("epoch"),
        thinned(*columns.table()),
    )


def _last_lines(path: Path) -> list[bytes]:
    """The whole lines at the end of a file that another process writes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return lines if size <= TAIL else lines[1:]
