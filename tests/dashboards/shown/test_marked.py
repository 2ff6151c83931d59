"""Tests of dashboards/shown/marked.py: nothing in a text by strangers becomes anything."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.figures.differences import Piece, differences
from dashboards.shown.marked import Side, as_html

HOSTILE = (
    "<script>alert(1)</script>",
    '<img src="http://evil.example/i.png" onerror=alert(1)>',
    "</mark></div><svg onload=alert(1)>",
    "<!-- --><![CDATA[x]]><?php ?>",
    "&lt;b&gt; &amp; &#60;i&#62; &colon;",
    '" onmouseover="alert(1)',
    "' style='",
    "![i](http://evil.example/i.png) [l](http://evil.example) <http://evil.example>",
    "http://evil.example www.evil.example a@evil.example",
    "$x^2$ $$y$$ :red[r] :red-background[r] :material/home: :smile: :streamlit: **b** _i_ ~~s~~",
    "# heading\n- list\n\n    code\n```\nfence\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n> quote\n1. one",
    "back\\slash \\< \\&lt; <- -> >= --",
    "  indented\n\n\n   and spaced  \n\tand tabbed\n",
    "\u202eright to left\u202c \u2060joined \u200b",
    "<textarea><title><style>*{display:none}</style><plaintext>",
)


class Seen(HTMLParser):
    """What a browser makes of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.marked: list[str] = []
        self.tags: list[str] = []
        self.other: list[str] = []
        self.depth = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.depth += tag == "mark"
        assert {name for name, _ in attrs} <= {"style", "dir"}

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self.depth -= tag == "mark"

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.depth:
            self.marked.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check(text: str, *, own: bool) -> None:
    html = as_html([Piece(text, own=own)], "left")
    seen = Seen(html)
    assert "".join(seen.text) == lines(text)
    assert seen.tags == (["div", "mark", "/mark", "/div"] if own else ["div", "/div"])
    assert seen.other == []
    assert "\n" not in html


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("own", [False, True])
def test_hostile_texts_are_shown_as_they_are(text: str, own: bool) -> None:
    check(text, own=own)


@given(st.text(), st.booleans())
def test_any_text_is_shown_as_it_is(text: str, own: bool) -> None:
    check(text, own=own)


@given(st.lists(st.sampled_from(["<", ">", "&", '"', "'", "/", "script", "!--", "--", "lt;", "#60;", " ", "=", "b"])))
def test_pieces_of_markup_do_not_come_together(parts: list[str]) -> None:
    check("".join(parts), own=True)
    html = as_html([Piece(part, own=place % 2 == 1) for place, part in enumerate(parts)], "right")
    assert "".join(Seen(html).text) == "".join(parts)
    assert set(Seen(html).tags) <= {"div", "/div", "mark", "/mark"}


def test_marks_differ_by_more_than_their_colour() -> None:
    left, right = (as_html([Piece("x", own=True)], side) for side in get_args(Side))
    assert "underline solid" in left
    assert "underline dotted" in right


def test_streamlit_takes_it_as_it_is() -> None:
    from streamlit.string_util import clean_text

    for text in HOSTILE:
        html = as_html(differences(text, "other " + text).right, "right")
        assert clean_text(html) == html
