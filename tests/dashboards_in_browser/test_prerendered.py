"""What was drawn beforehand stands on the screen until the living page does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from dashboards.figures.page import NOTICE
from dashboards.shown.escaping import WORD_JOINER
from tests.dashboards_in_browser.hostile import FORBIDDEN
from tests.dashboards_in_browser.served import Served
from tests.dashboards_in_browser.visitor import MAIN, PAGES, Visitor, visitor

DRAWN = [path for path in PAGES if path != "answers"]  # which shows one question, not the ledger
TOO_WIDE = "each => each.scrollWidth - each.clientWidth"
BACKGROUND = "each => getComputedStyle(each).backgroundColor"
PATIENCE = 20_000  # milliseconds
Opens = Callable[..., Visitor]


@pytest.fixture
def before(browser: Browser, served_small: Served) -> Iterator[Opens]:
    """Makes readers whose browsers never get the scripts of the living page."""
    made: list[Visitor] = []

    def opens(path: str = "", **how: Any) -> Visitor:
        one = visitor(browser, served_small.url, **how)
        made.append(one)
        one.page.route("**/static/js/**", lambda route: route.abort())
        one.page.clock.install()
        one.page.goto(f"{one.url}/{path}")
        return one

    yield opens
    for each in made:
        each.page.context.close()


def prerendered(reader: Visitor) -> Locator:
    return reader.page.locator("#prerendered")


@pytest.mark.parametrize("path", DRAWN)
def test_it_says_what_the_living_page_says(before: Opens, browser: Browser, served_small: Served, path: str) -> None:
    said = prerendered(before(path)).inner_text()
    assert said.splitlines()[0:1] == ["Win rates"]  # the navigation
    assert NOTICE in said
    living = visitor(browser, served_small.url)
    living.open(path)
    assert prerendered(living).count() == 0
    headline = living.page.locator(f"{MAIN} h3").first
    if headline.count():
        assert headline.inner_text().replace(WORD_JOINER, "").lstrip("▶◀▲ ") in said
    assert living.wrong() == []
    living.page.context.close()


def test_a_question_s_page_begins_empty(before: Opens) -> None:
    assert prerendered(before("answers")).count() == 0


@pytest.mark.parametrize("path", DRAWN)
def test_strangers_names_do_nothing_in_it(before: Opens, path: str) -> None:
    one = before(path)
    expect(prerendered(one)).to_be_visible()
    assert one.page.locator(FORBIDDEN).count() == 0
    assert one.dialogs == []
    assert one.strange() == []


@pytest.mark.parametrize("path", DRAWN)
def test_it_is_no_wider_than_a_phone(before: Opens, path: str) -> None:
    one = before(path, width=390, height=844, is_mobile=True, has_touch=True)
    assert prerendered(one).evaluate(TOO_WIDE) <= 0


@pytest.mark.parametrize(("scheme", "darkest", "lightest"), [("dark", 0, 60), ("light", 240, 255)])
def test_it_is_light_or_dark_as_the_reader_s_system(before: Opens, scheme: str, darkest: int, lightest: int) -> None:
    one = before(color_scheme=scheme)
    tones = [int(tone) for tone in re.findall(r"\d+", prerendered(one).evaluate(BACKGROUND))[:3]]
    assert all(darkest <= tone <= lightest for tone in tones), tones


def test_its_links_lead_to_the_other_pages(before: Opens) -> None:
    one = before()
    prerendered(one).get_by_role("link", name=PAGES["judges"]).click()
    expect(prerendered(one).locator("h1")).to_have_text(PAGES["judges"])
    assert one.page.url.endswith("/judges")


def test_it_makes_way_where_the_living_page_does_not_come(before: Opens) -> None:
    """So that what Streamlit says of a lost connection can be seen."""
    one = before()
    expect(prerendered(one)).to_be_visible()
    one.page.clock.fast_forward(PATIENCE)
    expect(prerendered(one)).to_have_count(0)
