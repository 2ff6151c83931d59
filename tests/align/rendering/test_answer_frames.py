"""What chat templates write around an answer, and what becomes of its reasoning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.config import ChatConfig
from sampling.chat import Turn, prompt_tokens
from sampling.reasoning import Spoken, decode, opens_reasoning
from tests.align.example_pairs import FOLLOW_UP, PLAIN, SYSTEM, THOUGHT, parts, render
from tests.align.real_templates import SPECIAL, THINKING, tokenizer
from tests.sampling.templates import QWEN3

CONTEXTS = {
    "qwen3": ("<think>\n", "\n</think>\n\n"),
    "qwen3_5_think": ("", "\n</think>\n\n"),
    "deepseek_r1_distill": ("", "\n</think>\n\n"),
    "gptoss": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
}


@pytest.mark.parametrize("name", THINKING)
@pytest.mark.parametrize("turns", [SYSTEM, FOLLOW_UP], ids=["system", "follow-up"])
def test_reasoning_is_context(name: str, turns: tuple[Turn, ...]) -> None:
    (row,) = render(name, replace(THOUGHT, turns=turns)).rows
    before, after = CONTEXTS[name]
    assert row["prompt_ids"] == prompt_tokens(tokenizer(name), turns, ChatConfig())
    assert parts(name, row) == (f"{before}It bulges.\nSo it is weak.{after}", f"Through the wall.{SPECIAL[name][1]}")


@pytest.mark.parametrize("name", THINKING)
def test_reasoning_is_learnt_where_that_is_asked(name: str) -> None:
    (row,) = render(name, THOUGHT, train_reasoning=True).rows
    before, after = CONTEXTS[name]
    learnt = f"It bulges.\nSo it is weak.{after}Through the wall.{SPECIAL[name][1]}"
    assert parts(name, row) == (before, learnt)
    assert parts(name, row, "rejected")[1] == f"Of the liver.{SPECIAL[name][1]}"


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("qwen3_5_think", "\n</think>\n\n"),
        ("deepseek_r1_distill", "\n</think>\n\n"),
        ("gptoss", "<|channel|>final<|message|>"),
        ("llama3", ""),
    ],
)
def test_what_the_template_writes_before_a_plain_answer_is_context(name: str, before: str) -> None:
    (row,) = render(name, PLAIN).rows
    assert parts(name, row)[0] == before


def test_reasoning_without_a_place_is_dropped_and_counted() -> None:
    found = render("llama3", THOUGHT)
    assert parts("llama3", found.rows[0]) == ("", "Through the wall.<|eot_id|>")
    assert found.counts.reasoning_dropped == 1
    closed = render("qwen3", replace(THOUGHT, template={"enable_thinking": False}))
    assert closed.counts.reasoning_dropped == 1
    assert parts("qwen3", closed.rows[0]) == ("", "Through the wall.<|im_end|>")


def test_a_model_that_opens_its_block_itself_is_shown_it_though_the_template_drops_it() -> None:
    (row,) = render("qwen3_5_think", THOUGHT, template=tokenizer("qwen3_instruct_2507").chat_template).rows
    assert parts("qwen3_5_think", row)[0] == "<think>\nIt bulges.\nSo it is weak.\n</think>\n\n"


def test_an_empty_block_that_the_template_always_writes_takes_the_reasoning() -> None:
    (row,) = render("qwen3", THOUGHT, template=QWEN3).rows
    assert parts("qwen3", row)[0] == "<think>\nIt bulges.\nSo it is weak.\n</think>\n\n"
    assert parts("qwen3", row, "rejected")[0] == "<think>\n\n</think>\n\n"


def test_harmony_without_a_place_for_reasoning_is_spoken_all_the_same() -> None:
    without = tokenizer("gptoss").chat_template.replace('"thinking" in message', "false")
    (row,) = render("gptoss", THOUGHT, template=without).rows
    before, after = CONTEXTS["gptoss"]
    assert parts("gptoss", row)[0] == f"{before}It bulges.\nSo it is weak.{after}"


@pytest.mark.parametrize("name", THINKING)
@pytest.mark.parametrize("said", [Spoken("Through the wall.", "It bulges.\nSo."), Spoken("Through the wall.")])
def test_sampling_reads_from_the_tokens_what_was_said(name: str, said: Spoken) -> None:
    (row,) = render(name, replace(PLAIN, chosen=said)).rows
    opened = opens_reasoning(tokenizer(name), row["prompt_ids"])
    assert decode(tokenizer(name), row["chosen_ids"][:-1], opened=opened) == said
