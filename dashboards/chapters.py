"""The pages as they open, without anybody's choice: the chapters of a report, and what is drawn beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboards.counting.section import Section
from dashboards.counting.sections import JUDGES, LINEAGE, REVIEW, SAFETY, TRAINING, TRAINING_DATA, WIN_RATES
from dashboards.figures.judges import judges_page
from dashboards.figures.lineage import lineage_page
from dashboards.figures.page import Page
from dashboards.figures.reviewing import reviewing_page
from dashboards.figures.safety import safety_page
from dashboards.figures.training import training_page
from dashboards.figures.win_rates import win_rates_page
from dashboards.navigation import PAGES


@dataclass(frozen=True)
class Chapter:
    """A page that shows findings of the whole ledger."""

    name: str  # of its view, and stem of its files
    sections: tuple[Section[Any], ...]  # what the page cannot do without comes first
    page: Callable[..., Page]  # takes the findings of each, None where there are none

    @property
    def title(self) -> str:
        """As the navigation has it."""
        return PAGES[self.name][0]


CHAPTERS = (
    Chapter("win_rates", (WIN_RATES,), win_rates_page),
    Chapter("judges", (JUDGES,), judges_page),
    Chapter("reviewing", (REVIEW,), reviewing_page),
    Chapter("training", (TRAINING, TRAINING_DATA), training_page),
    Chapter("safety", (SAFETY,), safety_page),
    Chapter("lineage", (LINEAGE,), lineage_page),
)
