"""Biases: judges whose biases are known, and what is found of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annotate.bootstrap import Estimate
from annotate.passport_biases import (
    LengthBias,
    OrderEffects,
    SelfPreference,
    length_bias,
    order_effects,
    self_preference,
)
from annotate.passport_columns import Resampling, columns_of
from annotate.passport_contests import JudgedContest, Side
from annotate.settle import Preference
from ledger.records import Verdict

BY = Resampling(resamples=400)
Judge = Callable[[Side, Side, Side], Side]  # the better, the longer and the first answer -> the verdict
SIDES: tuple[Side, Side] = ("a", "b")
OTHER: dict[Side, Side] = {"a": "b", "b": "a"}


def holds(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def orders(*verdicts: tuple[str | None, str | None]) -> OrderEffects:
    contests = [JudgedContest(f"p{at}", ab, ba) for at, (ab, ba) in enumerate(verdicts)]  # type: ignore[arg-type]
    return order_effects(columns_of(contests), BY)


def tried(judge: Judge, n: int = 1500, seed: int = 5) -> list[JudgedContest]:
    """Contests with a better and a longer answer, drawn apart; two to a prompt; surgeons see the better one."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        better, longer = SIDES[rng.integers(2)], SIDES[rng.integers(2)]
        made.append(
            JudgedContest(
                f"p{number // 2}",
                ab=judge(better, longer, "a"),
                ba=judge(better, longer, "b"),
                length_a=300 if longer == "a" else 100,
                length_b=300 if longer == "b" else 100,
                surgeon=better,
                own=longer,
            )
        )
    return made


def swayed(share: float, towards: int, seed: int = 1) -> Judge:
    """A judge who says what is better, but for a share of verdicts that go to the longer (1) or first (2) answer."""
    rng = np.random.default_rng(seed)
    return lambda *sides: sides[towards if rng.random() < share else 0]


def test_orders_by_hand() -> None:
    found = orders(("a", "a"), ("a", "b"), ("b", "a"), ("a", "tie"), ("tie", "both_bad"), ("invalid", "a"), (None, "b"))
    assert (found.consistency.estimate, found.consistency.n_items) == pytest.approx((2 / 5, 5))
    # Decided: a a | a b | b a | a - | - -, of which the first place has a | a b | none | a
    assert found.first_place.estimate == pytest.approx(4 / 7)
    assert found.bias.estimate == pytest.approx(4 / 7 - 1 / 2)
    assert (found.flips_to_first.estimate, found.flips_to_first.n_items) == pytest.approx((2 / 3, 3))
    assert found.flips_to_second.estimate == pytest.approx(1 / 3)
    # by hand: agreement 2/5; chance (3*2 + 1*1 + 1*2) / 25
    assert found.kappa.estimate == pytest.approx((2 / 5 - 9 / 25) / (1 - 9 / 25))


@pytest.mark.parametrize(("verdicts", "share"), [(("a", "b"), 1.0), (("b", "a"), 0.0)])
def test_who_sees_only_the_place_is_never_consistent(verdicts: tuple[str, str], share: float) -> None:
    found = orders(*[verdicts] * 30)
    assert found.consistency.estimate == 0
    assert found.first_place.estimate == found.flips_to_first.estimate == share
    assert found.flips_to_second.estimate == 1 - share
    assert found.bias.estimate == share - 0.5
    for estimate in (found.consistency, found.first_place, found.flips_to_first, found.flips_to_second):
        assert estimate.low is not None
        assert estimate.high is not None
        assert 0.05 < estimate.high - estimate.low < 0.2  # 30 contests prove nothing exactly


def test_a_consistent_judge_has_no_position_bias_and_no_flips() -> None:
    found = orders(*[("a", "a"), ("b", "b"), ("a", "a")] * 5)
    assert (found.consistency.estimate, found.kappa.estimate, found.bias.estimate) == (1, 1, 0)
    assert found.flips_to_first.estimate is None
    assert found.flips_to_second == Estimate(None, None, None, 0, 0)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_known_position_bias_is_found(share: float) -> None:
    found = order_effects(columns_of(tried(swayed(share, towards=2))), BY)
    assert holds(found.consistency, 1 - share)
    assert holds(found.bias, share / 2)
    assert found.flips_to_first.estimate == 1


def lengths(contests: list[JudgedContest]) -> LengthBias:
    return length_bias(columns_of(contests), BY)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_known_length_bias_is_found(share: float) -> None:
    found = lengths(tried(swayed(share, towards=1)))
    assert holds(found.gap, share)
    both, neither = share**2, (1 - share) ** 2  # swayed in both orders, or in neither; else it is a flip
    assert holds(found.longer_wins, (1 + both) / (1 + both + neither))
    assert holds(found.surgeons_longer_wins, 0.5)


def test_a_judge_who_errs_without_regard_to_length_has_no_length_bias_even_where_longer_is_better() -> None:
    rng = np.random.default_rng(4)
    longer_is_better = [each for each in tried(lambda better, _longer, _first: better) if each.own == each.surgeon]
    others = [each for each in tried(lambda better, _longer, _first: better, 400, 6) if each.own != each.surgeon]
    contests = []
    for each in [*longer_is_better, *others]:
        assert each.surgeon in ("a", "b")
        verdict = OTHER[each.surgeon] if rng.random() < 0.25 else each.surgeon
        contests.append(JudgedContest(each.prompt, verdict, verdict, length_a=each.length_a, length_b=each.length_b,
                                      surgeon=each.surgeon))  # fmt: skip
    found = lengths(contests)
    assert found.surgeons_longer_wins.estimate == pytest.approx(0.79, abs=0.03)
    assert (found.longer_wins.estimate or 0) > 0.6
    assert holds(found.gap, 0)


def test_lengths_by_hand() -> None:
    def one(
        number: int, verdict: Verdict, surgeon: Preference | None, a: float | None, b: float | None
    ) -> JudgedContest:
        return JudgedContest(f"p{number}", verdict, verdict, length_a=a, length_b=b, surgeon=surgeon)

    found = lengths(
        [
            one(0, "a", "a", 9, 1),  # the longer is better, and wins
            one(1, "tie", "b", 1, 9),  # the longer is better, and ties
            one(2, "a", "b", 9, 1),  # the shorter is better, and loses
            one(3, "b", "b", 9, 1),  # the shorter is better, and wins
            one(4, "b", "tie", 1, 9),  # surgeons are undecided
            one(5, "a", "a", 5, 5),  # neither is longer
            one(6, "a", "a", None, 5),  # nobody knows
            one(7, "a", None, 9, 1),  # no surgeon saw it
            one(8, "invalid", "a", 9, 1),  # the judge did not rule
        ]
    )
    assert (found.longer_wins.estimate, found.longer_wins.n_items) == pytest.approx((4 / 5, 5))
    assert (found.surgeons_longer_wins.estimate, found.surgeons_longer_wins.n_items) == pytest.approx((2 / 4, 4))
    assert (found.gap.estimate, found.gap.n_items) == pytest.approx(((1 + 0.5) / 2 - 1 / 2, 4))


def sloped(slope: float, n: int, seed: int) -> list[JudgedContest]:
    rng = np.random.default_rng(seed)
    excess = rng.normal(0, 200, n).round() + 0.5
    wins = rng.random(n) < 1 / (1 + np.exp(-slope * np.tanh(excess / np.sqrt(np.mean(excess**2)))))
    sides = [SIDES[int(not win)] for win in wins]
    return [
        JudgedContest(f"p{at // 3}", side, side, length_a=1000 + excess[at], length_b=1000.0)
        for at, side in enumerate(sides)
    ]


@pytest.mark.parametrize("slope", [-1.0, 0.0, 2.5])
def test_the_slope_is_the_one_that_the_verdicts_were_drawn_with(slope: float) -> None:
    found = lengths(sloped(slope, 20_000, 1)).slope
    assert found.estimate == pytest.approx(slope, abs=0.12)
    assert holds(found, slope)


def far_off() -> list[JudgedContest]:
    """The longer answer nearly always wins, by however little it is longer; once it does not, by far the longest."""
    excess = [50.0 + at % 7 for at in range(300)] + [900.0]
    return [
        JudgedContest(f"p{at}", side, side, length_a=1000 + more, length_b=1000)
        for at, (side, more) in enumerate(zip([*[SIDES[0]] * 300, SIDES[1]], excess, strict=True))
    ]


@pytest.mark.parametrize("contests", [sloped(1.0, 60, 2), sloped(-2.0, 60, 3), far_off()], ids=["up", "down", "far"])
def test_the_slope_maximises_the_likelihood(contests: list[JudgedContest]) -> None:
    found = lengths(contests).slope.estimate or 0.0
    excess = np.array([(each.length_a or 0) - (each.length_b or 0) for each in contests])
    size = np.tanh(excess / np.sqrt(np.mean(excess**2)))
    won = np.array([each.ab == "a" for each in contests])
    assert np.sum(size * (won - 1 / (1 + np.exp(-found * size)))) == pytest.approx(0, abs=1e-9)


def test_intervals_of_the_slope_cover_it() -> None:
    covered = [holds(lengths(sloped(1.0, 120, seed)).slope, 1.0) for seed in range(100)]
    assert 0.88 <= np.mean(covered) <= 0.99


def test_no_slope_is_given_where_none_is_the_best() -> None:
    always = [JudgedContest(f"p{at}", "a", "a", length_a=at + 2.0, length_b=1.0) for at in range(20)]
    found = lengths(always)
    assert (found.slope.estimate, found.slope.n_items) == (None, 20)
    assert found.longer_wins.estimate == 1


def of_own(contests: list[JudgedContest]) -> SelfPreference:
    return self_preference(columns_of(contests), BY)


def test_a_known_self_preference_is_found() -> None:
    """`tried` makes the longer answer the own one; a verdict swayed in one order only is a flip: a tie, half right."""
    share = 0.25
    found = of_own(tried(swayed(share, towards=1)))
    both, neither = share**2, (1 - share) ** 2
    assert holds(found.gap_to_surgeons, share)
    assert holds(found.own_wins, (1 + both) / (1 + both + neither))  # half of the time the own answer is the better
    assert found.gap_to_reference.estimate is None


def test_a_judge_who_is_always_right_prefers_nobody() -> None:
    found = of_own(tried(swayed(0.0, towards=1)))
    assert found.gap_to_surgeons == Estimate(0.0, None, None, 1500, 750)
    assert holds(found.own_wins, 0.5)


def test_self_preference_against_a_reference_judge() -> None:
    contests = [
        JudgedContest("p0", "a", "a", own="a", reference="a"),
        JudgedContest("p1", "a", "a", own="a", reference="b"),
        JudgedContest("p2", "b", "b", own="a", reference="b"),
        JudgedContest("p3", "b", "b", own="b", reference="tie"),
        JudgedContest("p4", "b", "b", reference="a"),
    ]
    found = of_own(contests)
    assert (found.gap_to_reference.estimate, found.gap_to_reference.n_items) == pytest.approx((1 - 1 / 2, 3))
    assert (found.own_wins.estimate, found.own_wins.n_items) == pytest.approx((3 / 4, 4))
    assert found.gap_to_surgeons.estimate is None
