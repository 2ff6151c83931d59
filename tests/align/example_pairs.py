"""Pairs that the tests of rendering share, and how they are rendered and read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import Answered, Rendering, rendered_pairs
from sampling.chat import Turn
from sampling.reasoning import Spoken
from tests.align.real_templates import ends, tokenizer

QUESTION: tuple[Turn, ...] = ({"role": "user", "content": "What is a hernia?"},)
SYSTEM: tuple[Turn, ...] = ({"role": "system", "content": "You are a surgeon."}, *QUESTION)
FOLLOW_UP: tuple[Turn, ...] = (
    *SYSTEM,
    {"role": "assistant", "content": "A bulge."},
    {"role": "user", "content": "Through what?"},
)
PLAIN = Answered("p1", QUESTION, Spoken("Through the wall."), Spoken("Of the liver."))
THOUGHT = replace(PLAIN, chosen=Spoken("Through the wall.", "It bulges.\nSo it is weak."))


def render(name: str, *pairs: Answered, template: str = "", **told: Any) -> Rendering:
    """The pairs with the tokenizer ``name``, perhaps with another template."""
    made = tokenizer(name)
    if template:
        made = deepcopy(made)
        made.chat_template = template
    return rendered_pairs(made, pairs, RenderSettings(**{"ends": ends(name), **told}))


def text(name: str, ids: list[int]) -> str:
    return str(tokenizer(name).decode(ids, skip_special_tokens=False))


def parts(name: str, row: Mapping[str, Any], which: str = "chosen") -> tuple[str, str]:
    """The context and what is in the loss, as text."""
    ids, context = row[f"{which}_ids"], row[f"{which}_context"]
    return text(name, ids[:context]), text(name, ids[context:])
