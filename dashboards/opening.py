"""Pages as they open, built before anybody asks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dashboards import reading
from dashboards.counting.section import Section
from dashboards.counting.sections import JUDGES, PROMPTS, SAFETY, SECTIONS, TRAINING, TRAINING_DATA, WIN_RATES
from dashboards.figures.judges import judges_page
from dashboards.figures.safety import safety_page
from dashboards.figures.training import first_runs, training_page
from dashboards.figures.win_rate_choice import first_choice
from dashboards.figures.win_rates import missing_before, win_rates_page
from dashboards.shown.built import built, drawn
from dashboards.shown.prompt_search import columns


def open_first() -> None:
    """The first page."""
    found = _found(WIN_RATES)
    if found is not None and not missing_before(found):
        _open(win_rates_page, (WIN_RATES,), *first_choice(found))


def open_others() -> None:
    """The others that take a while to draw; and all findings are read."""
    for section in SECTIONS:
        reading.kept(section)
    index, judges, trained = _found(PROMPTS), _found(JUDGES), _found(TRAINING)
    if index is not None:
        columns(index)
    if judges is not None:
        _open(judges_page, (JUDGES,), judges.judges[0].name if len(judges.judges) > 1 else None)
    if trained is not None:
        _open(training_page, (TRAINING, TRAINING_DATA), first_runs(trained))
    if _found(SAFETY) is not None:
        _open(safety_page, (SAFETY,), None)


def _found(section: Section[Any]) -> Any:
    kept = reading.kept(section)
    return kept.findings if kept else None


def _open(build: Any, sections: tuple[Section[Any], ...], *choice: Hashable) -> None:
    drawn(built(build, sections, *choice))
