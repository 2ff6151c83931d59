"""Phrases are found in whatever form they are written, and not where they are denied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.phrases import claims, folded, says, without_restated, words_as_digits


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("forty-two", "42"),
        ("Twenty one", "21"),
        ("a hundred and twenty", "120"),
        ("three hundred six", "306"),
        ("two thousand and five", "2005"),
        ("one hundred thousand", "100000"),
        ("seventeen seventy", "17 70"),
        ("one and two", "1 and 2"),
        ("someone often weighs", "someone often weighs"),
    ],
)
def test_numbers_in_words(words: str, digits: str) -> None:
    assert words_as_digits(words) == digits


def test_the_word_one_may_be_no_number() -> None:
    assert words_as_digits("one of twenty-one", one=False) == "one of 21"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a 48-hour wait", "A forty-eight hour **wait**"),
        ("5mg", "5 mg"),
        ("1,200 ml", "1200ml"),
        ("20 %", "twenty per cent"),
        ("the patient\u2019s", "the patient's"),
        ("on \n the left", "on the left"),
    ],
)
def test_what_differs_in_writing_only_is_alike(text: str, other: str) -> None:
    assert folded(text) == folded(other)


@given(st.text())
def test_a_phrase_is_found_whatever_comes_after(text: str) -> None:
    assert says(f"Then: the spleen. {text}", "spleen")


@pytest.mark.parametrize(
    ("text", "said", "claimed"),
    [
        ("It is the liver.", True, True),
        ("Not the liver.", False, False),
        ("The spleen rather than the liver.", False, False),
        ("It should never be cut near the liver.", True, False),
        ("It moved from the liver.", True, False),
        ("Not the liver at first; then the liver.", True, True),
        ("Livers.", False, False),
        ("The liver.5", False, False),
    ],
)
def test_what_is_denied_is_not_said(text: str, said: bool, claimed: bool) -> None:
    assert (says(text, "liver"), claims(text, "liver")) == (said, claimed)


def test_sentences_of_the_question_count_for_nothing() -> None:
    question = "Is the drain on the left or on the right? Be brief."
    assert without_restated(f"{question} The right.", question).split() == ["Be", "brief.", "The", "right."]
    assert without_restated("IS THE DRAIN on the left\nor on the right?", question).strip() == ""
    assert without_restated("On the right", "On the right") == "On the right"  # too short to be told from an answer
