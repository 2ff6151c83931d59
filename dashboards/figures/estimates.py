"""Rates with their intervals, one below the other or over time, as tables and charts that a phone holds too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from annotate.bootstrap import Estimate
from dashboards.figures.rows import DOWN, ROW, UP, no_difference
from dashboards.figures.style import BLUE, INK, series_scale

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart, Format

TALL = 210  # of a chart over time
FORMATS: dict[str, Format] = {
    "rate": "percent",
    "from": "percent",
    "to": "percent",
    "of": "count",
    "prompts": "count",
}
SHARES = dict.fromkeys(("rate", "from", "to"), "float64")


class Row(NamedTuple):
    """One rate."""

    what: str
    rate: Estimate


class At(NamedTuple):
    """One rate at one time, of one of several series."""

    when: str  # sorts as the time does
    series: str
    rate: Estimate


def percent(share: float) -> str:
    """As it is read aloud: a tenth of a percent where it is small."""
    return f"{share:.1%}" if 0 < abs(share) < 0.095 else f"{share:.0%}"


def interval(rate: Estimate, confidence: float = 0.95) -> str:
    """The interval in words, in percent."""
    if rate.low is None or rate.high is None:
        return "too few for an interval"
    digits = 1 if rate.high - rate.low < 0.02 else 0
    low, high = (f"{100 * edge:.{digits}f}".replace("-0.0", "0.0") for edge in (rate.low, rate.high))
    return f"{confidence:.0%} interval {low} to {high}"


def estimates_table(rows: Sequence[Row]) -> DataFrame:
    """A row each; those without a value have none."""
    import pandas as pd

    table = pd.DataFrame([_cells(row.what, row.rate) for row in rows], columns=["what", *FORMATS])
    return table.astype(SHARES)


def estimates_chart(
    table: DataFrame, *, middle: float | None = None, signed: bool = False, close: bool = False
) -> Chart:
    """Each rate below its name.

    Args:
        table: of `estimates_table`.
        middle: where a line stands, which says "no difference".
        signed: the rates lie about 0, and not between 0 and 1.
        close: the axis ends with the highest rate, not at 1.
    """
    import altair as alt

    shown = table[table["rate"].notna()].copy()
    shown["figures"] = [_figures(row, signed=signed) for row in shown.to_dict("records")]
    edges = _about_zero(shown) if signed else [0.0, _top(shown, None) if close else 1.0]
    axis = alt.Axis(format="+.0%" if signed else ".0%", tickCount=5, grid=False, title=None, labelFlush=True)
    scale = alt.Scale(domain=edges, nice=False)
    y = alt.Y("what:N", sort=list(shown["what"]), axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    rows = alt.Chart(shown).encode(y=y, tooltip=tooltips(["what"], shown, signed=signed))
    layers: list[Any] = [
        rows.mark_rule(strokeWidth=5, opacity=0.45, color=BLUE, yOffset=DOWN).encode(
            x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q"
        ),
        rows.mark_point(size=90, filled=True, opacity=1, color=BLUE, yOffset=DOWN).encode(
            x=alt.X("rate:Q", scale=scale, axis=axis)
        ),
        rows.mark_text(align="left", baseline="middle", color=INK, fontSize=13, dy=UP).encode(
            x=alt.value(0), text="figures:N"
        ),
    ]
    if middle is not None:
        layers.insert(0, no_difference(rows, alt.XDatum(middle, scale=scale, axis=axis)))
    return alt.layer(*layers).properties(height=ROW * max(1, len(shown)) + 4)


def over_time_table(points: Sequence[At], series: str) -> DataFrame:
    """A row each, those without a value left out; ``series`` names the column that tells the series apart."""
    import pandas as pd

    said = [
        {"when": at.when, series: at.series, **_cells("", at.rate)} for at in points if at.rate.estimate is not None
    ]
    return pd.DataFrame(said, columns=["when", series, *FORMATS]).astype(SHARES)


def over_time_chart(table: DataFrame, series: str, *, limit: float | None = None, signed: bool = False) -> Chart:
    """A line for each series, with each point's interval; ``limit`` is drawn as a dashed line."""
    import altair as alt
    import pandas as pd

    names = list(dict.fromkeys(table[series]))
    colours, dashes = series_scale(names)
    years = {when[:4] for when in table["when"]}
    label = "slice(datum.value, 5)" if len(years) == 1 and len(str(table["when"].iloc[0])) > 7 else "datum.value"
    x_axis = alt.Axis(labelAngle=0, labelFlush=False, labelExpr=label, title=None, labelOverlap="greedy")
    x = alt.X("when:O", axis=x_axis, sort=sorted(set(table["when"])))
    scale = alt.Scale(domain=_about_zero(table) if signed else [0, _top(table, limit)], nice=True)
    y_axis = alt.Axis(format="+.0%" if signed else ".0%", tickCount=4, title=None)
    legend = alt.Legend(orient="top", title=None, labelLimit=300) if len(names) > 1 else None
    colour = alt.Color(f"{series}:N", scale=colours, legend=legend)
    dash = alt.StrokeDash("dash:N", scale=dashes, legend=None)  # of another name, or the legends would be one
    shape = alt.Shape(f"{series}:N", legend=legend, scale=alt.Scale(domain=names))
    drawn = alt.Chart(table.assign(dash=table[series])).encode(
        x=x, color=colour, tooltip=tooltips(["when", series], table, signed=signed)
    )
    y, low = (alt.Y(f"{name}:Q", scale=scale, axis=y_axis) for name in ("rate", "from"))
    layers: list[Any] = [  # the points come first, since a legend looks like the first layer
        drawn.mark_point(size=80, filled=True, opacity=1).encode(y=y, shape=shape),
        drawn.mark_line(strokeWidth=2).encode(y=y, strokeDash=dash),
        drawn.mark_rule(strokeWidth=4, opacity=0.45).encode(y=low, y2="to:Q"),
    ]
    rules = [0.0] if signed else [] if limit is None else [limit]
    if rules:
        rule = alt.Chart(pd.DataFrame({"limit": rules})).mark_rule(color=INK, strokeDash=[6, 4])
        layers.append(rule.encode(y=alt.Y("limit:Q", scale=scale, axis=y_axis)))
    return alt.layer(*layers).properties(height=TALL)


def tooltips(names: Sequence[str], table: DataFrame, *, signed: bool = False) -> list[Any]:
    """What a pointer on a mark says: its name, the rate, the interval and n."""
    import altair as alt

    shown = "+.1%" if signed else ".1%"
    return [
        *(alt.Tooltip(f"{name}:N") for name in names),
        *(alt.Tooltip(f"{name}:Q", format=shown) for name in ("rate", "from", "to")),
        alt.Tooltip("of:Q", title="n", format=","),
        *([alt.Tooltip("prompts:Q", title="questions", format=",")] if "prompts" in table else []),
    ]


def _cells(what: str, rate: Estimate) -> dict[str, Any]:
    return {
        "what": what,
        "rate": rate.estimate,
        "from": rate.low,
        "to": rate.high,
        "of": rate.n_items,
        "prompts": rate.n_prompts,
    }


def _figures(row: dict[Any, Any], *, signed: bool) -> str:
    import pandas as pd

    rate, low, high = row["rate"], row["from"], row["to"]
    shown = f"{100 * rate:+.1f} points" if signed else percent(rate)
    digits = 1 if signed or rate < 0.095 else 0
    edges = "" if pd.isna(low) else f" [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
    return f"{row['what']}: {shown}{edges}, n = {row['of']:,}"


def _about_zero(table: DataFrame) -> list[float]:
    """As far to the left as to the right."""
    widest = max(
        (float(table[name].abs().max()) for name in ("rate", "from", "to") if table[name].notna().any()), default=0
    )
    edge = max(0.05, 1.1 * widest)
    return [-edge, edge]


def _top(table: DataFrame, limit: float | None) -> float:
    highest = max((float(table[name].max()) for name in ("rate", "to") if table[name].notna().any()), default=0)
    return min(1.0, max(0.05, 1.15 * highest, 1.15 * (limit or 0)))
