"""The key decides only what it can decide for certain."""

from __future__ import annotations

import time

import pytest

from annotate.contests import contest
from annotate.mcq import compare_by_key, stated_option
from ledger.records import Candidate, Message, Prompt

PROMPT = Prompt(
    messages=(Message("user", "Which nerve is most at risk?"),),
    mode="exam",
    kind="mcq",
    options=("Femoral nerve", "Ilioinguinal nerve", "Obturator nerve", "All of the above"),
    answer="B",
)

STATES = {
    "The answer is B, I think.": "B",
    "The answer is B, Ilioinguinal nerve. Reason: it runs on the cord.": "B",
    "B. Ilioinguinal nerve": "B",
    "B. ilioinguinal nerve, on the cord": "B",
    "(B) nerve": "B",
    "B) The nerve on the cord": "B",
    "**Answer:** B": "B",
    "Answer is: B": "B",
    "The correct answer is option B (Ilioinguinal nerve).": "B",
    "The answer is A because it runs there": "A",
    "The answer is D, All of the above": "D",
    "Option B is the correct one": "B",
    "So much for that. B is correct": "B",
    r"\boxed{C}": "C",
    r"\boxed{\text{C}}": "C",
    "I explain.\n\nC": "C",
    "First I thought the answer is A. But no: the answer is **(D)**.": "D",
    "A. Femoral is wrong.\nB. Fits.\nThe correct answer is C.": "C",
    "C is not correct. D is the best option.": "D",
    "The answer: A or B. Final answer: B": "B",
    "The answer is B. The wrong answer is C.": "B",
}
STATES_NOTHING = [
    "",
    "The ilioinguinal nerve.",
    "A. Femoral\nB. Ilioinguinal\nC. Obturator",
    "The answer is a hernia repair",
    "The answer is A hernia",
    "The answer is C. difficile",
    "C. difficile is treated with vancomycin",
    "Answer: B or C",
    "A and B is correct",
    "The answer is B. On reflection, the answer is B or C.",
    "The answer is not B.",
    "It is not the right answer: B",
    "The wrong answer is B.",
    "Option B is wrong.",
    "Hepatitis B is correct here",
    "Not B is correct",
    "Vitamin A.\nMore of it.",
    "the answer is b",
]


@pytest.mark.parametrize(("text", "letter"), STATES.items())
def test_the_last_clear_statement_counts(text: str, letter: str) -> None:
    assert stated_option(text, PROMPT.options) == letter


@pytest.mark.parametrize("text", STATES_NOTHING)
def test_no_letter_is_guessed(text: str) -> None:
    assert stated_option(text, PROMPT.options) is None


def test_a_small_letter_after_the_label_needs_the_option_text() -> None:
    assert stated_option("B. ilioinguinal nerve") is None


def answer(text: str) -> Candidate:
    return Candidate(prompt=PROMPT.id, model="m", text=text)


def test_right_beats_wrong_whatever_the_order() -> None:
    right, wrong = answer("The answer is B."), answer("The answer is C.")
    decided = contest(PROMPT, wrong, right)
    comparison = compare_by_key(decided)
    assert comparison is not None
    winner = decided.a if comparison.verdict == "a" else decided.b
    assert winner == right
    assert comparison.strength == (1.0 if comparison.verdict == "a" else 0.0)
    assert comparison.assessor == "metric:key"
    assert {comparison.a, comparison.b} == {right.id, wrong.id}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The answer is B.", "B. Ilioinguinal nerve"),
        ("The answer is A.", "The answer is C."),
        ("The answer is B.", "The nerve on the cord."),
        ("The answer is B.", ""),
    ],
)
def test_the_key_leaves_to_others_what_it_cannot_decide(one: str, other: str) -> None:
    assert compare_by_key(contest(PROMPT, answer(one), answer(other))) is None


def test_an_open_question_has_no_key() -> None:
    prompt = Prompt(messages=PROMPT.messages, answer="B")
    one, other = (Candidate(prompt=prompt.id, model="m", text=f"The answer is {letter}.") for letter in "BC")
    assert compare_by_key(contest(prompt, one, other)) is None


def test_empty_lines_cost_no_more_than_their_length() -> None:
    began = time.perf_counter()
    assert stated_option("\n" * 30_000 + "The answer is B.", ()) == "B"
    assert stated_option("\r\n" * 30_000 + "B\r\n", ()) == "B"
    assert time.perf_counter() - began < 2.0
