"""Comparisons become judged contests: orders, flips, retests, surgeons."""

from __future__ import annotations

from typing import Any

import pytest

from annotate.passport_contests import JudgedContest, Setting, agreed, contests_of, majority
from annotate.settle import Preference
from ledger.records import Comparison, Order, Verdict

STRENGTH = {"a": 0.9, "b": 0.3, "tie": 0.5, "both_bad": 0.5, "invalid": 0.5}


def said(
    verdict: Verdict, order: Order = "ab", *, number: int = 0, assessor: str = "judge:large", **more: Any
) -> Comparison:
    """One verdict on the two answers to prompt ``number``, the first by the model "ours"."""
    fields = {"strength": STRENGTH[verdict], "rubric": "surgical@1", **more}
    names = (f"p{number}", f"{number}:a", f"{number}:b")
    return Comparison(*names, "ours", "theirs", assessor, verdict, order=order, **fields)


def only(*comparisons: Comparison, surgeons: list[Comparison] | None = None, **more: Any) -> JudgedContest:
    [contest] = contests_of(comparisons, {}, surgeons or [], **more)
    return contest


def test_one_contest_of_both_orders_with_all_that_is_known_of_it() -> None:
    found = contests_of(
        [said("a"), said("a", "ba", strength=0.6), said("b", number=1)],
        {"0:a": 120, "0:b": 80.5},
        [said("a", assessor="surgeon:07")],
        settings={"p0": Setting("exam", "hernia")},
        own={"theirs"},
        reference=[said("tie", "ba", number=1, assessor="judge:other")],
    )
    assert found == [
        JudgedContest(
            prompt="p0",
            ab="a",
            ba="a",
            strength=0.75,
            length_a=120,
            length_b=80.5,
            mode="exam",
            topic="hernia",
            surgeon="a",
            own="b",
        ),
        JudgedContest(prompt="p1", ab="b", strength=0.3, reference="tie", own="b"),
    ]


@pytest.mark.parametrize(
    ("ab", "ba", "verdict", "flipped", "strength"),
    [
        ("a", "a", "a", False, 0.9),
        ("a", "b", "tie", True, 0.5),
        ("b", "a", "tie", True, 0.5),
        ("a", "tie", "tie", True, 0.5),
        ("b", "both_bad", "tie", True, 0.5),
        ("tie", "both_bad", "tie", False, 0.5),
        ("both_bad", "both_bad", "tie", False, 0.5),
        ("invalid", "b", "b", False, 0.3),
        ("a", "invalid", "a", False, 0.9),
        ("invalid", "invalid", None, False, None),
    ],
)
def test_two_orders_that_differ_are_a_tie_with_the_least_strength_and_marked(
    ab: Verdict, ba: Verdict, verdict: Preference | None, flipped: bool, strength: float | None
) -> None:
    for rows in ([said(ab), said(ba, "ba")], [said(ba, "ba"), said(ab)]):
        contest = only(*rows)
        assert (contest.ab, contest.ba) == (ab, ba)
        assert (contest.verdict, contest.flipped, contest.strength) == (verdict, flipped, strength)


def test_an_order_that_was_never_asked_is_no_invalid_one() -> None:
    contest = only(said("b", "ba"))
    assert (contest.ab, contest.ba, contest.verdict, contest.flipped) == (None, "b", "b", False)
    assert contest.causes == ()


def test_causes_are_those_of_the_invalid_verdicts() -> None:
    contest = only(said("invalid", cause="timed out: 60 s"), said("invalid", "ba"))
    assert contest.causes == ("timed out: 60 s", "unknown")


def test_further_samples_of_one_order_are_retests_and_change_nothing_else() -> None:
    contest = only(said("a"), said("a", "ba"), said("b", reply="2"), said("invalid", reply="3", cause="refused"))
    assert (contest.ab, contest.ba, contest.verdict) == ("a", "a", "a")
    assert (contest.retests_ab, contest.retests_ba) == (("b", "invalid"), ())
    assert contest.causes == ()


def test_another_rubric_is_another_contest_and_no_retest() -> None:
    found = contests_of([said("a"), said("b", rubric="surgical@2")], {})
    assert [(each.ab, each.retests_ab) for each in found] == [("a", ()), ("b", ())]


def test_a_passport_is_of_one_judge() -> None:
    with pytest.raises(ValueError, match="judge:large, judge:small"):
        contests_of([said("a"), said("a", assessor="judge:small", number=1)], {})


@pytest.mark.parametrize(
    ("verdicts", "consensus"),
    [
        ({"1": ["a"], "2": ["a"], "3": ["b"]}, "a"),
        ({"1": ["a"], "2": ["b"]}, "tie"),
        ({"1": ["a"], "2": ["b"], "3": ["tie"]}, "tie"),
        ({"1": ["a"], "2": ["a"], "3": ["b"], "4": ["tie"]}, "tie"),
        ({"1": ["both_bad"]}, "tie"),
        ({"1": ["invalid"], "2": ["b"]}, "b"),
        ({"1": ["invalid"]}, None),
        ({"1": ["a", "a", "a"], "2": ["b"], "3": ["b"]}, "b"),
        ({"1": ["a", "b"], "2": ["b"]}, "tie"),
    ],
)
def test_surgeons_are_heard_once_each_and_their_majority_counts(
    verdicts: dict[str, list[Verdict]], consensus: Preference | None
) -> None:
    rows = [said(each, assessor=f"surgeon:{name}") for name, every in verdicts.items() for each in every]
    assert only(said("a"), surgeons=rows).surgeon == consensus


def test_surgeons_verdicts_on_other_answers_are_no_matter() -> None:
    assert only(said("a"), surgeons=[said("b", number=9, assessor="surgeon:1")]).surgeon is None


@pytest.mark.parametrize(
    ("own", "side"), [({"ours"}, "a"), ({"theirs", "x"}, "b"), ({"ours", "theirs"}, None), ((), None)]
)
def test_an_own_answer_is_one_against_another_family(own: Any, side: str | None) -> None:
    assert only(said("a"), own=own).own == side


def test_nothing_said_is_nothing_agreed() -> None:
    assert agreed([]) is None
    assert majority([]) is None
    assert contests_of([], {}) == []
