"""What a report holds: the pages, as they open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.counting.kept import Kept, Stamp
from dashboards.counting.section import Section
from dashboards.counting.sections import JUDGES, LINEAGE, REVIEW, SAFETY, TRAINING, TRAINING_DATA, WIN_RATES
from dashboards.figures.judges import judges_page
from dashboards.figures.lineage import lineage_page
from dashboards.figures.page import Figure, Line, Missing, Page
from dashboards.figures.reviewing import reviewing_page
from dashboards.figures.safety import safety_page
from dashboards.figures.training import training_page
from dashboards.figures.win_rates import win_rates_page


@dataclass(frozen=True)
class Chapter:
    """A page of the dashboard as a chapter of the report."""

    name: str  # stem of its files
    title: str
    sections: tuple[Section[Any], ...]  # what the page cannot do without comes first
    page: Callable[..., Page]  # takes the findings of each


@dataclass(frozen=True)
class Written:
    """A chapter with what is to be written of it."""

    chapter: Chapter
    page: Page
    stamp: Stamp

    def file_stem(self, figure: Figure) -> str:
        """Of the figure's files, unique in the report."""
        return f"{self.chapter.name}-{figure.name}"

    @property
    def figures(self) -> list[Figure]:
        """Of all parts."""
        return [figure for part in self.page.parts for figure in part.figures]


CHAPTERS = (
    Chapter("win_rates", "Win rates", (WIN_RATES,), win_rates_page),
    Chapter("judges", "Judge", (JUDGES,), judges_page),
    Chapter("review", "Review", (REVIEW,), reviewing_page),
    Chapter("training", "Training", (TRAINING, TRAINING_DATA), training_page),
    Chapter("safety", "Safety and regressions", (SAFETY,), safety_page),
    Chapter("lineage", "Lineage", (LINEAGE,), lineage_page),
)


def written(chapter: Chapter, kept: Sequence[Kept[Any]]) -> Written:
    """The chapter as its page opens; what could not be counted says why."""
    stamp = kept[0].stamp
    if kept[0].findings is None:
        return Written(chapter, Page(missing=Missing(f"This could not be counted: {stamp.problem}")), stamp)
    return Written(chapter, chapter.page(*(each.findings for each in kept)), stamp)


def sentences(page: Page) -> list[Line]:
    """What stands at the head of a chapter."""
    missing = [Line(page.missing.what)] if page.missing else []
    return [*([page.headline] if page.headline else []), *page.notes, *missing]
