"""A page's head and its first figure as HTML: no waiting, nothing loaded."""

from __future__ import annotations

from pathlib import Path

from dashboards.figures.export import as_screen_svg
from dashboards.figures.page import NOTICE, Figure, Page, Part
from dashboards.html_template import SIGNS, image_address, template
from dashboards.navigation import PAGES, path_of

TEMPLATE = Path(__file__).with_name("page.html.jinja")
WIDE, NARROW = 1_120, 350  # pixels of the column: in a window of 1280, on a phone


def as_html(view: str, page: Page, counted: str) -> str:
    """The page as it opens, down to its first chart.

    Args:
        view: name of the page in the navigation.
        page: as it opens.
        counted: when its findings were, for people, in UTC.
    """
    parts, figure = _first(page)
    return template(TEMPLATE).render(
        title=PAGES[view][0],
        links=[(path_of(name), title) for name, (title, _) in PAGES.items()],
        notice=NOTICE,
        counted=counted,
        page=page,
        parts=parts,
        figure=figure,
        wide=_picture(figure, WIDE),
        narrow=_picture(figure, NARROW),
        signs=SIGNS,
    )


def _first(page: Page) -> tuple[list[Part], Figure | None]:
    """The parts down to the first chart, and the figure of this chart."""
    for number, part in enumerate(page.parts, 1):
        for figure in part.figures:
            if figure.chart is not None:
                return list(page.parts[:number]), figure
    return [], None


def _picture(figure: Figure | None, width: int) -> str:
    return image_address(as_screen_svg(figure, width)) if figure else ""
