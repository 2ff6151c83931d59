"""What a judging run will cost, before it runs: `wardround judge --dry-run`. Pure.

Each figure comes as low, expected and upper. The upper one holds for whatever text there is, since a token is at least
one byte, but not for requests that fail and are tried again: only the budget's limits hold then too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from math import ceil, sqrt
from operator import add
from statistics import fmean, stdev
from typing import TypeVar

from annotate.budget import MILLION, TEMPLATE_TOKENS, Limits, Prices

W = TypeVar("W")

MOST_RENDERED = 2_000  # prompts that are rendered for an estimate; of more, a sample is
STANDARD_ERRORS = 3.0  # a sample's margin
# Bytes of a request to one token, rendered for the vocabularies of current models: long Latin words, English prose.
# Scripts that take several bytes a letter lie between this and the upper bound of one byte.
SPARSE, USUAL = 6.0, 4.0
SHORTEST_REPLY, USUAL_REPLY = 50, 300  # tokens: a few words and a verdict; a paragraph, a score on each axis, a verdict


@dataclass(frozen=True)
class Range:
    """A figure that is not known yet."""

    low: float
    expected: float
    upper: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.upper + other.upper)

    def text(self, digits: int = 0) -> str:
        """For people."""
        low, expected, upper = (f"{value:,.{digits}f}" for value in (self.low, self.expected, self.upper))
        return expected if low == upper else f"{expected} ({low} to {upper})"


@dataclass(frozen=True)
class Terms:
    """What bounds and prices a judge's calls."""

    max_tokens: int
    prices: Prices
    repairs: int = 0  # tries at having an unreadable reply put right
    reply_tokens: float = USUAL_REPLY  # expected, from earlier calls where there are any


@dataclass(frozen=True)
class Estimate:
    """What one judge's calls will come to, or several judges'."""

    calls: Range
    tokens_in: Range
    tokens_out: Range
    cost: Range
    rendered: int  # prompts that it rests on

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
            self.rendered + other.rendered,
        )

    def text(self) -> str:
        """For people, on one line."""
        cost = f", cost {self.cost.text(4)}" if self.cost.upper else ""
        return (
            f"{self.calls.text()} calls, {self.tokens_in.text()} prompt tokens, "
            f"{self.tokens_out.text()} reply tokens{cost}"
        )

    def share_within(self, limits: Limits) -> float:
        """The share of the calls, in [0, 1], that is expected to fit into a budget."""
        tokens = self.tokens_in.expected + self.tokens_out.expected
        needed = (
            (limits.calls, self.calls.expected),
            (limits.tokens, tokens),
            (limits.cost, self.cost.expected),
        )
        return min([1.0, *(limit / expected for limit, expected in needed if limit and expected)])


@dataclass(frozen=True)
class DryRun:
    """What a run will come to, judge by judge, and how far its budget will carry it."""

    judges: tuple[tuple[str, Estimate], ...]
    limits: Limits

    @property
    def total(self) -> Estimate:
        """All judges together."""
        return reduce(add, (estimate for _, estimate in self.judges), NOTHING)

    def text(self) -> str:
        """For people."""
        lines = [f"{name}: {estimate.text()}" for name, estimate in self.judges]
        if len(self.judges) > 1:
            lines.append(f"together: {self.total.text()}")
        lines.append("requests that fail and are tried again come on top; nothing was asked yet")
        if self.limits != Limits():
            share = self.total.share_within(self.limits)
            lines.append(
                "the budget is expected to last" if share == 1 else f"the budget will end at about {share:.0%}"
            )
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "judges": {name: asdict(estimate) for name, estimate in self.judges},
            "total": asdict(self.total),
            "limits": asdict(self.limits),
            "share_within_limits": self.total.share_within(self.limits),
        }


NONE = Range(0, 0, 0)
NOTHING = Estimate(NONE, NONE, NONE, NONE, 0)


def estimate(work: Iterable[W], size: Callable[[W], int], terms: Terms) -> Estimate:
    """What one judge's calls will come to, one for each piece of ``work``.

    Args:
        work: what would be asked; read once, with flat memory.
        size: the bytes of a request, rendered; called for a sample where there is much.
        terms: what bounds and prices a call.
    """
    chosen, n = sampled(work)
    if not n:
        return NOTHING
    mean = _mean([size(each) for each in chosen], n)
    asked = 1 + terms.repairs
    calls = Range(n, n, n * asked)
    # Each repair shows the reply before it too.
    upper_in = asked * (mean.upper + TEMPLATE_TOKENS) + sum(range(asked)) * (terms.max_tokens + TEMPLATE_TOKENS)
    tokens_in = Range(n * mean.low // SPARSE, round(n * mean.expected / USUAL), ceil(round(n * upper_in, 3)))
    usual = min(terms.reply_tokens, terms.max_tokens)
    shortest = min(SHORTEST_REPLY, usual)
    tokens_out = Range(n * shortest, n * usual, calls.upper * terms.max_tokens)
    return Estimate(calls, tokens_in, tokens_out, _cost(tokens_in, tokens_out, terms.prices), len(chosen))


def sampled(work: Iterable[W], most: int = MOST_RENDERED) -> tuple[list[W], int]:
    """All of ``work``, or of more than ``most`` a random sample, always the same; and how much work there is.

    Algorithm R (Vitter, 1985): in one pass, each piece as likely as any other.
    """
    chance = random.Random(0)
    kept: list[W] = []
    n = 0
    for each in work:
        n += 1
        if len(kept) < most:
            kept.append(each)
        elif (place := chance.randrange(n)) < most:
            kept[place] = each
    return kept, n


def _mean(sizes: Sequence[int], n: int) -> Range:
    """Of the ``n`` sizes that these are a sample of."""
    mean = fmean(sizes)
    left_out = 1 - len(sizes) / n
    margin = STANDARD_ERRORS * stdev(sizes) * sqrt(left_out / len(sizes)) if left_out else 0.0
    return Range(max(float(min(sizes)), mean - margin), mean, mean + margin)


def _cost(tokens_in: Range, tokens_out: Range, prices: Prices) -> Range:
    def cost(prompt: float, reply: float) -> float:
        return (prompt * prices.input + reply * prices.output) / MILLION

    return Range(
        cost(tokens_in.low, tokens_out.low),
        cost(tokens_in.expected, tokens_out.expected),
        cost(tokens_in.upper, tokens_out.upper),
    )
