"""A surgeon at the web page, in headless Chromium, by keyboard; and all that the browser saw meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, Response, Route, expect

from tests.review_server.ward import Ward

PATIENCE = 30_000  # milliseconds
HERE = "127.0.0.1"
CASE = re.compile(r"Case (\d+):")
FIRST_KEY = "#preference_a_much_better"  # has the focus when a record is on the page


@dataclass(frozen=True)
class Rated:
    """What a surgeon saw and said."""

    case: int
    shown_a: str
    shown_b: str
    key: int
    harm: str = ""  # of "A" and "B"
    corrected: str = ""
    comment: str = ""


@dataclass
class Desk:
    """One surgeon's browser."""

    page: Page
    requested: list[str] = field(default_factory=list)  # addresses
    given: list[str] = field(default_factory=list)  # what the server's API answered, with its address
    _unread: list[Response] = field(default_factory=list)

    def log_in(self, ward: Ward, login: str) -> None:
        self.page.goto(ward.url)
        fields = self.page.locator("input")
        fields.nth(0).fill(login)
        fields.nth(1).fill(ward.passwords[login])
        self.page.keyboard.press("Enter")

    def open(self, dataset: str) -> None:
        self.page.get_by_text(dataset).first.click()
        self._wait_for_a_record()
        self.hear()

    def rate(self, key: int, harm: str = "", corrected: str = "", comment: str = "") -> Rated:
        """Rate the record on the page with nothing but the keyboard."""
        self._wait_for_a_record()
        seen = Rated(self.case, self._text("Answer A"), self._text("Answer B"), key, harm, corrected, comment)
        keys = self.page.keyboard
        keys.press(str(key))
        expect(self.page.locator("#harm_A")).to_be_focused()
        for side in harm:
            keys.press({"A": "1", "B": "2"}[side])
        for text in (corrected, comment) if corrected or comment else ():
            keys.press("ArrowDown")
            if text:
                keys.press("Shift+Enter")
                keys.type(text)
                keys.press("Escape")
        self._submit()
        self.page.wait_for_function("number => !document.body.innerText.includes(`Case ${number}:`)", arg=seen.case)
        return seen

    def rate_again(self, key: int) -> Rated:
        """Change the preference of the record on the page."""
        self._wait_for_a_record()
        seen = Rated(self.case, self._text("Answer A"), self._text("Answer B"), key)
        self.page.keyboard.press(str(key))
        self._submit()
        return seen

    def look_at_submitted(self) -> None:
        """Go to what was submitted before."""
        self.page.get_by_text("Pending").first.click()
        with self.page.expect_response(lambda each: "records/search" in each.url):
            self.page.get_by_text("Submitted").first.click()
        self.page.wait_for_url("**status=submitted**")
        self._wait_for_a_record()

    @property
    def case(self) -> int:
        """The number of the question on the page."""
        found = CASE.search(self.page.get_by_text(CASE).first.inner_text())
        assert found
        return int(found[1])

    def hear(self) -> None:
        """Keep what the API answered since the last time."""
        unread, self._unread = self._unread, []
        self.given += [f"{each.url} {each.text()}" for each in unread]

    def _text(self, title: str) -> str:
        """What stands under a title, as it is seen."""
        titled = self.page.locator(".text_field_component").filter(has=self.page.get_by_text(title, exact=True))
        return titled.locator(".markdown-render").inner_text().strip()

    def _submit(self) -> None:
        with self.page.expect_response(_takes_an_answer) as told:
            self.page.keyboard.press("Enter")
        assert told.value.ok
        self.hear()

    def _wait_for_a_record(self) -> None:
        expect(self.page.locator(FIRST_KEY)).to_be_focused(timeout=PATIENCE)

    def allow(self, route: Route) -> None:
        """Let nothing through but to this machine."""
        self.requested.append(route.request.url)
        if urlsplit(route.request.url).hostname == HERE:
            route.continue_()
        else:
            route.abort()

    def note(self, response: Response) -> None:
        if "/api/" in response.url:
            self._unread.append(response)


def _takes_an_answer(response: Response) -> bool:
    request: Request = response.request
    return request.method in ("POST", "PUT") and "/responses" in urlsplit(request.url).path


def at_a_desk(browser: Browser) -> Desk:
    """A browser of one's own, without anybody else's login."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    desk = Desk(context.new_page())
    context.route("**/*", desk.allow)
    desk.page.on("response", desk.note)
    return desk
