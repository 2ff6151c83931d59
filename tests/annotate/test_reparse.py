"""A new parser reads what an older one could not, without a call and without billing twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from annotate.attempts import put_together
from annotate.reparse import reparse
from annotate.rubric import Rubric
from ledger.records import Comparison

RUBRIC = Rubric("test", "1. **Accuracy.** True.")
INVALID = Comparison(
    "p",
    "a",
    "b",
    "m",
    "n",
    "judge:j",
    "invalid",
    cause="unparsable",
    order="ba",
    tokens=7,
    cost=0.1,
    seconds=2.0,
    count=3,
)


def said(level: str, score: object = 4) -> str:
    scores = {"accuracy": {"a": score, "b": 2}}
    return "Well: " + json.dumps({"rationale": "r\x00", "scores": scores, "verdict": level})


def test_a_reply_that_can_be_read_now_is_a_comparison() -> None:
    stored = replace(INVALID, reply=said("a_better"))
    read = reparse(stored, RUBRIC)
    assert read == replace(
        stored,
        verdict="b",
        strength=0.3,
        axes={"accuracy": [2, 4]},
        rationale="r\ufffd",
        cause="",
        tokens=0,
        cost=0.0,
        seconds=0.0,
    )
    assert read.id != stored.id
    assert reparse(read, RUBRIC) is None  # it says so already


def test_the_order_is_the_comparisons_own() -> None:
    read = reparse(replace(INVALID, reply=said("a_better"), order="ab"), RUBRIC)
    assert read is not None
    assert (read.verdict, read.strength, read.axes) == ("a", 0.7, {"accuracy": [4, 2]})


def test_probabilities_that_were_kept_give_the_strength() -> None:
    read = reparse(replace(INVALID, reply=said("a_better"), order="ab"), RUBRIC, {"a_better": 0.5, "tie": 0.5})
    assert read is not None
    assert read.strength == 0.6


def test_a_valid_comparison_is_read_anew_too() -> None:
    stored = replace(INVALID, verdict="tie", cause="", rationale="old", reply=said("b_better"))
    read = reparse(stored, RUBRIC)
    assert read is not None
    assert (read.verdict, read.rationale) == ("a", "r\ufffd")
    finer = replace(read, strength=0.66, tokens=7)
    assert reparse(finer, RUBRIC) is None  # the strength came from token probabilities


@pytest.mark.parametrize(
    "comparison",
    [
        replace(INVALID, reply="Answer A."),
        replace(INVALID, reply=""),
        replace(INVALID, verdict="a", cause="", reply=""),
        replace(INVALID, cause="cut", reply=said("a_better")),
        replace(INVALID, cause="refused", reply=said("a_better")),
        replace(INVALID, cause="server error 500", reply=said("a_better")),
        replace(INVALID, verdict="a", cause="", reply=put_together(said("b_better"), "unparsable", "")),
    ],
)
def test_where_there_is_nothing_to_read_there_is_nothing(comparison: Comparison) -> None:
    assert reparse(comparison, RUBRIC) is None


def test_of_several_attempts_the_last_readable_one_counts() -> None:
    two = put_together(said("a_better"), "unparsable", said("b_much_better"))
    read = reparse(replace(INVALID, reply=two), RUBRIC)
    assert read is not None
    assert (read.verdict, read.reply) == ("a", two)
    failed = put_together(said("a_better"), "unparsable", said("b_better"))
    read = reparse(replace(INVALID, reply=failed, cause="cut"), RUBRIC)
    assert read is not None
    assert read.verdict == "b"  # what was cut was not said to its end
