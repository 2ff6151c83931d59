"""A model's way back as a graph: from the questions at the top, step by step, down to the model, for each ancestor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboards.figures.numbers import n_of
from dashboards.figures.style import BLUE, GREY, INK, ORANGE, SERIES
from dashboards.findings.lineage import Descent

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

MOST = 4  # boxes beside each other: the rest is one more
ROW = 78  # pixels from one step to the next
BOX = 42  # pixels
PARENTS = -0.03  # of the width: where the lines from parent to child run
GAP = 0.01  # of the width, on either side of a box
KINDS = {"question": GREY, "answer": SERIES[5], "rating": ORANGE, "pairs": SERIES[2], "model": BLUE}


@dataclass(frozen=True)
class Box:
    """One kind of record; ``left`` and ``right`` are shares of the width, ``row`` counts from the top."""

    kind: str
    name: str
    records: str
    left: float
    right: float
    row: int

    @property
    def middle(self) -> float:
        """Where its lines begin and end."""
        return (self.left + self.right) / 2


def boxes(line: Sequence[Descent]) -> tuple[list[Box], list[tuple[Box, Box]]]:
    """The boxes of a model and its ancestors (``line``, the model first), and which lead to which."""
    every: list[Box] = []
    edges: list[tuple[Box, Box]] = []
    parent: Box | None = None
    row = 0
    for model in reversed(line):
        above: list[Box] = []
        for kind, counts in _steps(model):
            step = list(_side_by_side(kind, counts, row))
            edges += [(one, other) for one in above for other in step]
            every += step
            above, row = step, row + 1
        last = Box("model", model.label, "", 0.3, 0.7, row)
        edges += [(one, last) for one in above]
        if parent:
            edges.append((parent, last))
        every.append(last)
        parent, row = last, row + 1
    return every, edges


def _steps(model: Descent) -> Iterator[tuple[str, Mapping[str, int]]]:
    if model.pairs:
        yield "question", model.questions
        yield "answer", model.answers
        yield "rating", model.ratings
        yield "pairs", {"pairs": model.pairs}


def _side_by_side(kind: str, counts: Mapping[str, int], row: int) -> Iterator[Box]:
    some = dict(list(counts.items())[:MOST])
    rest = sum(counts.values()) - sum(some.values())
    if rest:
        some[f"{len(counts) - MOST} more"] = rest
    width = 1 / max(len(some), 2)
    start = (1 - width * len(some)) / 2
    words = "pair" if kind == "pairs" else kind
    for place, (name, count) in enumerate(some.items()):
        said = n_of(count, words)
        left = start + place * width
        name_shown = "" if kind == "pairs" else name
        yield Box(kind, name_shown, said, left + GAP, left + width - GAP, row)


def ancestry_chart(line: Sequence[Descent]) -> alt.LayerChart:
    """The graph; a box's tooltip says all of it where its name is cut."""
    import altair as alt

    found, edges = boxes(line)
    height = (max(box.row for box in found) + 1) * ROW - (ROW - BOX)
    table = _node_table(found)
    nodes = alt.Chart(table).encode(tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("records:N", title=" ")])
    kinds = alt.Scale(domain=list(KINDS), range=list(KINDS.values()))
    fill, stroke = alt.Fill("kind:N", scale=kinds, legend=None), alt.Stroke("kind:N", scale=kinds, legend=None)
    box = nodes.mark_rect(cornerRadius=6, fillOpacity=0.18, strokeWidth=1.5)
    return alt.LayerChart(
        layer=[
            _edges(edges, height),
            box.encode(
                x=_across("left"), x2="right:Q", y=_down("top", height), y2="bottom:Q", fill=fill, stroke=stroke
            ),
            *_texts(table, height),
        ],
        height=height,
    )


def _node_table(found: Sequence[Box]) -> DataFrame:
    import pandas as pd

    def row(box: Box) -> dict[str, object]:
        top = box.row * ROW
        one_line = not (box.name and box.records)
        return {
            "kind": box.kind,
            "name": box.name or box.records,
            "records": box.records if box.name else "",
            "width": round(box.right - box.left, 3),
            "left": box.left,
            "right": box.right,
            "middle": box.middle,
            "top": top,
            "bottom": top + BOX,
            "first": top + (BOX / 2 if one_line else BOX / 3),
            "second": top + BOX * 0.72,
        }

    return pd.DataFrame([row(box) for box in found])


def _edges(edges: Sequence[tuple[Box, Box]], height: float) -> alt.Chart:
    import altair as alt
    import pandas as pd

    ends = [end for one, other in edges for end in _line(one, other)]
    table = pd.DataFrame(ends, columns=["x", "y", "x2", "y2"])
    rule: alt.Chart = alt.Chart(table).mark_rule(color=INK, opacity=0.5)
    return rule.encode(x=_across("x"), y=_down("y", height), x2="x2:Q", y2="y2:Q")


def _line(one: Box, other: Box) -> Iterator[tuple[float, float, float, float]]:
    """Straight down to the next row; from a parent, round what its child was trained on."""
    if other.row - one.row == 1:
        yield one.middle, one.row * ROW + BOX, other.middle, other.row * ROW
        return
    start, end = one.row * ROW + BOX / 2, other.row * ROW + BOX / 2
    yield one.left, start, PARENTS, start
    yield PARENTS, start, PARENTS, end
    yield PARENTS, end, other.left, end


def _texts(table: DataFrame, height: float) -> Iterator[alt.Chart]:
    """Names and numbers, cut to their boxes: a layer for each width, since a layer has one limit."""
    import altair as alt

    for width, some in table.groupby("width"):
        text = alt.Chart(some).mark_text(
            color=INK, fontSize=13, fontWeight=600, limit=alt.expr(f"width * {width} / {1 - PARENTS} - 8")
        )
        for column, place in (("name", "first"), ("records", "second")):
            yield text.encode(x=_across("middle"), y=_down(place, height), text=f"{column}:N")


def _across(column: str) -> alt.X:
    import altair as alt

    return alt.X(f"{column}:Q", scale=alt.Scale(domain=[PARENTS, 1]), axis=None)


def _down(column: str, height: float) -> alt.Y:
    import altair as alt

    return alt.Y(f"{column}:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
