"""What is being done right now, in words, and the last steps of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dashboards.figures.page import Figure, Line, Part
from dashboards.figures.run_curves import KINDS, curve
from dashboards.findings.running_jobs import Job
from dashboards.findings.training import Run, Speed

DOES: Mapping[str, str] = {
    "train": "Training",
    "sft": "Fine-tuning",
    "sample": "Sampling answers",
    "judge": "Judging",
    "likelihoods": "Reading probe texts",
    "safety": "Rating safety probes",
    "pairs": "Making pairs",
    "import": "Importing questions",
    "preflight": "Looking over the pairs",
    "export": "Exporting",
}
SHOWN = ("loss", "margin")
MINUTE = 60
HOUR = 3600


def running_part(jobs: Sequence[Job], now: float) -> Part | None:
    """A line a job, and the last steps of those that train; None where nothing is on."""
    if not jobs:
        return None
    return Part("Now", tuple(_figures(jobs, now)), tuple(_line(job, now) for job in jobs))


def _line(job: Job, now: float) -> Line:
    doing = DOES.get(job.stage, job.stage.capitalize())
    what = f"{doing}{_what(job)}"
    if not job.is_alive(now):
        said = f"{what}: no sign of life for {ago(now - job.seen)}; it was killed, or hangs. The same command goes on."
        return Line(said, "warning")
    if job.step is None:
        first = ", no step yet" if job.stage in {"train", "sft"} else f", last sign {ago(now - job.seen)} ago"
        return Line(f"{what}: begun {ago(now - job.began)} ago{first}.")
    loss = _last(job)
    epoch = f", epoch {job.epoch:.2f}" if job.epoch is not None else ""
    return Line(f"{what}: step {job.step:,}{epoch}{loss}, {ago(now - job.seen)} ago.")


def _what(job: Job) -> str:
    detail = job.detail
    if "method" in detail:
        return f" ({detail['method']}, {detail.get('pairs', 0):,} pairs)"
    if "assessors" in detail:
        return f" ({', '.join(map(str, detail['assessors']))})"
    return f" ({detail['split']} questions)" if "split" in detail else ""


def _last(job: Job) -> str:
    losses = [value for value in job.tail.means.get("loss", ()) if value is not None]
    return f", loss {losses[-1]:.3f}" if losses else ""


def _figures(jobs: Sequence[Job], now: float) -> Iterator[Figure]:
    kinds = {kind.name: kind for kind in KINDS}
    for job in jobs:
        if job.step is not None and job.is_alive(now):
            run = _as_run(job)
            yield from (found for name in SHOWN if (found := curve(kinds[name], [run])))


def _as_run(job: Job) -> Run:
    """The tail of a step log, as a run that can be drawn."""
    logged = len(job.tail.steps) * job.tail.per_point
    return Run(
        key="now",
        label="now",
        model="",
        method=str(job.detail.get("method", job.stage)),
        state="open",
        cause="",
        began="",
        pairs=None,
        epochs=job.epoch,
        n_steps=job.step or 0,
        n_logged=logged,
        first_loss=None,
        last_loss=None,
        curves=job.tail,
        alarms=(),
        speed=Speed(),
    )


def ago(seconds: float) -> str:
    """A duration for people."""
    if seconds < 2 * MINUTE:
        return f"{max(0, round(seconds))} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"
