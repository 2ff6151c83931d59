"""What models were trained on: pairs by mode, kind and topic, by weight, and by who stands behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.figures.page import Figure, Line, Missing, Part
from dashboards.figures.style import series_scale
from dashboards.findings.training import Run
from dashboards.findings.training_data import BIN, LOWEST, PairsOf, TrainingData

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart

TITLE = "What it learnt from"
MOST_TOPICS = 15
REST = "other topics"
ROW = 26
UNKNOWN = Missing("The pairs behind it are known when it has ended; SFT learns from references, not from pairs.")


def composition(runs: Sequence[Run], data: TrainingData | None) -> Iterator[Part]:
    """The data of these runs, as far as they ended in a model; nothing without ``data``."""
    if data is None:
        return
    found = [(run.label, data.models[run.model]) for run in runs if run.model in data.models]
    if not found:
        yield Part(TITLE, missing=UNKNOWN)
        return
    yield Part(TITLE, (_groups(found), _weights(found), _assessors(found)), tuple(_lines(found)))


def _lines(found: Sequence[tuple[str, PairsOf]]) -> Iterator[Line]:
    for label, of in found:
        modes = " and ".join(f"{n:,} {mode}" for mode, n in of.modes.items())
        who = ", ".join(f"{name} ({n / of.pairs:.0%})" for name, n in of.assessors.items())
        sure = f"on average {of.mean_weight:.0%} sure which answer is better"
        yield Line(f"{label}: {of.pairs:,} pairs on {of.prompts:,} questions ({modes}), {sure}; by {who or 'nobody'}.")


def _groups(found: Sequence[tuple[str, PairsOf]]) -> Figure:
    rows = [
        (label, by, which or "no topic", n, n / of.pairs)
        for label, of in found
        for by, counts in (("mode", of.modes), ("kind", of.kinds), ("topic", _topics(of)))
        for which, n in counts.items()
    ]
    table = _table(rows, ["run", "by", "which", "pairs", "share"])
    return Figure(
        name="pairs_by_group",
        title="Pairs by mode, kind and topic",
        says="How many pairs are of each mode, kind and topic.",
        method=f"{_n(found)} Beyond {MOST_TOPICS} topics the smaller ones are counted together.",
        table=table,
        chart=_bars(table, [label for label, _ in found]),
        formats={"pairs": "count", "share": "percent"},
    )


def _topics(of: PairsOf) -> dict[str, int]:
    topics = list(of.topics.items())
    rest = sum(n for _, n in topics[MOST_TOPICS:])
    return dict(topics[:MOST_TOPICS]) | ({REST: rest} if rest else {})


def _weights(found: Sequence[tuple[str, PairsOf]]) -> Figure:
    rows = [
        (label, LOWEST + BIN * place, LOWEST + BIN * (place + 1), n, n / of.pairs)
        for label, of in found
        for place, n in enumerate(of.weights)
    ]
    table = _table(rows, ["run", "above", "up to", "pairs", "share"])
    return Figure(
        name="weights",
        title="How sure the pairs are",
        says="How many pairs have which weight: the probability that the chosen answer is better.",
        method=f"{_n(found)} A weight enters the loss where align.pair_weights is on (Mitchell, 2023).",
        table=table,
        chart=_histogram(table, [label for label, _ in found]),
        formats={"above": "percent", "up to": "percent", "pairs": "count", "share": "percent"},
    )


def _assessors(found: Sequence[tuple[str, PairsOf]]) -> Figure:
    rows = [(label, name, n, n / of.pairs) for label, of in found for name, n in of.assessors.items()]
    return Figure(
        name="pairs_by_assessor",
        title="Whose comparisons stand behind the pairs",
        says="How many pairs rest on comparisons of each assessor; surgeons together.",
        method=f"{_n(found)} A pair may rest on comparisons of several assessors, and counts for each.",
        table=_table(rows, ["run", "assessor", "pairs", "share"]),
        formats={"pairs": "count", "share": "percent"},
    )


def _n(found: Sequence[tuple[str, PairsOf]]) -> str:
    return "; ".join(f"{label}: {of.pairs:,} pairs on {of.prompts:,} questions" for label, of in found) + "."


def _table(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def _bars(table: DataFrame, labels: Sequence[str]) -> Chart:
    import altair as alt

    several = len(labels) > 1
    order = list(dict.fromkeys(table["which"]))
    drawn = alt.Chart(table).encode(
        x=alt.X("share:Q", title="share of the pairs", axis=alt.Axis(format="%", tickCount=5)),
        y=alt.Y("which:N", sort=order, title=None, axis=_names()),
        color=_colour(labels),
        tooltip=[
            *([alt.Tooltip("run:N")] if several else []),
            alt.Tooltip("by:N"),
            alt.Tooltip("which:N", title=" "),
            alt.Tooltip("pairs:Q", format=","),
            alt.Tooltip("share:Q", format=".1%"),
        ],
    )
    bars = drawn.mark_bar()
    if several:
        bars = bars.encode(yOffset=alt.YOffset("run:N", sort=list(labels)))
    return alt.layer(bars).properties(height=ROW * len(order) * (1 if not several else len(labels)) * 0.8 + 40)


def _histogram(table: DataFrame, labels: Sequence[str]) -> Chart:
    import altair as alt

    several = len(labels) > 1
    drawn = alt.Chart(table).encode(
        x=alt.X("above:Q", bin="binned", title="probability that chosen is better", axis=alt.Axis(format="%")),
        x2="up to:Q",
        y=alt.Y("share:Q", title="share of the pairs", stack=None, axis=alt.Axis(format="%", tickCount=5)),
        color=_colour(labels),
        tooltip=[
            *([alt.Tooltip("run:N")] if several else []),
            alt.Tooltip("above:Q", format=".0%"),
            alt.Tooltip("up to:Q", format=".0%"),
            alt.Tooltip("pairs:Q", format=","),
            alt.Tooltip("share:Q", format=".1%"),
        ],
    )
    return alt.layer(drawn.mark_bar(opacity=0.5 if several else 0.9)).properties(height=220)


def _colour(labels: Sequence[str]) -> Any:
    import altair as alt

    colours, _ = series_scale(list(labels))
    legend: Any = alt.Legend(orient="bottom", columns=1, title=None, labelLimit=320) if len(labels) > 1 else None
    return alt.Color("run:N", scale=colours, legend=legend)


def _names() -> Any:
    import altair as alt

    return alt.Axis(minExtent=130, maxExtent=130, labelLimit=125, labelFontSize=12, ticks=False, domain=False)
