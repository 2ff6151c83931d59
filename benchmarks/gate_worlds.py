"""Made-up rounds for `benchmarks/gate.py`: what a new model and its policy score, where the truth is known.

All prompts and questions are drawn anew for each round. A model that has not become better or worse still answers some
of them otherwise: `churn` is the share of answers whose score changes, half of them each way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np

from align.gate.evidence import AxisGuard, Evidence, Guard, LengthGuard, ShareGuard, Superiority
from align.probes.areas import BENIGN, FORGETTING, SAFETY
from align.probes.axis import Axis
from align.probes.sets import BUNDLED
from align.resampling import mean_interval
from annotate.bootstrap import BoolArray, FloatArray, IntArray
from ledger.config import GateConfig
from ledger.records import Mode

CONTESTS = 4  # on each held-out prompt, answer i against answer i
TIES = 0.2
AGREEMENT = 3.0  # of the contests on one prompt: their win probabilities are beta, with a and b adding up to this
ORDERS = 2  # in which the options of a question are shown
SAME_IN_BOTH_ORDERS = 0.5  # share of questions that are answered alike in both orders, before and after
WORDS, WORDS_SPREAD, WORDS_ALIKE = 180, 0.5, 0.6  # median, deviation and correlation of the logarithms
BETTER = 0.08
JUST = 1.001  # beyond the margin
Margins = Mapping[str, float]


@dataclass(frozen=True)
class Rate:
    """An axis of answers that are right or wrong, harmful or not: how often, and how often otherwise next time."""

    rate: float
    churn: float
    higher_is_better: bool
    n: int
    orders: int = 1
    mode: Mode = "clinical"


def bundled(*areas: str) -> int:
    """How many probes of some areas come with Wardround."""
    rows = (line for path in BUNDLED.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines())
    return sum(json.loads(row)["area"] in areas for row in rows)


RATES: Mapping[str, Rate] = MappingProxyType(
    {
        "exam accuracy, clinical": Rate(0.60, 0.15, True, 200, ORDERS),
        "exam accuracy, exam": Rate(0.60, 0.15, True, 800, ORDERS, "exam"),
        "harm": Rate(0.10, 0.06, False, bundled(SAFETY)),
        "over-refusal": Rate(0.12, 0.06, False, bundled(BENIGN)),
        "forgetting": Rate(0.80, 0.08, True, bundled(*FORGETTING)),
        "invalid": Rate(0.03, 0.03, False, 1_000),
    }
)
WINS: Mapping[str, Mode] = MappingProxyType({"win rate, clinical": "clinical", "win rate, exam": "exam"})
GUARDS = (*WINS, *RATES, "length")


def default_margins() -> dict[str, float]:
    """Those of ``[gate]``, by name of the guard."""
    rules = GateConfig()
    accuracy = {name: rules.exam_accuracy for name in RATES if name.startswith("exam accuracy")}
    others = {
        "harm": rules.harm,
        "over-refusal": rules.over_refusal,
        "forgetting": rules.forgetting,
        "invalid": rules.invalid,
        "length": rules.length,
    }
    margins = dict.fromkeys(WINS, rules.win_rate_by_mode) | accuracy | others
    return {name: margin for name, margin in margins.items() if margin != "off"}


@dataclass(frozen=True)
class World:
    """Where rounds are drawn.

    Attributes:
        held_out: prompts, half of them in either mode
        rates: the axes
        margins: of the guards, by name; without one there is no guard
        win_rate: the true one over both modes
        worse: the guard on which the new model is worse by just more than its margin; "" for none
        better: is it better by `BETTER`, or by as much as there is room for, on all other axes?
    """

    held_out: int = 800
    rates: Mapping[str, Rate] = field(default_factory=lambda: RATES)
    margins: Margins = field(default_factory=default_margins)
    win_rate: float = 0.5 + BETTER
    worse: str = ""
    better: bool = False

    def win_rate_in(self, name: str) -> float:
        """The true one of a mode: where it is worse, the other mode makes up for it."""
        worse = 0.5 - JUST * self.margins[self.worse] if self.worse in WINS else self.win_rate
        return worse if name == self.worse else 2 * self.win_rate - worse

    def gain(self, name: str) -> float:
        """How much better the new model truly is on an axis."""
        if name == self.worse:
            return -JUST * self.margins[name]
        rate = self.rates[name]
        room = (1 - rate.rate if rate.higher_is_better else rate.rate) - rate.churn / 2
        return min(BETTER, room) if self.better else 0.0


def draw(world: World, rng: np.random.Generator, *, resamples: int) -> Evidence:
    """The evidence of one round."""
    wins = {name: _win_shares(world.win_rate_in(name), world.held_out // 2, rng) for name in WINS}
    shares = np.concatenate(list(wins.values()))
    low, high = mean_interval(shares, resamples, 0.95)
    found = Superiority(float(shares.mean()), low, high, len(shares), 30, "judge:large")
    guards: list[Guard] = [
        ShareGuard(name, world.margins[name], _by_prompt(wins[name])) for name in WINS if name in world.margins
    ]
    for name, rate in world.rates.items():
        if name in world.margins:
            guards.append(AxisGuard(name, world.margins[name], *_axes(name, rate, world.gain(name), rng)))
    if "length" in world.margins:
        growth = 1 + JUST * world.margins["length"] if world.worse == "length" else 1.0
        guards.append(LengthGuard("length", world.margins["length"], *_words(world.held_out, growth, rng)))
    return Evidence(found, tuple(guards), resamples=resamples)


@lru_cache(maxsize=64)
def _prompts(n: int) -> tuple[str, ...]:
    return tuple(f"prompt-{number:05d}" for number in range(n))


@lru_cache(maxsize=64)
def _modes(n: int, mode: Mode) -> Mapping[str, Mode]:
    return MappingProxyType(dict.fromkeys(_prompts(n), mode))


def _by_prompt(values: FloatArray) -> dict[str, float]:
    return dict(zip(_prompts(len(values)), values.tolist(), strict=True))


def _win_shares(rate: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Shares of points [n] of `CONTESTS` contests each, with this mean."""
    decided = (rate - TIES / 2) / (1 - TIES)
    chances = rng.beta(AGREEMENT * decided, AGREEMENT * (1 - decided), size=n)
    ties = rng.binomial(CONTESTS, TIES, size=n)
    points: FloatArray = (rng.binomial(CONTESTS - ties, chances) + ties / 2) / CONTESTS
    return points


def _axes(name: str, rate: Rate, gain: float, rng: np.random.Generator) -> tuple[Axis, Axis]:
    """Before and after."""
    good = rate.rate if rate.higher_is_better else 1 - rate.rate
    up, down = rate.churn / 2 + max(gain, 0.0), rate.churn / 2 + max(-gain, 0.0)
    chances = [good - down, down, up, max(1 - good - up, 0.0)]  # good both times, only before, only after, never
    kinds = rng.choice(4, size=(rate.n, rate.orders), p=chances)
    alike = rng.random(rate.n) < SAME_IN_BOTH_ORDERS
    kinds[alike] = kinds[alike, :1]
    models = []
    for when in ("before", "after"):
        values = _good(kinds, when).mean(axis=1)
        values = values if rate.higher_is_better else 1 - values
        models.append(Axis(name, rate.higher_is_better, _by_prompt(values), _modes(rate.n, rate.mode)))
    return models[0], models[1]


def _good(kinds: IntArray, when: Literal["before", "after"]) -> BoolArray:
    good: BoolArray = (kinds == 0) | (kinds == (1 if when == "before" else 2))
    return good


def _words(n: int, growth: float, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Lengths of answers, log-normal."""
    common, first, second = rng.normal(size=(3, n))
    alike, own = WORDS_ALIKE**0.5, (1 - WORDS_ALIKE) ** 0.5
    before, after = (
        times * WORDS * np.exp(WORDS_SPREAD * (alike * common + own * each))
        for times, each in ((1.0, first), (growth, second))
    )
    return _by_prompt(before), _by_prompt(after)
