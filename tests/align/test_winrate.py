"""Win rates by hand; their intervals over prompts."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.resampling import mean_interval
from align.scores import PromptScore, as_columns
from align.winrate import WinRate, scores_by_prompt, win_rate, win_rates_by
from ledger.queries import PromptTally
from tests.real_data import real_file


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
    assert "3 invalid verdicts: between 16.7% and 66.7% with them [" in found.text()


def test_the_bounds_have_an_interval_of_their_own() -> None:
    """40 wins, 40 losses, 20 invalid: 40% at worst, 60% at best."""
    found = rated(
        *(tally(f"w{i}", wins=1) for i in range(40)),
        *(tally(f"l{i}", losses=1) for i in range(40)),
        *(tally(f"x{i}", invalid=1) for i in range(20)),
        resamples=2_000,
    )
    assert (found.win_rate, found.worst, found.best) == (0.5, 0.4, 0.6)
    worst, best = np.array([1.0] * 40 + [0.0] * 60), np.array([1.0] * 60 + [0.0] * 40)
    assert found.worst_low == mean_interval(worst, 2_000, 0.95)[0] < 0.32
    assert found.best_high == mean_interval(best, 2_000, 0.95)[1] > 0.68
    assert found.worst_low < found.low < found.high < found.best_high


def test_without_failures_the_bounds_are_the_interval_itself() -> None:
    found = rated(tally("p", wins=1), tally("q", losses=1), tally("r", ties=1))
    assert (found.worst_low, found.best_high) == (found.low, found.high)


def test_the_standard_error_is_over_prompts() -> None:
    found = rated(tally("p", wins=8), tally("q", losses=8), tally("r", wins=4, losses=4))
    assert found.standard_error == pytest.approx(0.5 / np.sqrt(3))
    assert rated(tally("p", wins=3)).standard_error is None


@pytest.mark.parametrize("tallies", [[], [tally("p", invalid=4)], [tally("p")]])
def test_no_valid_verdict_no_rate(tallies: list[PromptTally]) -> None:
    assert win_rate(scores_by_prompt(tallies)) is None


def test_a_prompt_without_any_verdict_changes_nothing() -> None:
    with_empty, without = rated(tally("p", wins=1), tally("q")), rated(tally("p", wins=1))
    assert with_empty == without


def test_the_text_has_rate_interval_and_number() -> None:
    found = WinRate(0.7, 0.65, 0.74, 0.95, 120, 480, 0, 0.7, 0.7, 0.65, 0.74, 0.02)
    assert found.text() == "wins 70.0% [65.0%, 74.0%] on 120 held-out prompts"


def test_each_group_of_prompts_has_its_own_rate() -> None:
    scores = as_columns(
        scores_by_prompt([tally("p", wins=1), tally("q", losses=1), tally("r", wins=1), tally("s", invalid=1)])
    )
    found = win_rates_by(scores, {"p": "hernia", "q": "hernia", "r": "biliary", "s": "trauma"}, resamples=200)
    assert {name: (rate.win_rate, rate.n_prompts) for name, rate in found.items()} == {
        "biliary": (1.0, 1),
        "hernia": (0.5, 2),
    }
    assert list(found) == sorted(found)


def test_winning_every_prompt_is_not_certain_to_go_on() -> None:
    found = rated(*(tally(str(i), wins=1) for i in range(30)))
    assert (found.win_rate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 30))  # Clopper & Pearson


def published() -> list[tuple[str, dict[str, float], list[float]]]:
    """AlpacaEval 2: each model's published figures, and what the judge said of it on each prompt, in [0, 1]."""
    said: dict[str, list[float]] = defaultdict(list)
    with real_file("alpacaeval2/annotations_compact.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            said[row["model"]].append(float(row["preference"]) - 1)
    with real_file("alpacaeval2/published_leaderboard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            row["model"],
            {name: float(row[name]) for name in ("win_rate", "standard_error", "n_total")},
            said[row["model"]],
        )
        for row in rows
    ]


def test_the_published_win_rates_of_alpacaeval() -> None:
    for model, figures, said in published():
        found = win_rate([PromptScore(str(at), value, 1, 0) for at, value in enumerate(said)], resamples=200)
        assert found is not None
        assert found.standard_error is not None
        assert 100 * found.win_rate == pytest.approx(figures["win_rate"], abs=1e-9), model
        assert 100 * found.standard_error == pytest.approx(figures["standard_error"], abs=1e-9), model
        assert found.n_prompts == figures["n_total"]


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


@settings(deadline=None)
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
