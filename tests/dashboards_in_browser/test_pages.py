"""Every page, as a reader meets it: wide, on a phone, in the dark, by keyboard, by a link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.dashboards_in_browser.served import Served
from tests.dashboards_in_browser.visitor import MAIN, PAGES, Visitor, visitor

PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
TOO_WIDE = "() => document.scrollingElement.scrollWidth - window.innerWidth"
BACKGROUND = "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
Opens = Callable[..., Visitor]


@pytest.fixture
def reader(browser: Browser, served_small: Served) -> Iterator[Opens]:
    """Makes readers of the small workspace."""
    made: list[Visitor] = []

    def opens(**how: Any) -> Visitor:
        made.append(visitor(browser, served_small.url, **how))
        return made[-1]

    yield opens
    for each in made:
        each.page.context.close()


def walk(reader: Visitor) -> None:
    """Open the first page, then click all others."""
    reader.open()
    for path in [*PAGES, ""]:
        reader.click(path)
        assert reader.wrong() == [], path


def test_every_page_opens_by_a_click_without_an_error(reader: Opens) -> None:
    walk(reader())


def test_every_page_opens_by_its_address_and_after_a_reload(reader: Opens) -> None:
    for path in PAGES:
        one = reader()
        one.open(path)
        one.page.reload(wait_until="commit")
        one.drawn(path)
        assert one.wrong() == [], path


@pytest.mark.slow
def test_every_page_opens_on_the_demo(browser: Browser, served_demo: Served) -> None:
    one = visitor(browser, served_demo.url)
    walk(one)
    one.page.context.close()


@pytest.mark.slow
def test_every_page_opens_on_a_million_comparisons(browser: Browser, served_large: Served) -> None:
    one = visitor(browser, served_large.url)
    walk(one)
    one.page.context.close()


def test_no_page_is_wider_than_a_phone(reader: Opens) -> None:
    one = reader(**PHONE)
    for path in PAGES:
        one.open(path)
        assert one.page.evaluate(TOO_WIDE) <= 0, path
        assert one.wrong() == [], path


def test_the_pages_can_be_gone_through_on_a_phone(reader: Opens) -> None:
    one = reader(**PHONE)
    one.open()
    one.click("training")
    assert one.wrong() == []


def test_no_page_is_wider_than_a_small_screen(reader: Opens) -> None:
    one = reader(width=1280, height=720)
    for path in PAGES:
        one.open(path)
        assert one.page.evaluate(TOO_WIDE) <= 0, path


@pytest.mark.parametrize(("scheme", "darkest", "lightest"), [("dark", 0, 60), ("light", 240, 255)])
def test_light_and_dark_follow_the_reader_s_system(reader: Opens, scheme: str, darkest: int, lightest: int) -> None:
    one = reader(color_scheme=scheme)
    one.open()
    tones = [int(tone) for tone in re.findall(r"\d+", one.page.evaluate(BACKGROUND))[:3]]
    assert all(darkest <= tone <= lightest for tone in tones), tones
    assert one.wrong() == []


def test_the_navigation_and_the_first_choice_are_reached_by_the_keyboard(reader: Opens) -> None:
    one = reader()
    one.open()
    seen = []
    for _ in range(30):
        one.page.keyboard.press("Tab")
        seen.append(str(one.page.evaluate("() => document.activeElement.innerText.trim()")))
        if seen[-1].endswith(PAGES["judges"]):
            break
    assert seen[-1].endswith(PAGES["judges"]), seen
    one.page.keyboard.press("Enter")
    one.drawn("judges")
    assert one.page.url.endswith("/judges")
    for _ in range(60):
        one.page.keyboard.press("Tab")
        if one.page.locator(f"{MAIN} :focus").count():
            return
    pytest.fail("the page's own parts are not reached")


def test_back_and_forward_go_through_the_pages(reader: Opens) -> None:
    one = reader()
    one.open()
    one.click("answers")
    one.click("safety")
    for path in ("answers", ""):
        one.page.go_back()
        one.drawn(path)
    one.page.go_forward()
    one.drawn("answers")
    assert one.wrong() == []


@pytest.mark.parametrize("path", list(PAGES))
def test_every_choice_of_a_page_can_be_made(reader: Opens, path: str) -> None:
    one = reader()
    one.open(path)
    for place in one.choosing():
        one.drawn(path)
        assert one.wrong() == [], f"{path}: choice {place}"
