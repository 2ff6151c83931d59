"""How much would settle what the gate could not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from align.gate.checks import Measured
from align.gate.evidence import Evidence, Superiority
from align.gate.noninferiority import prompts_needed

NORMAL = NormalDist()


@dataclass(frozen=True)
class Need:
    """How much would settle what is not shown, if the truth is what has been observed, with a chance of 80%.

    Attributes:
        name: of the check
        prompts: in all; None where more prompts would not help, the figure lying at or beyond its limit
        have: prompts that it is measured on
        minutes: of surgeons' time for the further ones; None where no surgeon takes part
    """

    name: str
    prompts: int | None
    have: int
    minutes: int | None = None

    def text(self) -> str:
        """A clause for people."""
        if self.prompts is None:
            return "more prompts would not show it unless chance has misled here"
        time = f" and {self.minutes} more minutes of surgeons" if self.minutes is not None else ""
        return f"about {self.prompts} prompts{time} would settle it, there are {self.have}"


def superiority_need(found: Superiority, evidence: Evidence) -> Need:
    """What would show the win rate to lie above its bar."""
    quantile = NORMAL.inv_cdf(1 - evidence.alpha)
    implied = (found.high - found.low) / 2 / quantile * sqrt(found.n_prompts)
    deviation = implied if found.deviation is None else found.deviation
    prompts = prompts_needed(found.rate - found.bar, deviation, alpha=evidence.alpha)
    if prompts is None:
        return Need("win rate", None, found.n_prompts)
    enough = found.n_prompts if found.low > found.bar else found.n_prompts + 1
    prompts = max(prompts, found.least_prompts, enough)
    further, each = prompts - found.n_prompts, found.minutes_per_prompt
    return Need("win rate", prompts, found.n_prompts, None if each is None else ceil(further * each))


def guard_needs(unsettled: Sequence[Measured], evidence: Evidence) -> list[Need]:
    """What would show each of these guards to be within its margin.

    Those that hold already come first in Holm's order, so that the level is shared among these only.
    """
    return [_guard_need(each, evidence.alpha / len(unsettled)) for each in unsettled]


def _guard_need(guard: Measured, alpha: float) -> Need:
    found = guard.standing
    if found is None or found.margin is None:
        return Need(guard.test.name, None, 0)
    room = found.margin - found.loss
    prompts = prompts_needed(room, found.deviation, found.deviation_at_margin, alpha=alpha)
    return Need(guard.test.name, None if prompts is None else max(prompts, found.n_prompts + 1), found.n_prompts)
