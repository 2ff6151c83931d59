"""The ledger grows while a page is open, and the page follows by itself; a link leads to where it was copied from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.dashboard_world import make_world
from dashboards.counting.sections import SECTIONS
from ledger.records import Message, Prompt
from ledger.tables import prompts
from ledger.workspace import open_workspace
from tests.dashboards.pages import counted
from tests.dashboards_in_browser.served import Served, served
from tests.dashboards_in_browser.visitor import MAIN, visitor

RENEWED = 60_000  # milliseconds: it is counted every few seconds, and asked for every few
COUNTED = "Counted "  # how the line begins that says how old the figures are


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    root = tmp_path / "world"
    make_world(root, comparisons=1_000, rounds=2)
    counted(root, *SECTIONS)
    return root


@pytest.mark.slow
def test_an_open_page_follows_the_ledger(browser: Browser, growing: Path) -> None:
    with served(growing) as dashboard:
        one = visitor(browser, dashboard.url)
        one.open()
        before = one.page.locator(MAIN).get_by_text(COUNTED).first.inner_text()
        with open_workspace(growing, create=False) as workspace:
            workspace.ledger.append([Prompt((Message("user", "A new question?"),), split="eval")])
        moment = before.split(" UTC")[0]
        expect(one.page.locator(MAIN).get_by_text(moment)).to_have_count(0, timeout=RENEWED)
        one.drawn("")
        assert one.wrong() == []
        one.page.context.close()


@pytest.mark.slow
def test_a_dashboard_that_never_counted_fills_by_itself(browser: Browser, growing: Path) -> None:
    shutil.rmtree(growing / "cache")
    with served(growing) as dashboard:
        one = visitor(browser, dashboard.url)
        one.open()
        expect(one.page.locator(f"{MAIN} h3").first).to_be_visible(timeout=RENEWED)
        assert one.wrong() == []
        one.page.context.close()


def test_a_link_to_a_question_opens_it_before_and_after_a_reload(
    browser: Browser, served_small: Served, small: Path
) -> None:
    with open_workspace(small, create=False) as workspace:
        prompt = next(workspace.ledger.read(Prompt, prompts.c.split == "eval", prompts.c.kind == "open"))
    one = visitor(browser, served_small.url)
    for _ in range(2):
        one.open("answers", f"prompt={prompt.id}")
        assert prompt.question in one.page.locator(MAIN).inner_text()
        assert prompt.id in one.page.url
        one.page.reload(wait_until="commit")
        one.drawn("answers")
        assert prompt.question in one.page.locator(MAIN).inner_text()
    one.click("judges")
    one.page.go_back()
    one.drawn("answers")
    assert prompt.question in one.page.locator(MAIN).inner_text()
    assert one.wrong() == []
    one.page.context.close()
