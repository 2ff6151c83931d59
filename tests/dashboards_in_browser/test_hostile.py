"""What strangers wrote is shown as text: it runs nothing, fetches nothing, leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.dashboards_in_browser.hostile import ANSWER, FORBIDDEN, hostile_prompt
from tests.dashboards_in_browser.served import Served
from tests.dashboards_in_browser.visitor import MAIN, PAGES, Visitor, visitor


@pytest.fixture
def reader(browser: Browser, served_small: Served) -> Iterator[Visitor]:
    one = visitor(browser, served_small.url)
    yield one
    one.page.context.close()


def check_harmless(reader: Visitor) -> None:
    assert reader.page.locator(FORBIDDEN).count() == 0
    assert reader.dialogs == []
    assert reader.strange() == []
    assert reader.page.evaluate("() => getComputedStyle(document.body).display") != "none"


def test_a_hostile_answer_is_shown_as_it_was_written(reader: Visitor) -> None:
    reader.open("answers", f"prompt={hostile_prompt().id}")
    said = reader.page.locator(MAIN).inner_text()
    for line in ANSWER.splitlines():
        assert line in said, line
    check_harmless(reader)
    assert reader.wrong() == []


@pytest.mark.parametrize("path", list(PAGES))
def test_hostile_names_do_nothing_on_any_page(reader: Visitor, path: str) -> None:
    reader.open(path)
    check_harmless(reader)
    for _ in reader.choosing():
        reader.drawn(path)
        check_harmless(reader)
    assert reader.wrong() == []


def test_a_hostile_address_does_nothing(reader: Visitor) -> None:
    reader.open("answers", "prompt=%3Cscript%3Ealert(1)%3C%2Fscript%3E&mode=%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E")
    check_harmless(reader)
    assert reader.errors == []
