"""Texts by strangers, shown as they are: nothing in them is interpreted."""

from __future__ import annotations

import re

WORD_JOINER = "\u2060"  # invisible; breaks up what would become a link even where its punctuation is escaped
LINK_STARTS = re.compile(r"(https?:|www|@)", re.IGNORECASE)
# What Streamlit puts a sign or a picture for, escaped or not: " -> ", ":smile:", ":material/home:", ":streamlit:".
REPLACED = re.compile(r"(?<!\S)[<\->~](?=[->=]+(?!\S))|:(?=[\w/+-]+:)")
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escaped(text: str) -> str:
    """``text`` as Markdown that shows just this text, in one line: no link, image, formula or emphasis."""
    apart = REPLACED.sub(r"\g<0>" + WORD_JOINER, " ".join(text.split()))
    return PUNCTUATION.sub(r"\\\1", LINK_STARTS.sub(r"\1" + WORD_JOINER, apart))


def as_code(text: str) -> str:
    """``text`` as Markdown code in one line, whatever backticks it holds."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if line[:1] == "`" or line[-1:] == "`" else f"{fence}{line}{fence}"
