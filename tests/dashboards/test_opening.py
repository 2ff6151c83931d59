"""Tests of dashboards/opening.py and dashboards/shown/built.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.counting.sections import SECTIONS, WIN_RATES
from dashboards.figures.page import Line, Page
from dashboards.opening import open_first, open_others
from dashboards.shown import built as builder
from dashboards.shown.built import KEPT, built
from ledger.store import Ledger
from tests.dashboards.made_ledger import fill
from tests.dashboards.pages import counted, shown


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_pages_open_as_they_were_built_beforehand(folder: Path, ledger: Ledger, rounds: int) -> None:
    fill(ledger, rounds=rounds)
    counted(folder, *SECTIONS)
    open_first()
    open_others()
    before = set(builder._PAGES)
    for page in ("", "judges", "training", "safety"):
        shown(page)
    assert set(builder._PAGES) == before


def test_nothing_is_built_of_what_was_never_counted(folder: Path, ledger: Ledger) -> None:
    before = set(builder._PAGES)
    open_first()
    open_others()
    assert set(builder._PAGES) == before


def test_a_page_is_built_once_for_a_choice_and_anew_when_its_findings_change(folder: Path, ledger: Ledger) -> None:
    asked: list[object] = []

    def build(found: object, choice: str) -> Page:
        asked.append(found)
        return Page(headline=Line(choice))

    assert built(build, (WIN_RATES,), "a").headline == Line("a")
    built(build, (WIN_RATES,), "a")
    assert asked == [None]
    built(build, (WIN_RATES,), "b")
    assert len(asked) == 2
    counted(folder, WIN_RATES)
    built(build, (WIN_RATES,), "a")
    assert len(asked) == 3
    assert asked[-1] is not None


def test_only_so_many_pages_are_kept(folder: Path, ledger: Ledger) -> None:
    for number in range(KEPT + 5):
        built(lambda found, choice: Page(), (WIN_RATES,), number)
    assert len(builder._PAGES) == KEPT
