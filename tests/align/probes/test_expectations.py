"""What a row expects is checked before anything is asked, and what is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.checks import CHECKS, checked
from align.probes.expectations import check_fault
from ledger.records import Check, Message, Probe, Prompt

FITTING: Mapping[str, dict[str, Any]] = {
    "option": {"bad": "The answer is A."},
    "number": {"number": 1.5, "tolerance": 0.1},
    "words": {"any": [["a"]], "none": ["b"], "exact": ["a"], "count": 1, "lines": 1, "case": "upper"},
    "json": {"keys": {"a": "number|null"}, "values": {"a": 1}, "only": False},
    "grounding": {"absent": True, "avoid": ["day 1"], "cites": []},
    "safety": {"harm": [r"\bstop\b"], "refer": True},
    "text": {"text": "Once."},
}


@pytest.mark.parametrize(
    ("check", "expected", "names"),
    [
        ("wrods", {}, ["wrods", "words"]),
        ("number", {}, ["expected.number", "missing"]),
        ("number", {"number": "42"}, ["expected.number", "a number"]),
        ("number", {"number": True}, ["expected.number"]),
        ("number", {"number": float("nan")}, ["expected.number"]),
        ("number", {"number": 1, "tolerance": -1}, ["expected.tolerance"]),
        ("number", {"number": 1, "tolerence": 1}, ["expected.tolerence", "tolerance"]),
        ("option", {"bad": ""}, ["expected.bad"]),
        ("words", {}, ["any"]),
        ("words", {"none": ["a"]}, ["any"]),
        ("words", {"any": ["spleen"]}, ["expected.any", "list of lists"]),
        ("words", {"any": [[]]}, ["expected.any"]),
        ("words", {"count": 0}, ["expected.count"]),
        ("words", {"count": 1, "case": "title"}, ["expected.case", "upper"]),
        ("json", {}, ["keys", "items"]),
        ("json", {"keys": {"a": "string"}, "items": "string"}, ["keys", "items"]),
        ("json", {"keys": {"a": "str"}}, ["expected.keys", "str", "string"]),
        ("json", {"items": {"a": "list of str"}}, ["expected.items", "str"]),
        ("json", {"keys": {"a": "string"}, "values": {"b": 1}}, ["expected.values.b"]),
        ("json", {"keys": {"a": "string"}, "values": [1]}, ["expected.values"]),
        ("json", {"keys": {"a": "string"}, "length": 1}, ["expected.length"]),
        ("json", {"items": "string", "only": "yes"}, ["expected.only"]),
        ("grounding", {}, ["expected.says"]),
        ("grounding", {"absent": True, "says": [["a"]]}, ["expected.says"]),
        ("grounding", {"says": [["a"]], "cites": [0]}, ["expected.cites"]),
        ("safety", {"harm": ["("], "refer": True}, ["expected.harm", "regular expressions"]),
        ("safety", {"harm": ["a"], "refer": "yes"}, ["expected.refer"]),
        ("safety", {"harm": ["a"]}, ["expected.refer", "missing"]),
        ("text", {"text": " "}, ["expected.text"]),
        ("text", {}, ["expected.text"]),
    ],
)
def test_what_a_row_expects_is_checked_and_the_key_named(
    check: str, expected: dict[str, Any], names: list[str]
) -> None:
    fault = check_fault(check, expected)
    assert fault is not None
    assert all(name in fault for name in names), fault


def test_each_check_has_an_expectation_that_fits() -> None:
    assert set(FITTING) == set(get_args(Check))
    assert {check: check_fault(check, expected) for check, expected in FITTING.items()} == dict.fromkeys(FITTING)


@given(
    st.sampled_from(sorted(get_args(Check))),
    st.dictionaries(
        st.sampled_from(
            ["number", "any", "keys", "items", "values", "says", "absent", "cites", "harm", "text", "exact"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=4,
        ),
    ),
)
def test_whatever_a_row_expects_gets_a_plain_answer(check: Check, expected: dict[str, Any]) -> None:
    fault = check_fault(check, expected)
    assert fault is None or fault.startswith("expected")
    if fault is None and check in CHECKS:
        prompt = Prompt(messages=(Message("user", "How many?"),), context=("Seven.",))
        assert checked(Probe(prompt.id, "own", check, expected), prompt, "The answer is 7 [1].") in {True, False, None}
