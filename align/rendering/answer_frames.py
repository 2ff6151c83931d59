"""What a chat template writes around an answer, after a prompt exactly as it was sampled.

A template is asked once with stand-ins for reasoning and answer. What it writes between them is the frame, so no
template can trim, split or drop a part of what was really said. Where the text that a template writes for training does
not begin with the prompt that it writes for sampling (DeepSeek-R1 opens a block in the one and leaves it out of the
other), the frame follows the prompt: the policy saw that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger.errors import ModelError
from sampling.chat import Turn, rendered
from sampling.reasoning import CHANNEL, CLOSE, OPEN

REASONING, ANSWER = "WardroundStandInForReasoning", "WardroundStandInForAnswer"  # no template trims or splits them
BLOCK_OPENED, BLOCK_CLOSED = f"{OPEN}\n", f"\n{CLOSE}\n\n"
ANALYSIS, TO_FINAL = "<|channel|>analysis<|message|>", "<|end|><|start|>assistant"


@dataclass(frozen=True)
class Frame:
    """The texts around an answer: prompt, head, reasoning, link, answer, tail."""

    prompt: str
    head: str  # before the reasoning, or before the answer where there is none
    link: str  # between the reasoning and the answer; "" where there is no reasoning
    tail: str  # all that the template writes after the answer
    continues: bool = True  # does the text with the answer begin with the prompt?
    holds_reasoning: bool = True  # has the reasoning a place, where there is one?


def answer_frame(
    tokenizer: Any, turns: Sequence[Turn], template: Mapping[str, Any], *, reasoning: bool = False
) -> Frame:
    """The frame of an answer to ``turns``; ``reasoning``: of one with reasoning before it.

    Raises:
        ModelError: the template refuses the conversation, or leaves the answer out.
    """
    prompt = rendered(tokenizer, turns, template)
    thought = {"reasoning_content": REASONING, "thinking": REASONING} if reasoning else {}
    whole = rendered(tokenizer, [*turns, {"role": "assistant", "content": ANSWER, **thought}], template, asks=False)
    before, found, tail = whole.rpartition(ANSWER)
    if not found:
        raise ModelError(
            "the chat template leaves the answer out",
            where=getattr(tokenizer, "name_or_path", "tokenizer"),
            advice="give a model whose chat template takes assistant turns",
        )
    continues = before.startswith(prompt)
    bare = Frame(prompt, before.removeprefix(prompt) if continues else _closing(prompt), "", tail, continues)
    return _with_reasoning(bare, tokenizer) if reasoning else bare


def _closing(prompt: str) -> str:
    """What must come before an answer where the template's own text is of no use: the end of an opened block."""
    return BLOCK_CLOSED if prompt.rstrip().endswith(OPEN) else ""


def _with_reasoning(bare: Frame, tokenizer: Any) -> Frame:
    """The frame with a place for the reasoning: the template's, or the one of the format that it speaks."""
    head, found, link = bare.head.partition(REASONING)
    if found:
        return replace(bare, head=head, link=link)
    prompt = bare.prompt.rstrip()
    if prompt.endswith(OPEN):
        return replace(bare, head="", link=BLOCK_CLOSED)
    if CHANNEL in bare.head:
        return replace(bare, head=ANALYSIS, link=TO_FINAL + bare.head)
    knows_blocks = OPEN in bare.head or {OPEN, CLOSE} <= tokenizer.get_added_vocab().keys()
    if prompt.endswith(CLOSE) or not knows_blocks:
        return replace(bare, holds_reasoning=False)
    return replace(bare, head=BLOCK_OPENED, link=BLOCK_CLOSED)
