"""What a page is made of, whoever shows it: plain text, figures, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import altair as alt
    from pandas import DataFrame

    Chart = (
        alt.Chart
        | alt.LayerChart
        | alt.ConcatChart
        | alt.HConcatChart
        | alt.VConcatChart
        | alt.FacetChart
        | alt.RepeatChart
    )

NOTICE = "For research; no clinical advice."

Format = Literal["percent", "number", "count", "text", "link"]
Tone = Literal["better", "worse", "plain", "warning"]


@dataclass(frozen=True)
class Missing:
    """Something that is not there yet. ``what`` is a sentence; ``command`` brings it ("wardround evaluate")."""

    what: str
    command: str = ""


@dataclass(frozen=True)
class Line:
    """One plain sentence; ``tone`` colours it and gives it a sign, which says the same to who sees no colour."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Figure:
    """A chart or a table that can be taken into a paper.

    Attributes:
        name: stem of the downloaded files, unique in a page ("win_rate_by_round")
        title: a few words
        says: one plain sentence on what is to be seen; read aloud where a picture cannot be seen
        method: how it was computed and from how much; shown as a tooltip, and below it in a report
        table: all that the chart shows, its columns named for people
        chart: an Altair chart that does without the page's theme; None: the table alone
        formats: of the table's columns, where they are not plain text; a "link" is a path of the dashboard
    """

    name: str
    title: str
    says: str
    method: str
    table: DataFrame
    chart: Chart | None = None
    formats: Mapping[str, Format] = field(default_factory=dict)

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """The chart as Vega-Lite, made once. Altair's check against its schema takes a while; the tests make it."""
        return {} if self.chart is None else self.chart.to_dict(validate=False)


@dataclass(frozen=True)
class Part:
    """Figures below a common title; ``missing`` in their place where there are none."""

    title: str
    figures: tuple[Figure, ...] = ()
    lines: tuple[Line, ...] = ()
    missing: Missing | None = None


@dataclass(frozen=True)
class Page:
    """A whole page: the plain sentence first, then the rest.

    Where the page's subject is not there at all, ``missing`` says so, and ``parts`` is empty.
    """

    headline: Line | None = None
    notes: tuple[Line, ...] = ()
    parts: tuple[Part, ...] = ()
    missing: Missing | None = None
