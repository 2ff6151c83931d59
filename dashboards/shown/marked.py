"""Texts by strangers with passages marked: HTML of which every word of theirs is escaped.

`st.text` cannot mark a passage, and Markdown would have to be escaped against a dozen extensions that change with
Streamlit. In HTML three characters and two quotes are all that can begin anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Literal

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.figures.differences import Piece
from dashboards.figures.style import BLUE, ORANGE

Side = Literal["left", "right"]

BLOCK = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5"
# The line below says the same as the colour, and is another one on each side.
MARK = "color:inherit;border-radius:2px;text-decoration:underline {line} 2px {colour};background:{colour}33"
MARKS: dict[Side, str] = {
    "left": MARK.format(line="solid", colour=BLUE),
    "right": MARK.format(line="dotted", colour=ORANGE),
}


def show_pieces(pieces: Iterable[Piece], side: Side) -> None:
    """A text, with its own pieces marked as that side's."""
    st.html(as_html(pieces, side))


def as_html(pieces: Iterable[Piece], side: Side) -> str:
    """The same as HTML, in one line: Streamlit takes away indents from what has several."""
    marked = (
        f'<mark style="{MARKS[side]}">{_inert(each.text)}</mark>' if each.own else _inert(each.text) for each in pieces
    )
    return f'<div dir="auto" style="{BLOCK}">{"".join(marked)}</div>'


def _inert(text: str) -> str:
    """Characters as they are, whatever they would mean."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return escape(plain).replace("\n", "&#10;")
