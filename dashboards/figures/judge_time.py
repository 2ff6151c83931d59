"""A judge over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from annotate.bootstrap import Estimate
from dashboards.figures.estimates import FORMATS, At, over_time_chart, over_time_table
from dashboards.figures.page import Figure, Line, Part
from dashboards.findings.judge_periods import Period
from dashboards.findings.judges import Judge, Limits

SHOWN = {"day": 10, "week": 10, "month": 7, "year": 4}  # characters of an ISO date
NAMED = {"day": "day", "week": "week (from Monday)", "month": "month", "year": "year"}


class _Measure(NamedTuple):
    name: str
    title: str
    says: str
    value: Callable[[Period], Estimate]
    limit: float | None = None
    signed: bool = False


def time_part(judge: Judge, limits: Limits) -> Part | None:
    """Position bias, invalid verdicts, agreement and retests by period; None where nothing can be seen of time."""
    title = "Over time"
    starts = sorted({each.start for each in judge.periods})
    retests = _retests(judge)
    if len(starts) < 2 and retests is None:
        only = f"{judge.unit} of {starts[0]}" if judge.unit == "week" else starts[0][: SHOWN[judge.unit]]
        return Part(
            title, lines=(Line(f"All its verdicts are of {only} so far; a second {judge.unit} makes a curve."),)
        )
    figures = [_figure(judge, each) for each in _measures(limits)] if len(starts) > 1 else []
    shown = tuple(figure for figure in [*figures, retests] if figure is not None)
    versions = sorted({each.rubric for each in judge.periods})
    changed = (Line(f"{len(versions)} rubric versions; each is a judge of its own, and has a line of its own."),)
    return Part(title, shown, changed if len(versions) > 1 else ())


def _measures(limits: Limits) -> Sequence[_Measure]:
    return (
        _Measure("agreement", "Agrees with surgeons", "most is best", lambda each: each.surgeons.raw, limits.agreement),
        _Measure("flips", "Changes its verdict with the order", "least is best", lambda each: each.flips, limits.flips),
        _Measure(
            "position",
            "Position bias: points for the answer shown first",
            "0 is none",
            lambda each: each.first_place,
            signed=True,
        ),
        _Measure("invalid", "Invalid verdicts", "least is best", lambda each: each.invalid, limits.invalid),
    )


def _figure(judge: Judge, measure: _Measure) -> Figure | None:
    shown = SHOWN[judge.unit]
    points = [At(each.start[:shown], each.rubric, measure.value(each)) for each in judge.periods]
    table = over_time_table(points, "rubric")
    if table.empty:
        return None
    sampled = max((each.n_sampled for each in judge.periods if each.n_sampled < each.n_prompts), default=0)
    sample = f" Periods with more questions: a simple random sample of {sampled:,} of them." if sampled else ""
    dashed = " Dashed: the promotion gate's limit." if measure.limit is not None else ""
    return Figure(
        name=f"judge_{measure.name}_over_time",
        title=measure.title,
        says=f"{measure.title}, by {NAMED[judge.unit]}, with intervals; {measure.says}.",
        method=f"By {NAMED[judge.unit]} in UTC and rubric version; a contest belongs to the {judge.unit} of its first "
        f"verdict. 95% intervals from a bootstrap over questions.{sample}{dashed}",
        table=table,
        chart=over_time_chart(table, "rubric", limit=measure.limit, signed=measure.signed),
        formats=FORMATS,
    )


def _retests(judge: Judge) -> Figure | None:
    """Each time that it was asked again; the passport's figure is the last one's."""
    if len(judge.retests) < 2:
        return None
    points = [At(each.at[:16].replace("T", " "), judge.name, each.same) for each in judge.retests]
    table = over_time_table(points, "judge")
    if table.empty:
        return None
    return Figure(
        name="judge_retests",
        title="Same verdict when asked again",
        says="How often the judge preferred the same when it was asked again, each time; most is best.",
        method="wardround judge --retest N: answered questions, in the same order once more. Invalid second answers "
        "are not compared. 95% intervals from a bootstrap over questions.",
        table=table,
        chart=over_time_chart(table, "judge"),
        formats=FORMATS,
    )
