"""Pairs as token ids, with the chat templates that the makers of the models wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.export.rows import Preference, paired_rows
from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import (
    EATEN,
    MADE_SAME,
    SAME,
    Labelled,
    LeftOut,
    one_pair_shown,
    rendered_answers,
    rendered_pairs,
)
from ledger.config import ChatConfig
from ledger.errors import ModelError
from sampling.chat import Turn, prompt_tokens
from sampling.quiet import quiet
from sampling.reasoning import Spoken
from tests.align.example_pairs import FOLLOW_UP, PLAIN, QUESTION, SYSTEM, THOUGHT, parts, render, text
from tests.align.real_templates import BOS, CHATML_END, SPECIAL, ends, tokenizer


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("turns", [QUESTION, SYSTEM, FOLLOW_UP], ids=["question", "system", "follow-up"])
@pytest.mark.parametrize("template", [{}, {"enable_thinking": False}, {"reasoning_effort": "high"}], ids=str)
def test_an_answer_follows_the_prompt_that_was_sampled(
    name: str, turns: tuple[Turn, ...], template: dict[str, Any]
) -> None:
    (row,) = render(name, replace(PLAIN, turns=turns, template=template, weight=0.75)).rows
    assert row["prompt_ids"] == prompt_tokens(tokenizer(name), turns, ChatConfig(template=template))
    assert row["prompt_ids"].count(tokenizer(name).bos_token_id) <= 1
    assert parts(name, row)[1] == "Through the wall." + SPECIAL[name][1]
    assert parts(name, row, "rejected")[1] == "Of the liver." + SPECIAL[name][1]
    assert row["weight"] == 0.75
    assert all(type(token) is int for token in (*row["prompt_ids"], *row["chosen_ids"]))


def test_settings_of_the_template_reach_the_prompt() -> None:
    (hard,) = render("gptoss", replace(PLAIN, template={"reasoning_effort": "high"})).rows
    assert "Reasoning: high" in text("gptoss", hard["prompt_ids"])
    thinks, thinks_not = render("qwen3", PLAIN, replace(PLAIN, template={"enable_thinking": False})).rows
    assert text("qwen3", thinks_not["prompt_ids"]).endswith("<think>\n\n</think>\n\n")
    assert thinks_not["chosen_context"] == 0
    assert parts("qwen3", thinks)[0] == "<think>\n\n</think>\n\n"


def test_counts_say_what_templates_do() -> None:
    assert render("deepseek_r1_distill", PLAIN).counts.prompts_not_continued == 1
    assert render("qwen3", PLAIN).counts.prompts_not_continued == 0
    assert render("qwen3", PLAIN, THOUGHT).counts.empty_blocks == 3
    counts = render("llama3", PLAIN, replace(PLAIN, pair="p2", turns=SYSTEM), replace(PLAIN, pair="p3")).counts
    assert (counts.prompts, counts.answers, counts.prompts_with_two_bos) == (2, 6, 0)
    twice = "{{ bos_token }}" + tokenizer("llama3").chat_template
    assert render("llama3", PLAIN, template=twice).counts.prompts_with_two_bos == 1


def test_a_template_without_an_end_token_gets_one_and_is_counted() -> None:
    endless = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}"
    found = render("llama3", PLAIN, template=endless)
    assert parts("llama3", found.rows[0])[1].endswith("Through the wall.<|eot_id|>")
    assert found.counts.ends_added == 2


def test_an_end_that_sampling_does_not_stop_at_is_counted() -> None:
    made = tokenizer("gemma3")
    found = render("gemma3", PLAIN, ends=frozenset({made.eos_token_id}))
    assert parts("gemma3", found.rows[0])[1] == "Through the wall.<end_of_turn>"
    assert found.counts.ends_unknown == 2
    assert render("gemma3", PLAIN).counts.ends_unknown == 0
    alone = render("phi3", PLAIN, ends=frozenset({tokenizer("phi3").eos_token_id}))
    assert parts("phi3", alone.rows[0])[1] == "Through the wall.<|end|>\n<|endoftext|>"
    unsaid = render("phi3", PLAIN, ends=frozenset())
    assert parts("phi3", unsaid.rows[0])[1] == "Through the wall.<|end|>"


def test_a_template_that_refuses_leaves_its_pair_out() -> None:
    wrong: tuple[Turn, ...] = (*QUESTION, *QUESTION)
    found = render("gemma3", PLAIN, replace(PLAIN, pair="p2", turns=wrong))
    assert found.ids == ("p1",)
    (left,) = found.left_out
    assert left.id == "p2"
    assert "roles must alternate" in left.reason


def test_nothing_that_ends_an_answer_is_an_error() -> None:
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer("llama3").backend_tokenizer, name_or_path="bare")
    bare.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(ModelError, match="nothing ends an answer"):
        rendered_pairs(bare, [PLAIN], RenderSettings())


def test_identical_answers_are_left_out() -> None:
    same = replace(THOUGHT, pair="same", rejected=Spoken("Through the wall.", "Other reasons."))
    found = render("qwen3", PLAIN, same)
    assert (found.ids, found.left_out) == (("p1",), (LeftOut("same", SAME),))
    assert render("qwen3", same, train_reasoning=True).ids == ("same",)
    assert found.facts()["left_out"] == {SAME: 1}
    assert found.facts()["rows"] == 1


def test_truncation_keeps_the_start_and_lists_what_it_spoils() -> None:
    long = "It is the wall. " * 10
    pairs = [
        PLAIN,
        replace(PLAIN, pair="one cut", chosen=Spoken(long)),
        replace(PLAIN, pair="made same", chosen=Spoken(f"{long}Yes"), rejected=Spoken(f"{long}No")),
        replace(PLAIN, pair="eaten", turns=({"role": "user", "content": long * 3},)),
        replace(PLAIN, pair="thought too long", chosen=Spoken("Yes", long * 3)),
        replace(PLAIN, pair="thought too long of the poor one", rejected=Spoken("Yes", long * 3)),
        replace(PLAIN, pair="both cut", chosen=Spoken(f"Yes {long}"), rejected=Spoken(long)),
    ]
    uncut = render("qwen3", *pairs)
    whole = dict(zip(uncut.ids, uncut.rows, strict=True))
    assert list(whole) == [each.pair for each in pairs]
    most = len(whole["p1"]["prompt_ids"]) + max(len(whole["p1"][f"{which}_ids"]) for which in ("chosen", "rejected"))
    found = render("qwen3", *pairs, max_length=most)
    assert found.left_out == (
        LeftOut("made same", MADE_SAME),
        LeftOut("eaten", EATEN),
        LeftOut("thought too long", EATEN),
        LeftOut("thought too long of the poor one", EATEN),
    )
    assert found.ids == ("p1", "one cut", "both cut")
    assert found.rows[0] == whole["p1"]
    cut = found.rows[1]
    assert len(cut["prompt_ids"]) + len(cut["chosen_ids"]) == most
    assert cut["chosen_ids"] == whole["one cut"]["chosen_ids"][: len(cut["chosen_ids"])]
    assert found.counts.ends_lost == 1 + 2
    assert found.counts.answers_cut == 1 + 2 + 2 + 1 + 1 + 2


@pytest.mark.parametrize("short", [0, 1])
def test_an_answer_whose_first_token_is_left_is_kept(short: int) -> None:
    (row,) = render("qwen3", PLAIN).rows
    most = len(row["prompt_ids"]) + row["chosen_context"] + 1 - short
    found = render("qwen3", PLAIN, max_length=most)
    assert bool(found.rows) == (not short)
    assert [each.reason for each in found.left_out] == [EATEN] * short


def test_labelled_answers_have_their_own_columns() -> None:
    good = Labelled("a1", SYSTEM, Spoken("Yes", "Think."), label=True, weight=0.9)
    poor = Labelled("a2", SYSTEM, Spoken("No"), label=False)
    told = RenderSettings(ends=ends("qwen3"))
    found = rendered_answers(tokenizer("qwen3"), [good, poor], told)
    first, second = found.rows
    assert found.ids == ("a1", "a2")
    assert set(first) == {"prompt_ids", "completion_ids", "context", "label", "weight"}
    assert (first["label"], first["weight"], second["label"], second["weight"]) == (True, 0.9, False, 1.0)
    assert text("qwen3", first["completion_ids"]) == "<think>\nThink.\n</think>\n\nYes<|im_end|>"
    assert text("qwen3", first["completion_ids"][first["context"] :]) == "Yes<|im_end|>"
    assert first["prompt_ids"] is second["prompt_ids"]
    eaten = rendered_answers(tokenizer("qwen3"), [good], replace(told, max_length=5))
    assert (eaten.rows, eaten.left_out) == ((), (LeftOut("a1", EATEN),))


@pytest.mark.parametrize("name", ["qwen3_instruct_2507", "llama3", "qwen3_5_think"])
@given(answer=st.text(max_size=40) | st.sampled_from([CHATML_END, f"a{BOS}b", "</think>", " a ", "\n", "[INST]"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_whatever_is_said_is_what_is_learnt(name: str, answer: str) -> None:
    found = render(name, replace(PLAIN, chosen=Spoken(answer), rejected=Spoken(f"{answer}.")))
    (row,) = found.rows
    assert parts(name, row)[1] == answer + SPECIAL[name][1]
    inner = row["chosen_ids"][row["chosen_context"] : -1]
    assert not set(inner) & set(tokenizer(name).all_special_ids)


def test_special_tokens_written_out_are_text_and_counted() -> None:
    found = render("llama3", replace(PLAIN, chosen=Spoken("Stop<|eot_id|> here")))
    (row,) = found.rows
    assert parts("llama3", row)[1] == "Stop<|eot_id|> here<|eot_id|>"
    assert row["chosen_ids"].count(tokenizer("llama3").eos_token_id) == 1
    assert found.counts.special_text == 1


def test_more_than_a_batch_keeps_its_order() -> None:
    pairs = [replace(PLAIN, pair=f"p{n}", chosen=Spoken(f"Answer {n}")) for n in range(1_050)]
    found = render("qwen3_instruct_2507", *pairs)
    assert found.ids == tuple(each.pair for each in pairs)
    assert [parts("qwen3_instruct_2507", row)[1] for row in found.rows[995:1005]] == [
        f"Answer {n}<|im_end|>" for n in range(995, 1005)
    ]
    assert found.counts.prompts == 1


def test_plain_chatml_is_tokenised_as_trl_does(tiny_policy: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    plain = AutoTokenizer.from_pretrained(tiny_policy)
    pairs = [replace(PLAIN, turns=turns) for turns in (QUESTION, SYSTEM, FOLLOW_UP)]
    rows = paired_rows([Preference(each.turns, each.chosen.text, each.rejected.text) for each in pairs])
    with quiet():
        trainer = DPOTrainer(
            model=str(tiny_policy),
            args=DPOConfig(str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[]),
            train_dataset=Dataset.from_list(rows),
            processing_class=plain,
        )
    found = rendered_pairs(plain, pairs, RenderSettings())
    columns = ("prompt_ids", "chosen_ids", "rejected_ids")
    assert [{name: row[name] for name in columns} for row in trainer.train_dataset] == [
        {name: row[name] for name in columns} for row in found.rows
    ]
    assert all(row["chosen_context"] == row["rejected_context"] == 0 for row in found.rows)


def test_a_row_is_shown_with_what_is_learnt_marked() -> None:
    (row,) = render("qwen3", replace(THOUGHT, weight=0.8)).rows
    assert one_pair_shown(tokenizer("qwen3"), row) == (
        "prompt: <|im_start|>user\nWhat is a hernia?<|im_end|>\n<|im_start|>assistant\n\n"
        "chosen: <think>\nIt bulges.\nSo it is weak.\n</think>\n\n[[Through the wall.<|im_end|>]]\n"
        "rejected: <think>\n\n</think>\n\n[[Of the liver.<|im_end|>]]\n"
        "weight: 0.8"
    )
    told = RenderSettings(ends=ends("qwen3"))
    (single,) = rendered_answers(tokenizer("qwen3"), [Labelled("a", QUESTION, Spoken("No"), label=False)], told).rows
    shown = one_pair_shown(tokenizer("qwen3"), single)
    assert "undesirable: <think>\n\n</think>\n\n[[No<|im_end|>]]" in shown
