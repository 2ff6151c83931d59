"""Rows of a chart that a phone holds too: a line of text, and below it a mark on a common axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.figures.style import INK

if TYPE_CHECKING:
    import altair as alt

ROW = 46  # pixels
UP, DOWN = -9, 8  # from a row's middle: its text, its mark


def no_difference(rows: alt.Chart, x: alt.XDatum) -> alt.Chart:
    """The line of no difference, a piece in each row below its text, which it would cross on a phone."""
    pieces: alt.Chart = rows.mark_tick(color=INK, thickness=1.5, size=20, orient="vertical", yOffset=DOWN + 2)
    return pieces.encode(x=x)
