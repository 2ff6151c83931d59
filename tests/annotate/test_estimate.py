"""What a run will come to is told before it, and the upper figures hold."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.budget import TEMPLATE_TOKENS, Limits, Prices, upper_bound
from annotate.estimate import NOTHING, DryRun, Terms, estimate, sampled

PRICES = Prices(0.5, 2.0)
TERMS = Terms(1_024, PRICES)


def test_each_piece_of_work_is_a_call() -> None:
    told = estimate(["x" * 4_000] * 100, len, TERMS)
    assert (told.calls.low, told.calls.expected, told.calls.upper) == (100, 100, 100)
    assert told.tokens_in.expected == 100_000
    assert told.tokens_out.expected == 30_000
    assert told.cost.expected == pytest.approx(0.05 + 0.06)
    assert told.rendered == 100


@given(st.lists(st.integers(10, 20_000), min_size=1), st.integers(1, 2_000), st.integers(0, 2))
def test_the_upper_figures_hold_for_whatever_comes_back(sizes: list[int], longest: int, repairs: int) -> None:
    told = estimate(sizes, int, Terms(longest, PRICES, repairs))
    for figure in (told.calls, told.tokens_in, told.tokens_out, told.cost):
        assert 0 < figure.low <= figure.expected <= figure.upper
    worst = [upper_bound({"max_tokens": longest}, size, PRICES) for size in sizes]
    assert told.calls.upper == len(sizes) * (1 + repairs)
    assert told.tokens_in.upper >= (1 + repairs) * sum(charge.tokens_in for charge in worst)
    assert told.tokens_out.upper >= (1 + repairs) * sum(charge.tokens_out for charge in worst)
    assert told.cost.upper >= (1 + repairs) * sum(charge.cost for charge in worst) * (1 - 1e-9)


def test_a_repair_shows_the_reply_before_it() -> None:
    one, two = (estimate([1_000], int, Terms(100, PRICES, repairs)) for repairs in (1, 2))
    prompt, reply = 1_000 + TEMPLATE_TOKENS, 100 + TEMPLATE_TOKENS
    assert one.tokens_in.upper == 2 * prompt + reply
    assert two.tokens_in.upper == 3 * prompt + 3 * reply
    assert one.tokens_in.expected == two.tokens_in.expected


def test_of_much_work_a_sample_is_rendered() -> None:
    rendered: list[int] = []

    def size(number: int) -> int:
        rendered.append(number)
        return 1_000 + number % 997

    told = estimate(iter(range(50_000)), size, TERMS)
    assert len(rendered) == told.rendered == 2_000
    true = fmean(1_000 + number % 997 for number in range(50_000))
    assert told.calls.expected == 50_000
    assert told.tokens_in.expected == pytest.approx(50_000 * true / 4, rel=0.02)
    assert told.tokens_in.low < 50_000 * true / 6 < 50_000 * true + 50_000 * TEMPLATE_TOKENS < told.tokens_in.upper
    assert estimate(range(50_000), size, TERMS) == told


def test_a_sample_is_fair_and_always_the_same() -> None:
    kept, n = sampled(iter(range(9_000)), 3_000)
    assert n == 9_000
    assert len(set(kept)) == 3_000
    assert fmean(kept) == pytest.approx(4_500, rel=0.05)
    assert sampled(range(9_000), 3_000)[0] == kept
    assert sampled(range(5), 5) == ([0, 1, 2, 3, 4], 5)


def test_no_reply_is_longer_than_it_may_be() -> None:
    told = estimate([100], int, Terms(20, PRICES))
    assert (told.tokens_out.low, told.tokens_out.expected, told.tokens_out.upper) == (20, 20, 20)


def test_nothing_to_do_costs_nothing() -> None:
    assert estimate([], int, TERMS) == NOTHING
    assert DryRun((), Limits()).text().startswith("requests that fail")
    assert NOTHING.share_within(Limits(1, 1, 1)) == 1


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        (Limits(), 1),
        (Limits(calls=25), 0.25),
        (Limits(tokens=13_000), 0.1),
        (Limits(cost=0.055), 0.5),
        (Limits(50, 13_000, 0.055), 0.1),
        (Limits(1_000, 10**9, 99), 1),
    ],
)
def test_how_far_a_budget_carries(limits: Limits, share: float) -> None:
    told = estimate(["x" * 4_000] * 100, len, TERMS)
    assert told.share_within(limits) == pytest.approx(share)


def test_judges_add_up() -> None:
    one, other = estimate([4_000] * 10, int, TERMS), estimate([8_000] * 5, int, Terms(100, Prices()))
    run = DryRun((("judge:x", one), ("judge:y", other)), Limits(calls=12))
    assert (run.total.calls.expected, run.total.tokens_in.expected) == (15, 20_000)
    assert run.total.cost == one.cost
    lines = run.text().splitlines()
    assert lines[0] == (
        "judge:x: 10 calls, 10,000 (6,666 to 45,120) prompt tokens, 3,000 (500 to 10,240) reply tokens, "
        "cost 0.0110 (0.0043 to 0.0430)"
    )
    assert lines[1].startswith("judge:y: 5 calls")
    assert "cost" not in lines[1]
    assert lines[2].startswith("together: 15 calls")
    assert lines[-1] == "the budget will end at about 80%"
    assert json.loads(json.dumps(run.facts()))["share_within_limits"] == pytest.approx(0.8)


def test_one_judge_is_told_once_and_a_budget_that_lasts() -> None:
    run = DryRun((("judge:x", estimate([4_000], int, TERMS)),), Limits(calls=1))
    assert "together" not in run.text()
    assert run.text().endswith("the budget is expected to last")
