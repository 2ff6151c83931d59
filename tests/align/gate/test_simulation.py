"""A small version of `benchmarks/gate.py`, and that its worlds are what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align.gate.evidence import AxisGuard, LengthGuard, ShareGuard
from benchmarks.gate import CLINICAL, EXAM, shares, variant
from benchmarks.gate_worlds import GUARDS, JUST, RATES, World, default_margins, draw
from ledger.config import GateConfig

ROUNDS = 100


def test_the_margins_are_those_of_the_configuration() -> None:
    margins, rules = default_margins(), GateConfig()
    assert set(margins) == set(GUARDS)
    assert (margins["harm"], margins[CLINICAL], margins["length"]) == (rules.harm, rules.exam_accuracy, rules.length)


@pytest.mark.parametrize("worse", GUARDS)
def test_a_world_is_as_much_worse_as_it_says(worse: str) -> None:
    many = {name: replace(rate, n=40_000) for name, rate in RATES.items()}
    world = World(held_out=80_000, rates=many, worse=worse, better=True)
    evidence = draw(world, np.random.default_rng(0), resamples=10)
    assert evidence.superiority is not None
    assert evidence.superiority.rate == pytest.approx(0.58, abs=0.005)
    for guard in evidence.guards:
        margin = JUST * guard.margin
        if isinstance(guard, ShareGuard) and guard.name == worse:
            assert np.mean(list(guard.shares.values())) == pytest.approx(0.5 - margin, abs=0.01)
        elif isinstance(guard, LengthGuard):
            growth = sum(guard.after.values()) / sum(guard.before.values())
            assert growth == pytest.approx(1 + margin if guard.name == worse else 1.0, abs=0.02)
        elif isinstance(guard, AxisGuard) and guard.before is not None and guard.after is not None:
            gain = (guard.after.mean or 0) - (guard.before.mean or 0)
            gain = gain if guard.after.higher_is_better else -gain
            assert gain == pytest.approx(-margin if guard.name == worse else world.gain(guard.name), abs=0.012)


@pytest.mark.parametrize("worse", ["win rate, clinical", "harm"])
def test_a_model_that_is_worse_is_hardly_ever_promoted(worse: str) -> None:
    """2.5% at most: of 100 rounds more than 8 in fewer than one of 1,000 runs."""
    found = shares(World(worse=worse, better=True), ROUNDS, 1)
    assert found.promoted <= 0.08
    assert found.outcomes["reject"] > 0.1


def test_a_better_model_is_promoted_where_there_are_probes_enough() -> None:
    """A power of about 89%, with a standard error of 3%."""
    enough = variant({CLINICAL: 200, EXAM: 800, "harm": 120, "over-refusal": 120}, {CLINICAL: 0.1, EXAM: 0.1})
    found = shares(enough, ROUNDS, 2)
    assert found.promoted >= 0.78
    assert found.unadjusted >= found.promoted
    assert found.outcomes.get("reject", 0) <= 0.05


def test_a_model_that_is_no_better_is_not_promoted() -> None:
    found = shares(replace(World(), win_rate=0.5), ROUNDS, 3)
    assert found.promoted <= 0.05
