"""Rates as rows: a point, its interval, and the line of no difference. Names stand above the bars: a phone will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from align.winrate import WinRate
from dashboards.figures.page import Format
from dashboards.figures.rows import DOWN, ROW, UP, no_difference
from dashboards.figures.style import INK, OUTCOMES, SHAPES, scale
from dashboards.findings.win_rates import Outcome, outcome

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

BELOW = 45  # pixels, for the axis
LONGEST = 28  # characters of a name in a chart; the table has it whole

# The columns of a table, in their order, by the fields.
TITLES = {
    "rate": "win rate",
    "low": "from",
    "high": "to",
    "questions": "questions",
    "contests": "contests",
    "invalid": "invalid",
    "worst": "at worst",
    "best": "at best",
    "outcome": "shown",
}
SHARES, COUNTS = ("rate", "low", "high", "worst", "best"), ("questions", "contests", "invalid")
FORMATS: dict[str, Format] = {
    "win rate": "percent",
    "from": "percent",
    "to": "percent",
    "at worst": "percent",
    "at best": "percent",
    "questions": "count",
    "contests": "count",
    "invalid": "count",
}


@dataclass(frozen=True)
class Interval:
    """A row; None where there is nothing to be drawn or written.

    ``worst`` and ``best``: with every invalid verdict counted against the model, or for it.
    """

    name: str
    rate: float
    low: float | None
    high: float | None
    outcome: Outcome
    questions: int | None = None
    contests: int | None = None
    invalid: int | None = None
    worst: float | None = None
    best: float | None = None

    @classmethod
    def of(cls, name: str, rate: WinRate) -> Interval:
        """A win rate's."""
        return cls(
            name=name,
            rate=rate.win_rate,
            low=rate.low,
            high=rate.high,
            outcome=outcome(rate.low, rate.high, rate.n_prompts),
            questions=rate.n_prompts,
            contests=rate.n_comparisons,
            invalid=rate.n_invalid,
            worst=rate.worst,
            best=rate.best,
        )

    @property
    def text(self) -> str:
        """Name and figures, for the chart."""
        name = self.name if len(self.name) <= LONGEST else f"{self.name[: LONGEST - 1]}…"
        said = [name, f"{self.rate:.0%}"]
        if self.low is not None and self.high is not None:
            said.append(f"[{self.low * 100:.0f}, {self.high * 100:.0f}]")
        if self.questions is not None:
            said.append(f"n={self.questions:,}")
        return "\u2002".join(said)


def interval_table(rows: Sequence[Interval], first: str) -> DataFrame:
    """The rows in figures; ``first`` names the column of their names. Columns that hold nothing are left out."""
    named = {"name": first, **TITLES}
    return _fields(rows)[list(named)].rename(columns=named).dropna(axis="columns", how="all")


def interval_chart(rows: Sequence[Interval]) -> alt.LayerChart | alt.FacetChart:
    """A chart with the rows from top to bottom. Ticks are the bounds with the invalid verdicts, where there are any."""
    import altair as alt

    keys = [f"{each.text}\n{place}" for place, each in enumerate(rows)]  # texts may be the same
    base = alt.Chart(_fields(rows).assign(row=keys)).encode(y=_rows(keys), tooltip=_tooltip(rows))
    colour = alt.Color("outcome:N", scale=scale(OUTCOMES), legend=None)
    shape = alt.Shape("outcome:N", scale=scale(SHAPES), legend=None)
    # A hairline leads the eye from the name to a bar that is far away.
    whole = base.mark_rule(color=INK, opacity=0.25, yOffset=DOWN).encode(x=alt.datum(0.0), x2=alt.datum(1.0))
    layers: list[Any] = [whole, no_difference(base, alt.XDatum(0.5, **_axis()))]
    layers.append(
        base.mark_rule(strokeWidth=5, opacity=0.55, yOffset=DOWN, strokeCap="round").encode(
            x=_share("low"), x2="high:Q", color=colour
        )
    )
    if any(each.invalid for each in rows):
        tick = base.mark_tick(color=INK, thickness=2, size=12, yOffset=DOWN)
        layers += [tick.encode(x=_share(bound)) for bound in ("worst", "best")]
    point = base.mark_point(size=110, filled=True, opacity=1, yOffset=DOWN)
    layers.append(point.encode(x=_share("rate"), color=colour, shape=shape))
    return alt.layer(*layers).properties(height=ROW * len(rows) + BELOW)


def _fields(rows: Sequence[Interval]) -> DataFrame:
    """A column for each field."""
    import pandas as pd

    table = pd.DataFrame([asdict(each) for each in rows], columns=[each.name for each in fields(Interval)])
    return table.astype({**dict.fromkeys(SHARES, "float64"), **dict.fromkeys(COUNTS, "Int64")})


def _rows(order: list[str]) -> alt.Y:
    import altair as alt

    axis = alt.Axis(
        labelExpr="slice(datum.label, 0, lastindexof(datum.label, '\\n'))",
        labelAlign="left",
        labelBaseline="middle",
        labelPadding=0,
        labelOffset=UP,
        labelFontSize=13,
        labelLimit=0,
        minExtent=0,
        maxExtent=0,
        ticks=False,
        domain=False,
        grid=False,
    )
    return alt.Y("row:N", sort=order, title=None, axis=axis)


def _share(column: str) -> alt.X:
    import altair as alt

    return alt.X(f"{column}:Q", **_axis())


def _axis() -> dict[str, Any]:
    """From nothing to all, for every layer."""
    import altair as alt

    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=True, grid=False, ticks=True)
    return {"scale": alt.Scale(domain=[0, 1]), "title": None, "axis": axis}


def _tooltip(rows: Sequence[Interval]) -> list[Any]:
    import altair as alt

    counts = [name for name in COUNTS if any(getattr(each, name) for each in rows)]
    return [
        alt.Tooltip("name:N", title=" "),
        *(alt.Tooltip(f"{column}:Q", title=TITLES[column], format=".1%") for column in ("rate", "low", "high")),
        *(alt.Tooltip(f"{column}:Q", title=column, format=",") for column in counts),
        alt.Tooltip("outcome:N", title=TITLES["outcome"]),
    ]
