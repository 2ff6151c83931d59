"""A reader in headless Chromium: opens pages, waits until they are drawn, and notes all that goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Locator, Page, Request, Route
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.dashboards_in_browser.served import HERE

PAGES = {
    "": "Win rates",
    "answers": "Answers",
    "judges": "Judge",
    "reviewing": "Review",
    "training": "Training",
    "safety": "Safety and regressions",
    "lineage": "Lineage",
}
PATIENCE = 60_000  # milliseconds
STEADY = 150  # milliseconds that a page stays as it is before it counts as drawn
MAIN = '[data-testid="stMain"]'
OPENERS = '[data-testid="stExpandSidebarButton"], [data-testid="stTopNavSection"]'
CHOICES = ", ".join(f'{MAIN} [data-testid="{kind}"]' for kind in ("stSelectbox", "stButtonGroup", "stCheckbox"))
REPEATED = 10_000  # milliseconds after which one clicks again
HEARD = 300  # milliseconds
ERRORS = f'{MAIN} [data-testid="stException"], {MAIN} [data-testid="stAlertContentError"]'

# When the page of this title was seen, readable and drawn, by the document's clock in milliseconds; false before.
# Seen: its headline and its first chart are there, if only as they were drawn beforehand. Readable: what was drawn
# beforehand is gone, the server is connected and its script does not run, the title is the page's, there is a headline
# (a title of a part will do) or a box that says what is missing, nothing waits (skeleton, spinner, stale element), and
# the first chart has its picture. Drawn: so have all charts that are not folded away.
DRAWN = """
([title, steady]) => {
  const main = document.querySelector('[data-testid="stMain"]');
  const app = document.querySelector('[data-testid="stApp"]');
  const shown = element => element.getClientRects().length > 0;
  const all = selector => [...main.querySelectorAll(selector)].filter(shown);
  const charts = () => all('[data-testid="stVegaLiteChart"]').map(each => each.querySelector('canvas, svg'));
  const before = document.getElementById('prerendered');
  const isSeen = () => before && [...before.querySelectorAll('img')].every(each => each.complete && each.naturalWidth);
  const isReadable = () => {
    if (before) return false;
    if (!main || !app) return false;
    if (app.dataset.testScriptState !== 'notRunning' || app.dataset.testConnectionState !== 'CONNECTED') return false;
    if (!all('h1').some(each => each.innerText.trim() === title)) return false;
    if (!all('h2, h3, h4, h5, [data-testid="stAlert"], [data-testid="stException"]').length) return false;
    if (all('[data-testid="stSkeleton"], [data-testid="stSpinner"], [data-stale="true"]').length) return false;
    return charts()[0] !== null;
  };
  const now = performance.now();
  if (isSeen()) window.seenSince ??= now;
  if (!isReadable()) { window.readableSince = window.drawnSince = undefined; return false; }
  window.readableSince ??= now;
  window.seenSince ??= now;
  if (!charts().every(Boolean)) { window.drawnSince = undefined; return false; }
  window.drawnSince ??= now;
  return now - window.drawnSince >= steady ? [window.seenSince, window.readableSince, window.drawnSince] : false;
}
"""

FORGET = """
() => { window.seenSince = window.readableSince = window.drawnSince = undefined; return performance.now(); }
"""


class Drawn(NamedTuple):
    """When a page was seen, readable and drawn, in the words of `DRAWN`: seconds since it was asked for."""

    seen: float
    readable: float
    drawn: float


@dataclass
class Visitor:
    """One reader's browser, with one page."""

    page: Page
    url: str
    requested: list[str] = field(default_factory=list)  # addresses
    console: list[str] = field(default_factory=list)  # errors
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # exceptions of the page's scripts
    dialogs: list[str] = field(default_factory=list)
    lost_clicks: int = 0  # on the navigation, that had to be repeated

    def open(self, path: str = "", query: str = "") -> Drawn:
        """Open a page by its address, as a link does; the seconds count from navigation."""
        self.page.goto(f"{self.url}/{path}{query and '?' + query}", wait_until="commit")
        return self.drawn(path)

    def click(self, path: str) -> Drawn:
        """Go to a page by the navigation; the seconds count from the click."""
        link = self._link(PAGES[path])
        began = float(self.page.evaluate(FORGET))
        link.click()
        while not self._went_to(path):
            self.lost_clicks += 1
            link.click()
        return Drawn(*(seconds - began / 1000 for seconds in self.drawn(path)))

    def drawn(self, path: str) -> Drawn:
        """Wait until a page is drawn; the seconds count from when the document was navigated to."""
        found = self.page.wait_for_function(DRAWN, arg=[PAGES[path], STEADY], timeout=PATIENCE, polling=20)
        return Drawn(*(float(each) / 1000 for each in found.json_value()))

    def wrong(self) -> list[str]:
        """All that should not be, so far: boxes of errors on the page, what the console said, strange requests."""
        boxes = [each.inner_text() for each in self.page.locator(ERRORS).all()]
        return [*boxes, *self.console, *self.errors, *self.dialogs, *self.strange()]

    def strange(self) -> list[str]:
        """Requests to anywhere but this machine."""
        return [each for each in self.requested if _host(each) not in (HERE, None)]

    def choices(self) -> Locator:
        """What can be chosen on the page: select boxes, switches and rows of buttons."""
        return self.page.locator(CHOICES).filter(visible=True)

    def choosing(self) -> Iterator[int]:
        """Choose something else at each in turn; a choice may bring others, or take them away."""
        place = 0
        while place < self.choices().count():
            self.choose(place)
            yield place
            place += 1

    def choose(self, place: int) -> None:
        """Choose something else at one of them, and give the server a moment to hear of it."""
        choice = self.choices().nth(place)
        kind = choice.get_attribute("data-testid")
        if kind == "stSelectbox":
            choice.locator("input").first.click()
            for key in ("ArrowDown", "Enter"):
                self.page.keyboard.press(key)
        elif kind in ("stButtonGroup", "stPills"):
            choice.locator("button").last.click()
        else:
            choice.locator("label").first.click()
        self.page.wait_for_timeout(HEARD)

    def _link(self, title: str) -> Locator:
        """The page's link in the navigation, which is folded away where the window is narrow."""
        link = self.page.locator('[data-testid$="NavLink"]').filter(has_text=title).first
        if not self._in_sight(link):
            self.page.locator(OPENERS).filter(visible=True).last.click()
        return link

    def _went_to(self, path: str) -> bool:
        """Has the address changed? A click that comes while the page is renewed may be lost, as a reader would see."""
        try:
            self.page.wait_for_url(lambda url: urlsplit(url).path == f"/{path}", timeout=REPEATED, wait_until="commit")
        except PlaywrightTimeoutError:
            return False
        return True

    def _in_sight(self, link: Locator) -> bool:
        box = link.bounding_box() if link.count() else None
        return box is not None and box["x"] >= 0

    def allow(self, route: Route) -> None:
        """Let nothing through but to this machine."""
        if _host(route.request.url) in (HERE, None):
            route.continue_()
        else:
            route.abort()

    def note_request(self, request: Request) -> None:
        """Every one, also those that never reach the network's door."""
        self.requested.append(request.url)

    def note_console(self, message: ConsoleMessage) -> None:
        """Errors; what charts warn of is kept apart."""
        said = f"{message.type}: {message.text} ({message.location.get('url', '')})"
        if message.type == "error":
            self.console.append(said)
        elif message.type == "warning":
            self.warnings.append(said)

    def note_dialog(self, dialog: Dialog) -> None:
        """One that a script opened."""
        self.dialogs.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def note_error(self, error: Error) -> None:
        """An exception in the page."""
        self.errors.append(f"exception: {error.message}")


def _host(address: str) -> str | None:
    parts = urlsplit(address)
    return None if parts.scheme in ("data", "blob") else parts.hostname


def visitor(
    browser: Browser, url: str, *, width: int = 1280, height: int = 900, guarded: bool = True, **more: Any
) -> Visitor:
    """A browser of one's own, which remembers nothing; close it with ``visitor.page.context.close()``.

    ``guarded``: no request leaves the machine. Each then passes through this process, which takes a second a page.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, **more)
    context.set_default_timeout(PATIENCE)
    found = Visitor(context.new_page(), url)
    if guarded:
        context.route("**/*", found.allow)
    page = found.page
    page.on("request", found.note_request)
    page.on("websocket", lambda socket: found.requested.append(socket.url))
    page.on("console", found.note_console)
    page.on("pageerror", found.note_error)
    page.on("dialog", found.note_dialog)
    return found
