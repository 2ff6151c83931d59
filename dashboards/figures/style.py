"""The look of all charts: colours that stay apart for everyone, on a white and on a dark page, and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

# Okabe and Ito (2008): apart for colour-blind readers. The tones keep a contrast of 3:1 to a white and to a dark page,
# and a shape, a dash or a label always says the same again.
BLUE, ORANGE, GREY = "#2f86c5", "#d55e00", "#85888f"
SERIES = (BLUE, ORANGE, "#009e73", "#b86a9c", "#a67c00", "#4a9fb5", GREY)
DASHES: Sequence[Sequence[int]] = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 4), (1, 3), (10, 4))

OUTCOMES: Mapping[str, str] = {"better": BLUE, "not shown": GREY, "worse": ORANGE, "too few": GREY}
SHAPES: Mapping[str, str] = {
    "better": "triangle-right",
    "not shown": "circle",
    "worse": "triangle-left",
    "too few": "diamond",
}
INK = GREY  # of rules and of texts inside a chart
PAPER_WIDTH = 560  # pixels, of a figure that fits a column and a half
PAPER: Mapping[str, object] = {
    "background": "white",
    "font": "Liberation Sans, Arial, sans-serif",
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "labelColor": "black", "titleColor": "black"},
    "legend": {"labelFontSize": 11, "titleFontSize": 12},
    "view": {"stroke": None, "continuousWidth": PAPER_WIDTH},
}


SCREEN: Mapping[str, object] = {  # on a white page and on a dark one
    "background": None,
    "font": "Source Sans, Liberation Sans, Arial, sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "labelColor": INK, "titleColor": INK, "domainColor": INK},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "labelColor": INK, "titleColor": INK},
    "title": {"color": INK},
    "view": {"stroke": None},
}


def scale(look: Mapping[str, str]) -> alt.Scale:
    """A colour or shape for each name."""
    import altair as alt

    return alt.Scale(domain=list(look), range=list(look.values()))


def series_scale(names: Sequence[str]) -> tuple[alt.Scale, alt.Scale]:
    """A colour and a dash for each of up to seven series; further ones begin again."""
    import altair as alt

    colours = [SERIES[place % len(SERIES)] for place in range(len(names))]
    dashes = [list(DASHES[place % len(DASHES)]) for place in range(len(names))]
    return alt.Scale(domain=list(names), range=colours), alt.Scale(domain=list(names), range=dashes)


def on_paper(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A chart, as Vega-Lite, for print: on white, its texts in black, in a size that can be read."""
    paper: dict[str, Any] = deepcopy(dict(spec))
    _blacken(paper)
    return {**paper, "config": {**paper.get("config", {}), **PAPER}}


def on_screen(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    """A chart, as Vega-Lite, for a column of so many pixels, whatever the page's colour."""
    sized = {"width": width, "autosize": {"type": "fit", "contains": "padding"}}
    return {**spec, **sized, "config": {**spec.get("config", {}), **SCREEN}}


def _blacken(part: object) -> None:
    """Texts that are grey to suit a white and a dark page."""
    if isinstance(part, dict):
        mark = part.get("mark")
        if isinstance(mark, dict) and mark.get("type") == "text" and mark.get("color") == INK:
            mark["color"] = "black"
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            _blacken(each)
