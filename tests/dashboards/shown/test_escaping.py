"""Tests of dashboards/shown/escaping.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dashboards.shown.escaping import WORD_JOINER, as_code, escaped

# What Streamlit 1.67 replaces in texts that are parsed already.
SIGNS = re.compile(r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)")
NAMED = re.compile(r":[\w/+-]+:")


def shown(text: str) -> str:
    """The text of the parsed Markdown; nothing else may be in it."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(escaped(text))
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    pieces = [child for token in tokens for child in token.children or ()]
    assert {piece.type for piece in pieces} <= {"text", "text_special"}
    return "".join(piece.content for piece in pieces)


@settings(deadline=None, max_examples=300)
@given(
    st.text(
        alphabet=st.one_of(st.sampled_from("<->=~: ab_*[]()!`#|\\/.@"), st.characters(categories=["L", "N", "P", "S"]))
    )
)
def test_any_text_shows_just_itself(text: str) -> None:
    seen = shown(text)
    assert seen.replace(WORD_JOINER, "") == " ".join(text.replace(WORD_JOINER, "").split())
    assert not SIGNS.search(seen)
    assert not NAMED.search(seen)


@pytest.mark.parametrize(
    "text",
    [
        "a -> b",
        "<- a",
        "a <-> b",
        "x >= 3",
        ":smile:",
        ":material/home:",
        ":streamlit:",
        "https://evil.example",
        "www.evil.example",
    ],
)
def test_what_would_be_replaced_or_linked_is_broken_up(text: str) -> None:
    assert WORD_JOINER in shown(text)


@pytest.mark.parametrize("text", ["judge:large", "Round 1 (dpo)", "a-b", "3 < 5", "12:30"])
def test_plain_names_stay_as_they_are(text: str) -> None:
    assert shown(text) == text


@settings(deadline=None, max_examples=300)
@given(
    st.text(
        alphabet=st.one_of(st.sampled_from("`<>[]() \\:!a"), st.characters(categories=["L", "N", "P", "S"])), min_size=1
    )
)
def test_any_command_is_code_and_nothing_else(text: str) -> None:
    line = " ".join(text.split())
    assume(line)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"See  \n{as_code(text)}")
    pieces = [child for token in tokens for child in token.children or ()]
    assert [piece.type for piece in pieces if piece.content] == ["text", "code_inline"]
    assert pieces[-1].content == line
