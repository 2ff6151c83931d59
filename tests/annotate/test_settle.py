"""Two orders of one contest: one verdict, and whether it hung on the order."""

from __future__ import annotations

import pytest

from annotate.settle import Settled, settle
from ledger.records import Comparison, Order, Verdict

STRENGTH: dict[Verdict, float] = {"a": 0.9, "b": 0.3, "tie": 0.5, "both_bad": 0.5, "invalid": 0.5}


def said(verdict: Verdict, order: Order, strength: float | None = None) -> Comparison:
    given = STRENGTH[verdict] if strength is None else strength
    return Comparison("p", "a", "b", "m", "n", "judge:j", verdict, given, order, rubric="r@1")


@pytest.mark.parametrize(
    ("ab", "ba", "expected"),
    [
        ("a", "a", Settled("a", 0.9)),
        ("b", "b", Settled("b", 0.3)),
        ("tie", "tie", Settled("tie", 0.5)),
        ("both_bad", "both_bad", Settled("both_bad", 0.5)),
        ("tie", "both_bad", Settled("tie", 0.5)),
        ("a", "b", Settled("tie", 0.5, flipped=True)),
        ("a", "tie", Settled("tie", 0.5, flipped=True)),
        ("both_bad", "b", Settled("tie", 0.5, flipped=True)),
        ("a", "invalid", Settled("a", 0.9)),
        ("both_bad", "invalid", Settled("both_bad", 0.5)),
        ("invalid", "invalid", Settled("invalid", 0.5)),
    ],
)
def test_each_two_verdicts_whichever_order_comes_first(ab: Verdict, ba: Verdict, expected: Settled) -> None:
    assert settle([said(ab, "ab"), said(ba, "ba")]) == expected
    assert settle([said(ba, "ab"), said(ab, "ba")]) == expected


def test_an_order_that_was_never_asked_is_as_good_as_an_invalid_one() -> None:
    assert settle([said("b", "ab")]) == settle([said("b", "ba")]) == Settled("b", 0.3)
    assert settle([]) == settle([said("invalid", "ab")]) == Settled("invalid", 0.5)


def test_the_strength_of_agreement_is_the_mean() -> None:
    assert settle([said("a", "ab", 0.9), said("a", "ba", 0.7)]) == Settled("a", 0.8)


def test_a_tie_is_undecided_whichever_side_it_leans_to() -> None:
    assert settle([said("tie", "ab", 0.56), said("tie", "ba", 0.5)]) == Settled("tie", 0.5)
