"""Tests of dashboards/prerendered/draw.py and kept.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.counting.kept import FOLDER, made_folder
from dashboards.counting.sections import SECTIONS, WIN_RATES
from dashboards.figures.page import Page
from dashboards.prerendered import draw
from dashboards.prerendered.draw import draw_pages
from dashboards.prerendered.html import as_html
from dashboards.prerendered.kept import html_file, prerendered
from ledger.errors import StageError
from ledger.store import Ledger
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import fill
from tests.dashboards.pages import counted

DRAWN = ("win_rates", "judges", "reviewing", "training", "safety", "lineage")


@pytest.fixture
def place(folder: Path) -> Path:
    return made_folder(folder / FOLDER)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_every_page_that_shows_the_ledger_is_drawn(folder: Path, place: Path, ledger: Ledger, rounds: int) -> None:
    fill(ledger, rounds=rounds)
    counted(folder, *SECTIONS)
    draw_pages(place)
    for view in DRAWN:
        assert b"Counted 20" in prerendered(place, view), view
    assert prerendered(place, "answers") == b""


def test_the_sentence_is_the_page_s(folder: Path, place: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=1)
    counted(folder, WIN_RATES)
    draw_pages(place)
    html = prerendered(place, "win_rates").decode()
    assert "Round 1 (dpo) beats SFT on" in html
    assert "data:image/svg+xml" in html


def test_only_what_has_changed_is_drawn_anew(folder: Path, place: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=1)
    counted(folder, *SECTIONS)
    draw_pages(place)
    files = {view: html_file(place, view) for view in DRAWN}
    before = {view: file.stat().st_ino for view, file in files.items()}
    draw_pages(place)
    assert {view: file.stat().st_ino for view, file in files.items()} == before
    fill(ledger, rounds=2)
    counted(folder, WIN_RATES)
    draw_pages(place)
    assert [view for view, file in files.items() if file.stat().st_ino != before[view]] == ["win_rates"]
    assert b"Round 2" in files["win_rates"].read_bytes()


def test_nothing_is_drawn_of_what_was_never_counted(place: Path, ledger: Ledger) -> None:
    draw_pages(place)
    assert list(place.iterdir()) == []
    assert prerendered(place, "win_rates") == b""


def test_what_could_not_be_counted_is_left_to_the_living_page(
    folder: Path, place: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, rounds=1)
    counted(folder, WIN_RATES)
    draw_pages(place)
    assert prerendered(place, "win_rates")

    def fails(_workspace: Workspace) -> None:
        raise StageError("no", where="here")

    monkeypatch.setitem(WIN_RATES.__dict__, "find", fails)
    fill(ledger, rounds=2)
    counted(folder, WIN_RATES)
    draw_pages(place)
    assert prerendered(place, "win_rates") == b""


def test_a_page_that_cannot_be_drawn_is_told_and_keeps_no_other_back(
    folder: Path, place: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(ledger, rounds=1)
    counted(folder, *SECTIONS)

    def cannot(view: str, page: Page, at: str) -> str:
        if view == "win_rates":
            raise ValueError("no chart")
        return as_html(view, page, at)

    monkeypatch.setattr(draw, "as_html", cannot)
    draw_pages(place)
    assert "Win rates could not be drawn beforehand" in capsys.readouterr().err
    assert prerendered(place, "win_rates") == b""
    assert prerendered(place, "judges")
