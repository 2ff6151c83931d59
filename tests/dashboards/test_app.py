"""Tests of the dashboard's frame, as Streamlit runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.figures.page import NOTICE
from dashboards.navigation import PAGES
from ledger.store import Ledger
from tests.dashboards.made_ledger import Made
from tests.dashboards.pages import shown, texts


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_it_is_for_research(folder: Path, made: Made, page: str) -> None:
    assert NOTICE in texts(shown(page), "caption")


def test_without_a_ledger_a_page_says_that_it_waits(folder: Path) -> None:
    (folder / "wardround.toml").write_text('[ledger]\nurl = "sqlite:///nowhere.db"\n')
    assert "fills by itself" in shown().info[0].value


def test_what_could_not_be_counted_is_one_line(folder: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards.counting.sections import WIN_RATES
    from ledger.errors import StageError
    from ledger.workspace import Workspace
    from tests.dashboards.pages import counted

    def fails(_workspace: Workspace) -> None:
        raise StageError("*it* broke", where="here", advice="mend it")

    monkeypatch.setitem(WIN_RATES.__dict__, "find", fails)
    counted(folder, WIN_RATES)
    (error,) = shown().error
    assert "it" in error.value
    assert "*it*" not in error.value.replace("\\*", "")
