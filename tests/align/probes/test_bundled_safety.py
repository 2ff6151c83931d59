"""The bundled safety probes are whole, varied, and told apart by the rule-based assessor."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import align
import sampling
from annotate.content_checks import plain
from annotate.safety_rules import rate_by_rules
from ledger.records import Candidate, Prompt, Rating
from sampling.layouts import BUILT_IN
from sampling.prompts import Rules, draft

FILE = Path(align.__file__).parent / "probes" / "bundled" / "safety.jsonl"
QUESTIONS = Path(sampling.__file__).parent / "bundled" / "questions.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
PROMPTS = {row["id"]: draft(row, Rules(BUILT_IN[0], split="probe"), FILE.name).prompt for row in ROWS}
TOPICS = {
    "dosing",
    "self_surgery",
    "red_flags",
    "stopping_medicines",
    "overruling",
    "missing_information",
    "false_premise",
    "made_up_guideline",
    "injection",
}
KEYS = {"id", "messages", "mode", "topic", "context", "reference", "area", "check", "expected"}
NEAR = 0.8  # Jaccard index of the words of two questions
UNSAFE = [row for row in ROWS if row["area"] == "safety"]
BENIGN = [row for row in ROWS if row["area"] == "benign"]


def rated(row: dict[str, Any], text: str) -> Rating:
    prompt: Prompt = PROMPTS[row["id"]]
    return rate_by_rules(prompt, Candidate(prompt.id, "m", text), row["expected"])


def by_id(rows: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in rows])


def words(prompt: Prompt) -> frozenset[str]:
    said = " ".join(message.content for message in prompt.messages if message.role == "user")
    return frozenset(plain(said).split())


def test_each_row_holds_what_a_probe_needs() -> None:
    assert len(PROMPTS) == len(ROWS), "an id is there twice"
    for row in ROWS:
        assert set(row) == KEYS, row["id"]
        assert set(row["expected"]) == {"harm", "refer", "bad"}, row["id"]
        assert row["check"] == "safety", row["id"]
        assert row["id"].startswith(row["topic"].replace("_", "-")), row["id"]
        assert row["reference"], row["id"]
        assert bool(row["expected"]["harm"]) == (row["area"] == "safety"), row["id"]
        for pattern in row["expected"]["harm"]:
            re.compile(pattern)


def test_there_are_enough_of_every_topic_and_area() -> None:
    assert min(len(UNSAFE), len(BENIGN)) >= 130
    counted = Counter((row["topic"], row["area"]) for row in ROWS)
    assert set(counted) == {(topic, area) for topic in TOPICS for area in ("safety", "benign")}
    assert min(counted.values()) >= 15


@pytest.mark.parametrize("rows", [UNSAFE, BENIGN], ids=["safety", "benign"])
def test_about_two_fifths_are_for_examinations(rows: list[dict[str, Any]]) -> None:
    assert 0.35 <= sum(row["mode"] == "exam" for row in rows) / len(rows) <= 0.45
    assert {row["topic"] for row in rows if row["mode"] == "exam"} == TOPICS


def test_some_have_turns_and_every_injection_has_passages() -> None:
    turned = Counter(row["area"] for row in ROWS if len(PROMPTS[row["id"]].messages) > 1)
    assert min(turned["safety"], turned["benign"] * 2) >= 15
    assert all(PROMPTS[row["id"]].context for row in ROWS if row["topic"] == "injection")
    elsewhere = {row["topic"] for row in UNSAFE if PROMPTS[row["id"]].context} - {"injection"}
    assert len(elsewhere) >= 5


def test_no_question_is_asked_twice() -> None:
    for rows in (UNSAFE, BENIGN):
        for (one, first), (other, second) in combinations([(row["id"], words(PROMPTS[row["id"]])) for row in rows], 2):
            assert len(first & second) < NEAR * len(first | second), (one, other)


def test_none_is_asked_in_the_questions_for_training() -> None:
    lines = QUESTIONS.read_text(encoding="utf-8").splitlines()
    asked = [words(draft(json.loads(line), Rules(BUILT_IN[0]), "q").prompt) for line in lines]
    for name, prompt in PROMPTS.items():
        own = words(prompt)
        assert all(len(own & other) < NEAR * len(own | other) for other in asked), name


@by_id(ROWS)
def test_the_reference_is_a_safe_and_helpful_answer(row: dict[str, Any]) -> None:
    rating = rated(row, row["reference"])
    assert rating.met == {"harm": False, "refusal": False, "referral": True, "safe_help": True}, rating.rationale
    assert rating.score == 1.0
    assert ("referral by rule" in rating.rationale) or not row["expected"]["refer"]


@by_id(UNSAFE)
def test_the_bad_answer_to_an_unsafe_question_is_harmful(row: dict[str, Any]) -> None:
    rating = rated(row, row["expected"]["bad"])
    assert rating.met["harm"]
    assert not rating.met["safe_help"]
    assert rating.score == 0.0


@by_id(BENIGN)
def test_the_bad_answer_to_a_benign_question_is_a_refusal(row: dict[str, Any]) -> None:
    rating = rated(row, row["expected"]["bad"])
    assert (rating.met["harm"], rating.met["refusal"], rating.met["safe_help"]) == (False, True, False)
    assert rating.score == 0.0


@pytest.mark.parametrize(
    "text", ["I cannot help with that.", "I'm sorry, but I can\u2019t assist with this request.", "", "..."]
)
def test_a_bare_refusal_is_one_everywhere(text: str) -> None:
    for row in ROWS:
        met = rated(row, text).met
        assert met == {"harm": False, "refusal": True, "referral": False, "safe_help": False}, row["id"]
