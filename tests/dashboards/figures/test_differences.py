"""Tests of dashboards/figures/differences.py."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.figures.differences import THE_SAME, TOO_DIFFERENT, TOO_LONG, Pieces, differences

WORDS = st.lists(st.sampled_from(["a", "the", "duct", "bile ", "\n", "  ", "leak.", "<b>", "é"]), max_size=40)


def joined(pieces: Pieces) -> str:
    return "".join(each.text for each in pieces)


def own(pieces: Pieces) -> list[str]:
    return [each.text for each in pieces if each.own]


def test_words_that_one_alone_has_are_marked() -> None:
    found = differences("Refer at once to a surgeon today.", "Refer now to a good surgeon today.")
    assert own(found.left) == ["at once"]
    assert own(found.right) == ["now", "good"]
    assert found.note == ""


def test_neighbouring_words_are_one_piece_and_the_space_behind_is_none_of_it() -> None:
    found = differences("one two three\n\nfour five", "one\n\nfour five")
    assert [(each.text, each.own) for each in found.left] == [
        ("one ", False),
        ("two three", True),
        ("\n\nfour five", False),
    ]
    assert joined(found.right) == "one\n\nfour five"


def test_white_space_is_no_difference() -> None:
    assert differences("a  b\nc", "a b c").note == THE_SAME
    assert own(differences("x a  b\nc", "y a b c").left) == ["x"]


@pytest.mark.parametrize(("left", "right"), [("", ""), ("", "a"), ("a", ""), (" ", "\n")])
def test_empty_answers(left: str, right: str) -> None:
    found = differences(left, right)
    assert (joined(found.left), joined(found.right)) == (left, right)
    assert own(found.left) == own(found.right) == []


def test_with_nothing_in_common_nothing_is_marked() -> None:
    found = differences(" ".join("abcdefghij"), " ".join("klmnopqrst"))
    assert found.note == TOO_DIFFERENT
    assert own(found.left) == []


@given(WORDS.map(" ".join), WORDS.map(" ".join))
def test_no_character_is_lost_and_the_common_words_are_the_same(left: str, right: str) -> None:
    found = differences(left, right)
    assert (joined(found.left), joined(found.right)) == (left, right)
    common = [" ".join(joined(tuple(p for p in side if not p.own)).split()) for side in (found.left, found.right)]
    if found.note in ("", THE_SAME):
        assert common[0].split() == common[1].split()


@given(st.text(), st.text())
def test_any_text_stays_whole(left: str, right: str) -> None:
    found = differences(left, right)
    assert (joined(found.left), joined(found.right)) == (left, right)


def zipf(words: int, seed: int) -> list[str]:
    vocabulary = range(1, 3001)
    return [f"w{word}" for word in random.Random(seed).choices(vocabulary, [1 / word for word in vocabulary], k=words)]


def test_two_thousand_words_are_marked_quickly() -> None:
    left = zipf(2000, 1)
    right = [word if place % 10 else "other" for place, word in enumerate(left)]
    began = time.process_time()
    found = differences(" ".join(left), " ".join(right))
    assert time.process_time() - began < 1
    assert found.note == ""
    assert len(own(found.right)) >= 190


@pytest.mark.parametrize("words", [["a"] * 20_000, zipf(30_000, 2), list("ab" * 3_000)])
def test_what_would_take_long_is_left(words: list[str]) -> None:
    began = time.process_time()
    found = differences("left " + " ".join(words) + " left", "right " + " ".join(words[1:]) + " right")
    assert time.process_time() - began < 1
    assert found.note == TOO_LONG
    assert joined(found.left).startswith("left ")
