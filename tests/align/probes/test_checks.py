"""What passes a check and what does not, in the many ways in which models word the same answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.checks import CHECKS, check_fault, checked, grounding_facets
from ledger.records import Check, Message, Probe, Prompt

QUESTION = "12 apples are shared by 3 in 7 days: how many?"
OPTIONS = ("red", "green", "blue", "grey")


def ask(check: Check, text: str, expected: Mapping[str, Any], context: tuple[str, ...] = ()) -> bool | None:
    mcq = check == "option"
    prompt = Prompt(
        messages=(Message("user", QUESTION),),
        kind="mcq" if mcq else "open",
        options=OPTIONS if mcq else (),
        answer="B" if mcq else None,
        context=context,
    )
    return checked(Probe(prompt.id, "area", check, expected), prompt, text)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("The answer is B, green.", True),
        ("B", True),
        ("The answer is C.", False),
        ("Green, I think.", None),
        ("", None),
    ],
)
def test_an_option_is_right_wrong_or_not_stated(text: str, passes: bool | None) -> None:
    assert ask("option", text, {}) is passes


@pytest.mark.parametrize(
    ("text", "passes"),
    [("Each gets 4 of the 12.", True), ("Each gets 12.", False), ("I do not know.", None), ("", None)],
)
def test_a_number_is_right_wrong_or_not_there(text: str, passes: bool | None) -> None:
    assert ask("number", text, {"number": 4}) is passes


def test_a_number_may_differ_by_the_tolerance() -> None:
    assert ask("number", "0.3", {"number": 0.1, "tolerance": 0.2}) is True  # exactly, where floats would not be
    assert ask("number", "0.31", {"number": 0.1, "tolerance": 0.2}) is False


@pytest.mark.parametrize(
    ("text", "expected", "passes"),
    [
        ("It is in the SPLEEN.", {"any": [["spleen"]], "none": ["liver"]}, True),
        ("It is in the **spleen**, not the liver.", {"any": [["spleen"]], "none": ["liver"]}, True),
        ("It isn't in the liver but the spleen.", {"any": [["spleen"]], "none": ["liver"]}, True),
        ("The spleen and the liver.", {"any": [["spleen"]], "none": ["liver"]}, False),
        ("Not the spleen.", {"any": [["spleen"]]}, False),
        ("splenic", {"any": [["spleen"]]}, False),
        ("After forty-eight hours", {"any": [["48 hours", "2 days"]]}, True),
        ("After a 48-hour wait", {"any": [["48 hour"]]}, True),
        ("Day 14", {"any": [["day 1"], ["14"]]}, False),
        ("4.5 mg", {"any": [["4"]]}, False),
        ("4.5 mg", {"any": [["5"]]}, False),
        ("1,200ml", {"any": [["1200 ml"]]}, True),
        ("20 per cent", {"any": [["20%"]]}, True),
        ("Peter\u2019s", {"any": [["Peter's"]]}, True),
        ("red and blue", {"any": [["red"], ["blue", "green"]]}, True),
        ("red", {"any": [["red"], ["blue", "green"]]}, False),
        ("\u201cYes.\u201d", {"exact": ["yes"]}, True),
        ("Yes, it is", {"exact": ["yes"]}, False),
        ("JUPITER", {"exact": ["JUPITER"], "case": "upper"}, True),
        ("Jupiter", {"exact": ["JUPITER"], "case": "upper"}, False),
        ("Cold, white, soft.", {"count": 3}, True),
        ("Well-known and soft.", {"count": 3}, True),
        ("Cold and white and soft.", {"count": 3}, False),
        ("a\n\nb\n", {"lines": 2}, True),
        ("a, b", {"lines": 2}, False),
        ("", {"count": 1}, False),
    ],
)
def test_words(text: str, expected: dict[str, Any], passes: bool) -> None:
    assert check_fault("words", expected) is None


PASSAGES = ("Alder ward removes drains on day 4.", "Visitors come at two.")
SAYS = {"says": [["day 4", "fourth day"]], "avoid": ["day 1"], "cites": [1]}
ABSENT = {"absent": True, "avoid": ["cefuroxime"]}


def facets(text: str, expected: Mapping[str, Any]) -> Mapping[str, bool]:
    prompt = Prompt(messages=(Message("user", QUESTION),), context=PASSAGES)
    return grounding_facets(Probe(prompt.id, "grounding", "grounding", expected), prompt, text)


@pytest.mark.parametrize(
    ("text", "grounded", "citations"),
    [
        ("On day four [1].", True, True),
        ("On the fourth day [1, 2], not on day 1.", True, True),
        ("On day 4.", True, False),
        ("On day 4 [2].", True, False),
        ("On day 4 [1][3].", True, False),
        ("On day 4 [1-2].", True, True),
        ("On day 4 [Passage 1].", True, True),
        ("On day 1 or day 4 [1].", False, True),
        ("On day 14 [1].", False, True),
        ("", False, False),
    ],
)
def test_a_grounded_answer_says_what_the_passages_say_and_cites_them(
    text: str, grounded: bool, citations: bool
) -> None:
    assert facets(text, SAYS) == {"grounded": grounded, "citations": citations}
    assert ask("grounding", text, SAYS, PASSAGES) is (grounded and citations)


def test_an_answer_that_is_not_there_is_said_to_be_missing_and_not_guessed() -> None:
    assert facets("The passages do not say.", ABSENT) == {"grounded": True, "citations": True, "says_absent": True}
    guessed = facets("The passages do not say. It is cefuroxime.", ABSENT)
    assert (guessed["grounded"], guessed["says_absent"]) == (False, True)
    assert facets("It is cefazolin [1].", ABSENT) == {"grounded": False, "citations": True, "says_absent": False}


def test_a_passage_that_does_not_exist_is_cited_by_no_good_answer() -> None:
    assert facets("The passages do not say [3].", ABSENT)["citations"] is False


@given(st.text(), st.sampled_from(sorted(CHECKS)))
def test_no_text_breaks_a_check(text: str, check: Check) -> None:
    for expected in EXPECTED[check]:
        assert ask(check, text, expected, PASSAGES) in {True, False, None}


EXPECTED: Mapping[Check, list[dict[str, Any]]] = {
    "option": [{}],
    "number": [{"number": 1}],
    "words": [{"any": [["a"]], "none": ["b"], "exact": ["a"], "count": 1, "lines": 1, "case": "upper"}],
    "json": [{"keys": {"a": "number"}}, {"items": "string"}],
    "grounding": [dict(SAYS), dict(ABSENT)],
}
FRAGMENTS = st.sampled_from(
    (
        *(
            "the answer is",
            "**",
            "\\boxed{",
            "}",
            "1/",
            "0",
            "/",
            "-",
            ",",
            ".",
            "7",
            "seven",
            "a hundred and",
            "=",
            "[",
        ),
        *("]", "```", "\n", "{", '"', ":", "passages", "do not", "say", "(", ")", " ", "\u00bd", "\u0663", "9" * 40),
        "\\frac{1}{0}",
    )
)


@given(st.lists(FRAGMENTS, max_size=12).map("".join), st.sampled_from(sorted(CHECKS)))
def test_no_heap_of_what_the_checks_look_for_breaks_them(text: str, check: Check) -> None:
    for expected in EXPECTED[check]:
        assert ask(check, text, expected, PASSAGES) in {True, False, None}


@pytest.mark.parametrize("part", [" ", "\n", "```\n", "1,", "**a ", "not ", "passages ", "[1,", "1 1/", "answer is "])
def test_degenerate_answers_of_great_length_are_checked_quickly(part: str) -> None:
    begun = time.perf_counter()
    text = f"7{part * (20_000 // len(part))}7"
    for check, several in EXPECTED.items():
        for expected in several:
            ask(check, text, expected, PASSAGES)
    assert time.perf_counter() - begun < 20


@pytest.mark.parametrize("check", ["safety", "text"])
def test_what_no_rule_decides_is_refused(check: Check) -> None:
    with pytest.raises(ValueError, match=check):
        ask(check, "text", {})
