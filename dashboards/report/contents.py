"""What a report holds of each page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.chapters import Chapter
from dashboards.counting.kept import Kept, Stamp
from dashboards.figures.page import Figure, Line, Missing, Page


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
