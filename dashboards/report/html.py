"""The report as one HTML file: no script, nothing loaded, the figures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from dashboards.figures.page import NOTICE, Figure
from dashboards.report.contents import Written, sentences
from dashboards.report.values import shown_rows

TEMPLATE = Path(__file__).with_name("report.html.jinja")
SIGNS = {"better": "▶ ", "worse": "◀ ", "plain": "", "warning": "▲ "}


def as_html(title: str, when: str, chapters: list[Written], pictures: Mapping[str, bytes]) -> str:
    """The whole page. Every text is escaped, and pictures are images, in which nothing runs.

    Args:
        title: of the page.
        when: it was made.
        chapters: in order.
        pictures: SVG by file stem.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

    def picture(chapter: Written, figure: Figure) -> str:
        found = pictures.get(chapter.file_stem(figure))
        return "" if found is None else f"data:image/svg+xml;base64,{base64.b64encode(found).decode()}"

    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        when=when,
        notice=NOTICE,
        chapters=chapters,
        picture=picture,
        rows=shown_rows,
        sentences=sentences,
        signs=SIGNS,
    )
