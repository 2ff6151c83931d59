"""Pages that are built once for all who look, until what they say changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

from dashboards import reading
from dashboards.counting.section import Section
from dashboards.figures.page import Page

KEPT = 64  # pages, each a choice of some reader
_PAGES: OrderedDict[Hashable, Page] = OrderedDict()
_BUILDING = Lock()


def built(build: Callable[..., Page], sections: tuple[Section[Any], ...], *choice: Hashable) -> Page:
    """The page that ``build`` makes of the sections' findings (None: there are none) and of the reader's choice."""
    folder = str(reading.folder())
    key = (folder, build.__module__, build.__qualname__, *map(reading.version, sections), *choice)
    with _BUILDING:
        if key not in _PAGES:
            kept = [reading.kept(section) for section in sections]
            _PAGES[key] = build(*(each.findings if each else None for each in kept), *choice)
            while len(_PAGES) > KEPT:
                _PAGES.popitem(last=False)
        _PAGES.move_to_end(key)
        return _PAGES[key]


def drawn(page: Page) -> None:
    """Make the charts of a page, so that showing it need not."""
    for part in page.parts:
        for figure in part.figures:
            _ = figure.spec
