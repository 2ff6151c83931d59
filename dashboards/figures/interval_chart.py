"""Rates as rows: a point, its interval, and the line of no difference. Names stand above the bars: a phone will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from align.winrate import WinRate
from dashboards.figures.page import Format
from dashboards.figures.style import INK, OUTCOMES, SHAPES, scale
from dashboards.findings.win_rates import Outcome, outcome

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

ROW = 46  # pixels
BELOW = 45  # for the axis
LONGEST = 28  # characters of a name in a chart; the table has it whole
UP, DOWN = -9, 8  # pixels from a row's middle: its name, its bar

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
    import pandas as pd

    table = pd.DataFrame(
        {
            first: [each.name for each in rows],
            "win rate": [each.rate for each in rows],
            "from": [each.low for each in rows],
            "to": [each.high for each in rows],
            "questions": pd.array([each.questions for each in rows], dtype="Int64"),
            "contests": pd.array([each.contests for each in rows], dtype="Int64"),
            "invalid": pd.array([each.invalid for each in rows], dtype="Int64"),
            "at worst": [each.worst for each in rows],
            "at best": [each.best for each in rows],
            "shown": [each.outcome for each in rows],
        }
    )
    return table.dropna(axis="columns", how="all")


def interval_chart(rows: Sequence[Interval]) -> alt.LayerChart | alt.FacetChart:
    """A chart with the rows from top to bottom. Ticks are the bounds with the invalid verdicts, where there are any."""
    import altair as alt

    base = alt.Chart(_drawn(rows)).encode(y=_rows([each.text for each in rows]), tooltip=_tooltip(rows))
    colour = alt.Color("outcome:N", scale=scale(OUTCOMES), legend=None)
    shape = alt.Shape("outcome:N", scale=scale(SHAPES), legend=None)
    # A hairline leads the eye from the name to a bar that is far away.
    whole = base.mark_rule(color=INK, opacity=0.25, yOffset=DOWN).encode(x=alt.datum(0.0), x2=alt.datum(1.0))
    layers: list[Any] = [whole, _half()]
    layers.append(
        base.mark_rule(strokeWidth=5, opacity=0.55, yOffset=DOWN, strokeCap="round").encode(
            x=_share("low"), x2="high:Q", color=colour
        )
    )
    if any(each.invalid for each in rows):
        tick = base.mark_tick(color=INK, thickness=2, size=16, yOffset=DOWN)
        layers += [tick.encode(x=_share(bound)) for bound in ("worst", "best")]
    point = base.mark_point(size=110, filled=True, opacity=1, yOffset=DOWN)
    layers.append(point.encode(x=_share("rate"), color=colour, shape=shape))
    return alt.layer(*layers).properties(height=ROW * len(rows) + BELOW)


def _drawn(rows: Sequence[Interval]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "row": [each.text for each in rows],
            "name": [each.name for each in rows],
            "rate": [each.rate for each in rows],
            "low": pd.array([each.low for each in rows], dtype="Float64"),
            "high": pd.array([each.high for each in rows], dtype="Float64"),
            "worst": pd.array([each.worst for each in rows], dtype="Float64"),
            "best": pd.array([each.best for each in rows], dtype="Float64"),
            "questions": pd.array([each.questions for each in rows], dtype="Int64"),
            "contests": pd.array([each.contests for each in rows], dtype="Int64"),
            "invalid": pd.array([each.invalid for each in rows], dtype="Int64"),
            "outcome": [each.outcome for each in rows],
        }
    )


def _rows(order: list[str]) -> alt.Y:
    import altair as alt

    axis = alt.Axis(
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


def _half() -> alt.Chart:
    import altair as alt
    import pandas as pd

    rule: alt.Chart = alt.Chart(pd.DataFrame({"half": [0.5]})).mark_rule(color=INK, strokeDash=[6, 4])
    return rule.encode(x=_share("half"))


def _share(column: str) -> alt.X:
    import altair as alt

    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=True, grid=False, ticks=True)
    return alt.X(f"{column}:Q", scale=alt.Scale(domain=[0, 1]), title=None, axis=axis)


def _tooltip(rows: Sequence[Interval]) -> list[Any]:
    import altair as alt

    shares = [("rate", "win rate"), ("low", "from"), ("high", "to")]
    counts = [name for name in ("questions", "contests", "invalid") if any(getattr(each, name) for each in rows)]
    return [
        alt.Tooltip("name:N", title=" "),
        *(alt.Tooltip(f"{column}:Q", title=title, format=".1%") for column, title in shares),
        *(alt.Tooltip(f"{column}:Q", title=column, format=",") for column in counts),
        alt.Tooltip("outcome:N", title="shown"),
    ]
