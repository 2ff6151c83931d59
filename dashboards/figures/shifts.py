"""What has become better or worse, as rows of one chart: each with its interval, and with the margin it may lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from align.gate.checks import WIN_RATE, Check
from align.probes.areas import LOWER_IS_BETTER
from dashboards.figures.style import BLUE, GREY, INK, ORANGE, SERIES, scale
from dashboards.findings.probe_changes import AxisChange

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

    from dashboards.figures.page import Chart

WITHIN = "within its margin"
COLOURS: Mapping[str, str] = {"better": BLUE, WITHIN: SERIES[2], "not shown": GREY, "worse": ORANGE}
SHAPES: Mapping[str, str] = {
    "better": "triangle-right",
    WITHIN: "square",
    "not shown": "circle",
    "worse": "triangle-left",
}
COLUMNS = (
    "figure",
    "mode",
    "since",
    "before",
    "after",
    "better by",
    "from",
    "to",
    "margin",
    "standing",
    "questions",
    "p (margin)",
    "p (worse)",
)
ROW, BELOW, LABELS = 46, 150, 170  # pixels: a row of two lines, the axis with its legend, the width of the rows' names
FEW = 10  # questions
LEAST_REACH = 0.05  # of the axis to both sides: five points
LENGTH = "length of answers"


@dataclass(frozen=True)
class Shift:
    """One figure before and after.

    Attributes:
        axis: "harm", "exam accuracy", ...
        mode: "clinical", "exam"; empty for both together
        since: what it is compared with: a model's label; empty where a page compares with one alone
        before: None for win rates, which are against the policy
        after: share, or mean number of words
        better: by how much it has become better; for lengths the share by which they shrank
        low: of its interval
        high: of its interval
        margin: by how much it may be worse; None: it is only watched
        standing: one of `COLOURS`
        n: questions
        p: against being worse by the margin or more; None without one
        p_worse: against not being worse
    """

    axis: str
    mode: str
    since: str
    before: float | None
    after: float
    better: float
    low: float
    high: float
    margin: float | None
    standing: str
    n: int
    p: float | None = None
    p_worse: float | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.axis[:1].upper()}{self.axis[1:]}" + (f", {self.mode}" if self.mode else "")

    @property
    def levels(self) -> str:
        """Before and after."""
        if self.axis == LENGTH:
            return f"{self.before or 0:.0f} → {self.after:.0f} words"
        after = share(self.after)
        return after if self.before is None else f"{share(self.before)} → {after}"


def share(value: float) -> str:
    """In per cent; a decimal where it is small."""
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def points(value: float) -> str:
    """A difference of shares."""
    return f"{share(value).removesuffix('%')} points"


def of_check(check: Check) -> Shift | None:
    """A line of a decision; None where nothing was measured."""
    if check.after is None or check.low is None or check.high is None:
        return None
    axis, _, mode = check.name.partition(", ")
    if check.unit == "share":
        better, low, high = (value - 0.5 for value in (check.after, check.low, check.high))
    else:
        sign = -1 if check.unit == "words" or axis in LOWER_IS_BETTER else 1
        ends = sorted((sign * check.low, sign * check.high))
        better, low, high = sign * (check.difference or 0.0), *ends
    margin = None if check.name == WIN_RATE or check.watched else check.margin
    standing = _standing(check, low, high, margin)
    figures = (better + 0.0, low, high, margin, standing, check.n_prompts, check.p, check.p_worse)
    return Shift(axis, mode, "", check.before, check.after, *figures)  # + 0.0: no minus before nothing


def _standing(check: Check, low: float, high: float, margin: float | None) -> str:
    """The gate's word; where that is that all is well, what the interval shows, or as good as it has to be."""
    if check.status in {"worse", "not shown"}:
        return check.status
    if margin is None:
        return _shown(low, high)
    return "better" if low > 0 else WITHIN


def _shown(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "not shown"


def of_change(found: AxisChange, since: str = "") -> Shift:
    """Figures that no decision holds: what the interval alone shows."""
    change = found.change
    sign = 1 if change.higher_is_better else -1
    low, high = sorted((sign * change.low, sign * change.high))
    levels, better = (change.before, change.after), sign * change.difference + 0.0
    standing, n = _shown(low, high), change.n_prompts
    return Shift(found.axis, found.mode, since, *levels, better, low, high, None, standing, n)


def shift_table(shifts: Sequence[Shift]) -> DataFrame:
    """A row each (`COLUMNS`); points are shares, lengths a share of what they were."""
    import pandas as pd

    rows = [
        (
            each.axis,
            each.mode or "both",
            each.since,
            each.before,
            each.after,
            each.better,
            each.low,
            each.high,
            each.margin,
            each.standing,
            each.n,
            each.p,
            each.p_worse,
        )
        for each in shifts
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    empty = [name for name in ("since", "margin", "p (margin)", "p (worse)") if _is_empty(table[name])]
    return table.drop(columns=empty)


def _is_empty(column: Any) -> bool:
    return bool((column.isna() | (column == "")).all())


def shift_chart(shifts: Sequence[Shift]) -> Chart:
    """A row each: the point and bar are the change with its interval, the thick tick the margin it may lose."""
    import altair as alt
    import pandas as pd

    names = [_two_lines(each) for each in shifts]
    table = _drawn(shifts, names)
    rows = alt.Chart(table).encode(y=_rows(names), tooltip=_tooltip(table))
    met = [name for name in COLOURS if name in set(table["standing"])]
    shape = alt.Shape("standing:N", scale=scale({name: SHAPES[name] for name in met}), legend=_legend(), title=None)
    colour = alt.Color("standing:N", scale=scale({name: COLOURS[name] for name in met}), legend=_legend(), title=None)
    nothing = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=INK, strokeDash=[6, 4])
    layers: list[Any] = [nothing.encode(x=_points("zero", shifts))]
    bar = rows.mark_rule(strokeWidth=4, opacity=0.6, clip=True)
    layers.append(bar.encode(x=_points("low", shifts), x2="high:Q", color=colour))
    if any(each.margin is not None for each in shifts):
        guarded = alt.Chart(table[table["limit"].notna()]).encode(y=_rows(names), tooltip=_tooltip(table))
        layers.append(guarded.mark_tick(color=INK, thickness=3, size=24, opacity=1).encode(x=_points("limit", shifts)))
    point = rows.mark_point(size=120, filled=True, opacity=1)
    layers.append(point.encode(x=_points("better", shifts), color=colour, shape=shape))
    return alt.layer(*layers).properties(height=ROW * len(shifts) + BELOW)


def _two_lines(each: Shift) -> str:
    mode = f"{each.mode}: " if each.mode else ""
    return f"{each.name.removesuffix(f', {each.mode}')}\n{mode}{each.levels}, n={each.n:,}"


def _drawn(shifts: Sequence[Shift], names: Sequence[str]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "name": names,
            "levels": [each.levels for each in shifts],
            "better": [each.better for each in shifts],
            "low": [each.low for each in shifts],
            "high": [each.high for each in shifts],
            "limit": [None if each.margin is None else -each.margin for each in shifts],
            "standing": [each.standing for each in shifts],
            "n": [each.n for each in shifts],
        }
    ).astype({"limit": "float64"})


def _rows(names: Sequence[str]) -> alt.Y:
    import altair as alt

    axis = alt.Axis(
        labelExpr="split(datum.label, '\\n')",
        minExtent=LABELS,
        maxExtent=LABELS,
        labelLimit=LABELS - 8,
        labelFontSize=12,
        labelLineHeight=15,
        ticks=False,
        domain=False,
    )
    return alt.Y("name:N", sort=list(names), title=None, axis=axis)


def _points(column: str, shifts: Sequence[Shift]) -> alt.X:
    import altair as alt

    told = [each for each in shifts if each.n >= FEW] or shifts  # bars of a few questions may leave the chart
    reach = max([LEAST_REACH, *(abs(end) for each in told for end in (each.low, each.high, each.margin or 0))])
    axis = alt.Axis(
        labelExpr="datum.value == 0 ? '0' : format(datum.value * 100, '+.0f')",
        tickCount=6,
        grid=False,
        labelFlush=False,
    )
    domain = alt.Scale(domain=[-reach * 1.05, reach * 1.05])
    return alt.X(f"{column}:Q", scale=domain, title="← worse · points · better →", axis=axis)


def _legend() -> alt.Legend:
    import altair as alt

    return alt.Legend(orient="bottom", columns=1, symbolSize=110, symbolOpacity=1, labelFontSize=12)


def _tooltip(table: DataFrame) -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("levels:N", title="before → after"),
        alt.Tooltip("better:Q", title="better by", format="+.1%"),
        alt.Tooltip("low:Q", title="from", format="+.1%"),
        alt.Tooltip("high:Q", title="to", format="+.1%"),
        *([alt.Tooltip("limit:Q", title="limit", format="+.1%")] if table["limit"].notna().any() else []),
        alt.Tooltip("standing:N", title="standing"),
        alt.Tooltip("n:Q", title="questions"),
    ]
