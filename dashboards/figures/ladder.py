"""All model versions on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from align.leaderboard import Leaderboard, Standing
from dashboards.figures.interval_chart import Interval, interval_chart
from dashboards.figures.page import Figure, Format, Line, Missing, Part
from dashboards.findings.win_rates import outcome

if TYPE_CHECKING:
    from pandas import DataFrame

TITLE = "All versions on one scale"
RESTS_ON = "questions, each once for each opponent"
FORMATS: dict[str, Format] = {
    **dict.fromkeys(("chance", "from", "to"), "percent"),
    **dict.fromkeys(("log worth", "log worth from", "log worth to"), "number"),
    RESTS_ON: "number",
}
ALONE = {
    "only won": "won every contest, so nothing bounds its place from above",
    "only lost": "lost every contest, so nothing bounds its place from below",
    "never met": "met none of the others",
}


def ladder_part(ladder: Leaderboard | None, labels: Mapping[str, str]) -> Part:
    """Bradley-Terry: each version's chance to win against the oldest one, from every contest between any two."""
    if ladder is None:
        what = "No two models have a valid verdict on held-out questions, so there is no common scale yet."
        return Part(TITLE, missing=Missing(what, "wardround evaluate"))
    if ladder.problem:
        return Part(TITLE, lines=(Line(f"There is no common scale: {ladder.problem}."),))
    zero = next(labels[each.model] for each in ladder.standings if _is_zero(each))
    left_out = tuple(
        Line(f"{labels[each.model]} has no place: it {ALONE[each.left_out]}.")
        for each in ladder.standings
        if each.left_out
    )
    return Part(TITLE, (_figure(ladder, labels, zero),), left_out)


def _is_zero(standing: Standing) -> bool:
    worth = standing.log_worth
    return worth is not None and worth.estimate == 0 and worth.by_prompt == 0


def _figure(ladder: Leaderboard, labels: Mapping[str, str], zero: str) -> Figure:
    placed = [each for each in ladder.standings if each.beats_zero]
    rows = [_row(each, labels, ladder.n_prompts) for each in placed]
    return Figure(
        name="ladder",
        title=f"Chance to win against {zero}",
        says=_says(rows, zero, ladder.confidence),
        method=(
            f"Bradley-Terry with ties (Davidson), from {ladder.n_contests:,} contests on {ladder.n_prompts:,} held-out "
            f"questions by {ladder.assessor}, whichever two versions met in them. {ladder.confidence:.0%} intervals: "
            f"bootstrap over questions, fitted anew each time. Log worth: log odds against {zero}, which is 0."
        ),
        table=_table(placed, rows),
        chart=interval_chart(rows),
        formats=FORMATS,
    )


def _row(standing: Standing, labels: Mapping[str, str], n_prompts: int) -> Interval:
    beats, name = standing.beats_zero, labels[standing.model]
    assert beats is not None
    if _is_zero(standing):
        return Interval(name, 0.5, None, None, "not shown")
    shown = "too few" if beats.low is None or beats.high is None else outcome(beats.low, beats.high, n_prompts)
    return Interval(name, beats.estimate, beats.low, beats.high, shown)


def _says(rows: list[Interval], zero: str, confidence: float) -> str:
    """Which stands highest, and how surely."""
    first = rows[0]
    ends = "" if first.low is None or first.high is None else f" {first.low * 100:.0f} to {first.high * 100:.0f}"
    interval = f", {confidence:.0%} interval{ends}" if ends else ""
    chance = f"with a chance of {first.rate:.0%} against {zero}{interval}"
    return f"The highest of the {len(rows)} versions that have a place is {first.name}, {chance}."


def _table(placed: list[Standing], rows: list[Interval]) -> DataFrame:
    import pandas as pd

    worths = [each.log_worth for each in placed]
    return pd.DataFrame(
        {
            "model": [each.name for each in rows],
            "chance": [each.rate for each in rows],
            "from": pd.array([each.low for each in rows], dtype="Float64"),
            "to": pd.array([each.high for each in rows], dtype="Float64"),
            "log worth": pd.array([each.estimate if each else None for each in worths], dtype="Float64"),
            "log worth from": pd.array([each.low if each else None for each in worths], dtype="Float64"),
            "log worth to": pd.array([each.high if each else None for each in worths], dtype="Float64"),
            RESTS_ON: [each.contests for each in placed],
            "shown": [each.outcome for each in rows],
        }
    )
