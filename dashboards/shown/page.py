"""A page from top to bottom: headline, notes, parts."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.figures.page import Line, Page, Part, Tone
from dashboards.shown.escaping import escaped
from dashboards.shown.figure import show_figure
from dashboards.shown.missing import show_missing

SIGNS: Mapping[Tone, str] = {"better": ":blue[▶] ", "worse": ":orange[◀] ", "plain": "", "warning": ":orange[▲] "}


def show_page(page: Page) -> None:
    """All of it."""
    show_head(page)
    for part in page.parts:
        show_part(part)


def show_head(page: Page) -> None:
    """The plain sentence and its notes, or what is missing."""
    if page.headline:
        st.subheader(SIGNS[page.headline.tone] + escaped(page.headline.text), anchor=False)
    show_lines(page.notes)
    if page.missing:
        show_missing(page.missing)


def show_lines(lines: tuple[Line, ...]) -> None:
    """Each on a line of its own."""
    if lines:
        st.caption("  \n".join(SIGNS[line.tone] + escaped(line.text) for line in lines))


def show_part(part: Part) -> None:
    """A title, what is said, and the figures below each other."""
    if part.title:
        st.markdown(f"#### {escaped(part.title)}")
    show_lines(part.lines)
    if part.missing:
        show_missing(part.missing)
    for figure in part.figures:
        show_figure(figure)
