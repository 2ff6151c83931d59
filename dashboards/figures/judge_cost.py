"""What a judge costs, and what is left unclear for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.figures.estimates import interval, percent
from dashboards.figures.judge_time import SHOWN
from dashboards.figures.page import Figure, Format, Line, Missing, Part
from dashboards.figures.style import BLUE
from dashboards.findings.judges import Judge

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

TITLE = "Cost"
NOTICED = 1.005  # times what judgments cost: more was paid besides
FORMATS: dict[str, Format] = {
    "judgments": "count",
    "tokens": "count",
    "cost": "number",
    "per 1,000": "number",
    "tokens each": "count",
    "requests": "count",
    "requests' tokens in": "count",
    "requests' tokens out": "count",
    "requests' cost": "number",
}


def cost_part(judge: Judge, *, priced: bool) -> Part | None:
    """Judgments, tokens and money by period; None for a metric, which costs nothing."""
    if judge.metric and not any(each.cost or each.tokens for each in judge.spent):
        return None
    table = _table(judge)
    lines = [_total(judge), *_unclear(judge)]
    cost = float(table["cost"].sum())
    missing = None
    if not cost and not priced:
        missing = Missing("No prices are set, so money is not counted: input_price and output_price in [judge].", "")
    by = "per 1,000" if cost else "tokens each"
    figure = Figure(
        name="judge_cost",
        title="Cost per 1,000 judgments" if cost else "Tokens per judgment",
        says=f"What judgments took, by {judge.unit}.",
        method="A judgment is a verdict on two answers in one order, or points for one answer; invalid ones too. In "
        "the currency of the price list in [judge]. Requests hold failed ones, repeats and attacks too. "
        f"n: {int(table['judgments'].sum()):,} judgments.",
        table=table,
        chart=_chart(table, by) if len(table) > 1 and float(table[by].sum()) else None,
        formats=FORMATS,
    )
    return Part(TITLE, (figure,), tuple(lines), missing)


def _table(judge: Judge) -> DataFrame:
    import pandas as pd

    rows = [
        {
            "when": each.start[: SHOWN[judge.unit]],
            "judgments": each.judgments,
            "tokens": each.tokens,
            "cost": each.cost,
            "per 1,000": 1000 * each.cost / each.judgments if each.judgments else None,
            "tokens each": each.tokens / each.judgments if each.judgments else None,
            "requests": each.requests,
            "requests' tokens in": each.tokens_in,
            "requests' tokens out": each.tokens_out,
            "requests' cost": each.requests_cost,
        }
        for each in judge.spent
    ]
    table = pd.DataFrame(rows, columns=["when", *FORMATS]).astype({"per 1,000": "float64", "tokens each": "float64"})
    return table if table["requests"].sum() else table.drop(columns=[name for name in FORMATS if "request" in name])


def _total(judge: Judge) -> Line:
    n, tokens = (sum(getattr(each, name) for each in judge.spent) for name in ("judgments", "tokens"))
    cost = sum(each.cost for each in judge.spent)
    money = f" and cost {cost:,.2f}, {1000 * cost / n:,.2f} per 1,000" if cost and n else ""
    paid, requests = sum(each.requests_cost for each in judge.spent), sum(each.requests for each in judge.spent)
    more = (
        f" With failed requests, repeats and attacks: {requests:,} requests, {paid:,.2f}."
        if paid > NOTICED * cost
        else ""
    )
    return Line(f"{n:,} judgments took {_large(tokens)} tokens{money}.{more}")


def _unclear(judge: Judge) -> list[Line]:
    """What the money has not settled."""
    left = judge.unclear
    if left.estimate is None:
        return []
    share = f"Left unclear: {percent(left.estimate)} of contests, {interval(left)}"
    return [Line(f"{share}, which flip with the order or have no valid verdict; they go to surgeons first.")]


def _large(number: int) -> str:
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:,.1f} {name}"
    return f"{number:,}"


def _chart(table: DataFrame, by: str) -> alt.Chart:
    import altair as alt

    names: list[Any] = [
        "when:N",
        alt.Tooltip(f"{by}:Q", format=",.3g"),
        alt.Tooltip("judgments:Q", title="n", format=","),
    ]
    x = alt.X("when:O", sort=list(table["when"]), axis=alt.Axis(labelAngle=0, title=None, labelOverlap="greedy"))
    y = alt.Y(f"{by}:Q", axis=alt.Axis(title=None, tickCount=4))
    chart: alt.Chart = alt.Chart(table).mark_bar(color=BLUE, size=22).encode(x=x, y=y, tooltip=names)
    return chart.properties(height=150)
