"""Win rates over the rounds: a line with its band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from align.winrate import WinRate
from dashboards.figures.style import BLUE, INK, OUTCOMES, SHAPES, scale
from dashboards.findings.known_models import KnownModel
from dashboards.findings.win_rates import outcome

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

HEIGHT = 300  # pixels
SLANT = -35  # degrees, of names that are no numbers


@dataclass(frozen=True)
class CurvePoint:
    """A model, the label of its opponent, and the win rate against it."""

    model: KnownModel
    opponent: str
    rate: WinRate


def curve_chart(points: Sequence[CurvePoint]) -> alt.LayerChart | alt.FacetChart:
    """The models from left to right in the order given; the dashed line is no difference."""
    import altair as alt
    import pandas as pd

    names = curve_names([each.model for each in points])
    y, x = _shares(points), _models(names)
    base = alt.Chart(_drawn(points, names)).encode(x=x, tooltip=_tooltip())
    half = alt.Chart(pd.DataFrame({"half": [0.5]})).mark_rule(color=INK, strokeDash=[6, 4])
    colour = alt.Color("outcome:N", scale=scale(OUTCOMES), legend=None)
    shape = alt.Shape("outcome:N", scale=scale(SHAPES), legend=None)
    layers: list[Any] = [
        half.encode(y=y("half")),
        base.mark_area(color=BLUE, opacity=0.18).encode(y=y("low"), y2="high:Q"),
        base.mark_line(color=BLUE, strokeWidth=2).encode(y=y("rate")),
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(y=y("low"), y2="high:Q", color=colour),
    ]
    if any(each.rate.n_invalid for each in points):
        tick = base.mark_tick(color=INK, thickness=2, size=14, orient="horizontal")
        layers += [tick.encode(y=y(bound)) for bound in ("worst", "best")]
    point = base.mark_point(size=120, filled=True, opacity=1)
    layers.append(point.encode(y=y("rate"), color=colour, shape=shape))
    return alt.layer(*layers).properties(height=HEIGHT)


def curve_names(models: Sequence[KnownModel]) -> list[str]:
    """Short ones: the round's number, where each model ended another round."""
    rounds = [each.round for each in models]
    if None in rounds or len(set(rounds)) < len(rounds):
        return [each.label for each in models]
    return [str(number) for number in rounds]


def _drawn(points: Sequence[CurvePoint], names: Sequence[str]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "name": names,
            "label": [each.model.label for each in points],
            "opponent": [each.opponent for each in points],
            "rate": [each.rate.win_rate for each in points],
            "low": [each.rate.low for each in points],
            "high": [each.rate.high for each in points],
            "worst": [each.rate.worst for each in points],
            "best": [each.rate.best for each in points],
            "questions": [each.rate.n_prompts for each in points],
            "contests": [each.rate.n_comparisons for each in points],
            "invalid": [each.rate.n_invalid for each in points],
            "outcome": [outcome(each.rate.low, each.rate.high, each.rate.n_prompts) for each in points],
        }
    )


def _models(names: Sequence[str]) -> alt.X:
    import altair as alt

    numbers = all(name.isdecimal() for name in names)
    axis = alt.Axis(labelAngle=0 if numbers else SLANT, labelLimit=130, labelFontSize=13, grid=False)
    return alt.X("name:O", sort=list(names), title="round" if numbers else None, axis=axis)


def _shares(points: Sequence[CurvePoint]) -> Any:
    """A y encoding of any column, on one scale for all: tenths, one half well within."""
    import altair as alt

    least = min(min(each.rate.low, each.rate.worst) for each in points)
    most = max(max(each.rate.high, each.rate.best) for each in points)
    domain = [min(floor(least * 10) / 10, 0.4), max(ceil(most * 10) / 10, 0.6)]
    axis = alt.Axis(format="%", tickMinStep=0.1, grid=False)

    def encoded(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=alt.Scale(domain=domain), title=None, axis=axis)

    return encoded


def _tooltip() -> list[Any]:
    import altair as alt

    shares = [("rate", "win rate"), ("low", "from"), ("high", "to")]
    return [
        alt.Tooltip("label:N", title=" "),
        alt.Tooltip("opponent:N", title="against"),
        *(alt.Tooltip(f"{column}:Q", title=title, format=".1%") for column, title in shares),
        *(alt.Tooltip(f"{column}:Q", title=column, format=",") for column in ("questions", "contests", "invalid")),
        alt.Tooltip("outcome:N", title="shown"),
    ]
