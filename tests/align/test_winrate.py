"""Win rates by hand, and intervals against a plain bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.winrate import PromptScore, WinRate, bootstrap_interval, scores_by_prompt, win_rate
from ledger.queries import PromptTally

RESAMPLES = 10_000


def tally(prompt: str, **verdicts: int) -> PromptTally:
    counts = {"wins": 0, "losses": 0, "ties": 0, "both_bad": 0, "invalid": 0} | verdicts
    return PromptTally(prompt, "judge:large", **counts)


def rated(*tallies: PromptTally, resamples: int = 500) -> WinRate:
    found = win_rate(scores_by_prompt(tallies), resamples=resamples)
    assert found is not None
    return found


def test_a_win_a_loss_and_a_tie() -> None:
    found = rated(tally("p", wins=1), tally("q", losses=1), tally("r", ties=1))
    assert (found.win_rate, found.n_prompts, found.n_comparisons, found.n_invalid) == (0.5, 3, 3, 0)
    assert (found.worst, found.best) == (0.5, 0.5)


def test_both_bad_is_a_half() -> None:
    assert rated(tally("p", both_bad=1), tally("q", wins=1)).win_rate == 0.75


def test_a_prompt_judged_often_counts_once() -> None:
    found = rated(tally("p", wins=90, losses=10), tally("q", losses=1))
    assert found.win_rate == pytest.approx((0.9 + 0) / 2)
    assert (found.n_prompts, found.n_comparisons) == (2, 101)


def test_the_assessors_of_a_prompt_are_added_up() -> None:
    key = PromptTally("p", "metric:key", 3, 0, 0, 0, 1)
    (score,) = scores_by_prompt([tally("p", losses=1, ties=2), key])
    assert score == PromptScore("p", points=4.0, valid=6, invalid=1)


def test_invalid_verdicts_bound_the_rate() -> None:
    """p: one win, one invalid; q: a loss; r: nothing but two invalid ones."""
    found = rated(tally("p", wins=1, invalid=1), tally("q", losses=1), tally("r", invalid=2))
    assert found.win_rate == 0.5
    assert found.worst == pytest.approx((0.5 + 0 + 0) / 3)
    assert found.best == pytest.approx((1 + 0 + 1) / 3)
    assert (found.n_prompts, found.n_comparisons, found.n_invalid) == (2, 2, 3)
    assert "3 invalid verdicts: between 16.7% and 66.7% with them" in found.text()


@pytest.mark.parametrize("tallies", [[], [tally("p", invalid=4)], [tally("p")]])
def test_no_valid_verdict_no_rate(tallies: list[PromptTally]) -> None:
    assert win_rate(scores_by_prompt(tallies)) is None


def test_a_prompt_without_any_verdict_changes_nothing() -> None:
    with_empty, without = rated(tally("p", wins=1), tally("q")), rated(tally("p", wins=1))
    assert with_empty == without


def test_the_text_has_rate_interval_and_number() -> None:
    found = WinRate(0.7, 0.65, 0.74, 0.95, 120, 480, 0, 0.7, 0.7)
    assert found.text() == "wins 70.0% [65.0%, 74.0%] on 120 held-out prompts"


def plain_bootstrap(values: np.ndarray, confidence: float, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("values", [[0, 0.5, 1] * 30, [1.0] * 60 + [0.0] * 40, list(np.linspace(0, 1, 97))])
def test_the_interval_is_that_of_a_plain_bootstrap(values: Sequence[float], confidence: float) -> None:
    """The noise of a quantile of 10,000 means: sqrt(p(1-p)/10,000) over its density, here below 4% of a half-width."""
    array = np.array(values, dtype=float)
    ours = bootstrap_interval(array, RESAMPLES, confidence)
    theirs = [plain_bootstrap(array, confidence, seed) for seed in range(3)]
    half = (ours[1] - ours[0]) / 2
    for side in (0, 1):
        assert ours[side] == pytest.approx(np.mean([each[side] for each in theirs]), abs=0.06 * half)


def test_the_interval_is_the_same_every_time_and_in_any_order() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values, 1_000, 0.95) == bootstrap_interval(values[::-1], 1_000, 0.95)


def test_one_value_throughout_is_an_interval_of_no_width() -> None:
    assert bootstrap_interval(np.full(20, 1 / 3), 1_000, 0.95) == pytest.approx((1 / 3, 1 / 3))


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """300 evaluations of 120 prompts with four verdicts each, prompts being of different difficulty: prompts, not rows,
    are what is drawn, so verdicts on one prompt may go together as they like.
    """
    rng = np.random.default_rng(7)
    runs, prompts, each = 300, 120, 4
    chances = rng.beta(0.8, 0.6, size=(runs, prompts))
    wins = rng.binomial(each, chances)
    truth = 0.8 / (0.8 + 0.6)
    held = 0
    for row in wins:
        scores = [PromptScore(str(place), float(won), each, 0) for place, won in enumerate(row)]
        found = win_rate(scores, resamples=1_000)
        assert found is not None
        held += found.low <= truth <= found.high
    assert 0.91 <= held / runs <= 0.98


COUNTS = st.integers(0, 5)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=8))
def test_bounds_hold_the_rate_and_swapping_the_models_mirrors_it(counts: list[tuple[int, int, int, int, int]]) -> None:
    ours = win_rate(scores_by_prompt(PromptTally(str(i), "x", *each) for i, each in enumerate(counts)), resamples=200)
    swapped = [PromptTally(str(i), "x", losses, wins, *rest) for i, (wins, losses, *rest) in enumerate(counts)]
    theirs = win_rate(scores_by_prompt(swapped), resamples=200)
    if ours is None or theirs is None:
        assert ours is theirs is None
        return
    assert ours.worst <= ours.win_rate + 1e-12
    assert ours.win_rate <= ours.best + 1e-12
    assert ours.low - 1e-12 <= ours.high
    assert ours.win_rate == pytest.approx(1 - theirs.win_rate)
    assert ours.worst == pytest.approx(1 - theirs.best)
