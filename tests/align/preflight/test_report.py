"""What is said about a run before its first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from align.preflight.checks import SMOOTHED, Plan
from align.preflight.report import Preflight, preflight
from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import EATEN, MADE_SAME, SAME, Counts, LeftOut, Rendering, TokenRow, rendered_pairs
from ledger.records import canonical_json
from tests.align.example_pairs import PLAIN
from tests.align.preflight.test_figures import labelled, pair
from tests.align.real_templates import tokenizer

LORA = Plan("dpo", 2e-5, lora=True, batch_size=4)
KTO = Plan("kto", 2e-5, lora=True, batch_size=4)
SOUND = tuple(pair([0, number], [1] * (3 + number % 2), [2] * (4 - number % 2)) for number in range(24))


def rendering(rows: Sequence[TokenRow] = SOUND, **told: Any) -> Rendering:
    return Rendering(tuple(rows), tuple(f"p{number}" for number in range(len(rows))), **told)


def said(found: Preflight, level: str = "") -> list[str]:
    return [each.what for each in found.findings if level in ("", each.level)]


def test_a_sound_run_has_nothing_but_a_note_on_its_weights() -> None:
    found = preflight(rendering(), LORA)
    assert said(found) == ["every row weighs 1: all labels count as equally sure"]
    assert not found.has_faults
    assert found.text().splitlines() == [
        "24 pairs, 0 left out",
        "prompt: median 2 tokens, 95% 2, longest 2",
        "chosen: median 3.5 tokens, 95% 4, longest 4",
        "rejected: median 3.5 tokens, 95% 4, longest 4",
        "chosen is the longer answer in 50% of the pairs, by +0.0 tokens on average",
        "36% of the tokens are in shared prefixes: 1.22 times fewer without",
        "note: every row weighs 1: all labels count as equally sure",
    ]


def test_nothing_to_train_on_is_a_fault() -> None:
    found = preflight(rendering([], left_out=(LeftOut("p1", EATEN),)), LORA)
    assert said(found, "fault") == ["nothing is left to train on"]
    assert found.has_faults
    assert found.text().startswith("0 pairs, 1 left out")
    assert preflight(rendering([]), KTO).has_faults


def test_what_is_left_out_is_counted_by_its_reason() -> None:
    reasons = (EATEN, EATEN, MADE_SAME, SAME, "the chat template refuses a conversation: roles must alternate")
    gone = tuple(LeftOut(f"q{number}", reason) for number, reason in enumerate(reasons))
    found = preflight(rendering(left_out=gone), LORA)
    assert found.left_out[EATEN] == 2
    assert f"left out: 2, {EATEN}" in said(found, "warning")
    assert f"left out: 1, {MADE_SAME}" in said(found, "warning")
    assert sum("left out" in each for each in said(found)) == 4
    assert all(each.advice for each in found.findings if "left out" in each.what)


@pytest.mark.parametrize(
    ("count", "level", "words"),
    [
        ("prompts_with_two_bos", "fault", "the beginning token twice: 7"),
        ("ends_added", "fault", "no end token after; the tokenizer's is learnt: 7"),
        ("ends_lost", "warning", "so that their end is not learnt: 7"),
        ("ends_unknown", "warning", "a token that sampling does not stop at: 7"),
        ("reasoning_dropped", "warning", "no place in the chat template and is left out: 7"),
        ("special_text", "warning", "written out, which is learnt as plain text: 7"),
        ("prompts_not_continued", "note", "trained on as they were sampled: 7"),
        ("empty_blocks", "note", "empty reasoning block before them, which is not learnt: 7"),
    ],
)
def test_what_rendering_met_is_said(count: str, level: str, words: str) -> None:
    found = preflight(rendering(counts=Counts(**{count: 7})), LORA)
    (told,) = (each for each in found.findings if words in each.what)
    assert told.level == level
    assert found.has_faults == (level == "fault")
    assert len(found.findings) == 2


@pytest.mark.parametrize(("chosen", "rejected", "word"), [(5, 3, "longer"), (3, 5, "shorter")])
def test_a_length_that_predicts_the_preference_is_said(chosen: int, rejected: int, word: str) -> None:
    rows = [pair([0, number], [1] * chosen, [2] * rejected) for number in range(20)]
    (warning,) = said(preflight(rendering(rows), LORA), "warning")
    assert f"the {word} one in 100% of the pairs" in warning
    assert not said(preflight(rendering(rows[:19]), LORA), "warning")


def test_repeats_and_reverses_are_said() -> None:
    one, other = [1, 1, 1], [2, 2, 2]
    rows = [*SOUND, pair([9], one, other), pair([9], one, other), pair([9], other, one)]
    found = preflight(rendering(rows), LORA)
    assert said(found, "warning") == [
        "pairs that repeat another one: 1",
        "pairs that another one says the contrary of: 2",
    ]
    assert "answers chosen in one pair and rejected in another, as in any ranking: 2" in said(found, "note")


def test_how_weights_are_spread_is_said() -> None:
    rows = [{**row, "weight": 0.6 + 0.01 * number} for number, row in enumerate(SOUND)]
    assert said(preflight(rendering(rows), LORA)) == ["weights from 0.60 to 0.83, half of them above 0.72"]
    unsure = [{**rows[0], "weight": 0.5}, *rows[1:]]
    assert "rows with a weight of 0.5 or less" in said(preflight(rendering(unsure), LORA), "warning")[0]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (replace(LORA, learning_rate=1e-6), "meant for full fine-tuning"),
        (replace(LORA, learning_rate=5e-6), ""),
        (replace(LORA, lora=False), "meant for adapters"),
        (replace(LORA, lora=False, learning_rate=1e-6), ""),
        (replace(LORA, label_smoothing=0.1), "label_smoothing is 0.1, which the loss sigmoid ignores"),
        (replace(LORA, label_smoothing=0.1, losses=("ipo",)), "the loss ipo ignores"),
        (replace(LORA, label_smoothing=0.1, losses=("robust",)), ""),
        (replace(LORA, label_smoothing=0.1, losses=("sigmoid", "exo_pair")), ""),
    ],
)
def test_settings_that_do_not_do_what_they_seem_to(plan: Plan, words: str) -> None:
    warnings = said(preflight(rendering(), plan), "warning")
    assert [words in warning for warning in warnings] == [True] * bool(words)


def test_losses_that_ignore_label_smoothing_are_those_of_trl() -> None:
    source = (files("trl") / "trainer" / "dpo_trainer.py").read_text(encoding="utf-8")
    branches = source.split("elif loss_type == ")[1:]
    read = {branch.split('"')[1] for branch in branches if "self.label_smoothing" in branch}
    assert read == SMOOTHED


def test_classes_of_kto_are_weighed_and_shown() -> None:
    rows = labelled(*[True, True, True, False] * 4)
    found = preflight(rendering(rows), KTO)
    assert "16 answers, 0 left out" in found.text()
    assert "12 desirable, 4 undesirable (3.00 to 1)" in found.text()
    (warning,) = (each for each in found.findings if each.level == "warning")
    assert warning.what == "the weighted classes stand 3.00 to 1"
    assert warning.advice == "set desirable_weight to 1 and undesirable_weight to 3"
    assert not said(preflight(rendering(rows), replace(KTO, class_weights=(1.0, 3.0))), "warning")
    assert not said(preflight(rendering(rows), replace(KTO, class_weights=(1.0, 2.25))), "warning")
    assert said(preflight(rendering(rows), replace(KTO, class_weights=(1.0, 5.0))), "warning")


def test_kto_needs_both_classes_and_batches_that_hold_both() -> None:
    (fault,) = said(preflight(rendering(labelled(*[True] * 8)), KTO), "fault")
    assert "KTO needs both" in fault
    in_order = labelled(*[True] * 8, *[False] * 8)
    assert said(preflight(rendering(in_order), KTO), "fault") == ["batches that hold one class alone: 4 of 4"]
    some = labelled(*[True] * 4, *[False] * 3, *[True, False, True, False, False])
    assert said(preflight(rendering(some), KTO), "warning") == ["batches that hold one class alone: 1 of 3"]
    (alone,) = said(preflight(rendering(in_order), replace(KTO, batch_size=1)), "fault")
    assert "a batch is one answer" in alone


def test_faults_come_first() -> None:
    counts = Counts(empty_blocks=1, ends_lost=1, prompts_with_two_bos=1)
    found = preflight(rendering(counts=counts), LORA)
    assert [each.level for each in found.findings] == ["fault", "warning", "note", "note"]


def test_facts_are_plain_and_hold_no_text() -> None:
    rendered = rendered_pairs(tokenizer("qwen3"), [PLAIN], RenderSettings(max_length=500))
    found = preflight(rendered, LORA)
    facts = found.facts()
    assert "hernia" not in canonical_json(facts)
    assert "hernia" not in found.text()
    assert facts["rows"] == 1
    assert facts["longer"] in (0.0, 0.5, 1.0)
    assert {"left_out", "tokens", "findings", "faults", "duplicates", "shared_prefix", "fewer_tokens"} <= facts.keys()
    assert preflight(rendering(labelled(True, False)), KTO).facts()["undesirable_weight"] == 1.0
