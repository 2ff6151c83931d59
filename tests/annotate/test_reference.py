"""The reference metric: the same verdict every time, whichever answer comes first."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.contests import Contest, contest
from annotate.reference import (
    ASSESSOR,
    SCALE,
    Criterion,
    ReferenceRubric,
    compare_with_reference,
    reference_rubric,
    scores,
    word_f1,
)
from ledger.records import Candidate, Comparison, Message, Prompt

PROMPT = Prompt(
    messages=(Message("user", "How is a strangulated groin hernia treated?"),),
    reference="Urgent surgical repair, because the bowel may die.",
)
RUBRIC = ReferenceRubric("test", overlap=1.0, key=2.0, criteria=(Criterion("reason", 0.25, ("because", "due to")),))


def between(one: str, other: str, prompt: Prompt = PROMPT) -> Contest:
    return contest(prompt, Candidate(prompt.id, "m1", one), Candidate(prompt.id, "m2", other))


def chance_of_m1(comparison: Comparison) -> float:
    return comparison.strength if comparison.model_a == "m1" else 1 - comparison.strength


def scored(text: str, prompt: Prompt = PROMPT) -> dict[str, float]:
    return scores(prompt, Candidate(prompt.id, "m1", text), RUBRIC)


@pytest.mark.parametrize(
    ("text", "reference", "f1"),
    [
        ("urgent repair", "urgent repair", 1.0),
        ("Urgent, repair!", "urgent repair", 0.5),  # texts come case-folded
        ("urgent", "urgent repair", 2 / 3),
        ("urgent urgent", "urgent repair", 0.5),  # a word counts as often as both have it
        ("watchful waiting", "urgent repair", 0.0),
        ("", "urgent repair", 0.0),
        ("urgent", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_word_overlap_by_hand(text: str, reference: str, f1: float) -> None:
    assert word_f1(text, reference) == pytest.approx(f1)


def test_a_criterion_counts_once_however_often_it_is_met() -> None:
    assert scored("because")["reason"] == 0.25
    assert scored("Because, and due to that, and because")["reason"] == 0.25
    assert scored("no cue")["reason"] == 0.0


def test_a_cue_is_looked_for_at_the_start_of_words() -> None:
    rubric = replace(RUBRIC, criteria=(Criterion("referral", 1.0, ("refer",)),))
    for text, earned in {"Referral is due": 1, "(refer)": 1, "Mesh is preferred": 0}.items():
        assert scores(PROMPT, Candidate(PROMPT.id, "m1", text), rubric)["referral"] == earned


def test_the_bundled_rubric_rewards_reason_red_flags_and_referral() -> None:
    rubric = reference_rubric()
    assert {criterion.name for criterion in rubric.criteria} == {"reason", "red_flags", "referral"}
    assert rubric.version.startswith("reference@")
    full = "Reason: it may die. Red flags: fever. Refer at once."
    earned = scores(PROMPT, Candidate(PROMPT.id, "m1", full), rubric)
    assert all(earned[criterion.name] == criterion.weight for criterion in rubric.criteria)
    comparison = compare_with_reference(between(full, "Urgent surgical repair."), 0.02)
    assert comparison.rubric == rubric.version


def test_the_key_of_a_multiple_choice_question_counts() -> None:
    mcq = replace(PROMPT, kind="mcq", options=("Repair", "Wait"), answer="A")
    assert scored("The answer is A.", mcq)["key"] == 2.0
    assert scored("The answer is B.", mcq)["key"] == 0.0
    assert scored("Either.", mcq)["key"] == 0.0
    assert "key" not in scored("The answer is A.")


def test_the_better_answer_wins_by_its_margin() -> None:
    comparison = compare_with_reference(between(PROMPT.reference or "", "Watch and wait."), tie_margin=0.02)
    better = "a" if comparison.model_a == "m1" else "b"
    assert comparison.verdict == better
    assert comparison.assessor == ASSESSOR
    axes = comparison.axes
    difference = sum(pair[0] for pair in axes.values()) - sum(pair[1] for pair in axes.values())
    assert comparison.strength == pytest.approx(1 / (1 + math.exp(-difference / SCALE)), abs=1e-5)
    assert comparison.cause == ""


def test_scores_closer_than_the_margin_are_a_tie() -> None:
    near = between("Urgent surgical repair", "Urgent surgical repair now")
    difference = abs(sum(one - other for one, other in compare_with_reference(near, 0.0).axes.values()))
    assert 0 < difference < 0.5
    assert compare_with_reference(near, difference + 0.001).verdict == "tie"
    assert compare_with_reference(near, difference + 0.001).strength == 0.5
    assert compare_with_reference(near, difference - 0.001).verdict in {"a", "b"}


@pytest.mark.parametrize("reference", [None, ""])
def test_without_a_reference_the_verdict_is_invalid(reference: str | None) -> None:
    comparison = compare_with_reference(between("one", "other", replace(PROMPT, reference=reference)), 0.02)
    assert (comparison.verdict, comparison.strength) == ("invalid", 0.5)
    assert comparison.cause == "the prompt has no reference"
    assert comparison.axes == {}


def test_it_keeps_how_many_pairs_of_samples_a_contest_stands_for() -> None:
    assert compare_with_reference(replace(between("one", "other"), count=6), 0.02).count == 6


WORDS = st.lists(
    st.sampled_from(["urgent", "repair", "because", "bowel", "red flag", "refer", "wait", "mesh"]), max_size=8
).map(" ".join)


@given(one=WORDS, other=WORDS, margin=st.floats(0, 0.2))
def test_it_is_deterministic_and_symmetrical(one: str, other: str, margin: float) -> None:
    """The two texts change places: the verdict does, and the strength is the complement."""
    straight, again = (compare_with_reference(between(one, other), margin) for _ in range(2))
    assert straight == again
    assert straight.id == again.id
    swapped = compare_with_reference(between(other, one), margin)
    assert chance_of_m1(straight) == pytest.approx(1 - chance_of_m1(swapped), abs=1e-9)
    assert (straight.verdict == "tie") == (swapped.verdict == "tie")
    if straight.verdict != "tie":
        assert (straight.verdict == "a") == (straight.strength > 0.5)
