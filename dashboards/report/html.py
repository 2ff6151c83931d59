"""The report as one HTML file: no script, nothing loaded, the figures inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dashboards.figures.page import NOTICE, Figure
from dashboards.html_template import SIGNS, image_address, template
from dashboards.report.contents import Written, sentences
from dashboards.report.values import shown_rows

TEMPLATE = Path(__file__).with_name("report.html.jinja")


def as_html(title: str, when: str, chapters: list[Written], pictures: Mapping[str, bytes]) -> str:
    """The whole page.

    Args:
        title: of the page.
        when: it was made.
        chapters: in order.
        pictures: SVG by file stem.
    """

    def picture(chapter: Written, figure: Figure) -> str:
        found = pictures.get(chapter.file_stem(figure))
        return "" if found is None else image_address(found)

    return template(TEMPLATE).render(
        title=title,
        when=when,
        notice=NOTICE,
        chapters=chapters,
        picture=picture,
        rows=shown_rows,
        sentences=sentences,
        signs=SIGNS,
    )
