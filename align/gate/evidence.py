"""What the gate is shown: figures, rules and conditions, gathered by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from align.probes.axis import Axis


@dataclass(frozen=True)
class Superiority:
    """The win rate against the policy on held-out prompts.

    Attributes:
        rate: the win rate
        low: of its two-sided interval, at the evidence's confidence
        high: of the same
        n_prompts: held-out prompts that it is measured on
        least_prompts: below which no model is promoted
        by: who judged: "judge:large", "surgeons and judge:large"
        bar: the interval has to lie above it
        deviation: of one prompt's share of points; None: as the interval implies
        minutes_per_prompt: of surgeons' time that a further prompt takes; None where no surgeon takes part
    """

    rate: float
    low: float
    high: float
    n_prompts: int
    least_prompts: int
    by: str
    bar: float = 0.5
    deviation: float | None = None
    minutes_per_prompt: float | None = None


@dataclass(frozen=True)
class AxisGuard:
    """A probe's axis that may become worse by less than ``margin``, a share.

    ``before`` and ``after`` are None where there is no such probe; ``asked`` is False where that is as it should be.
    ``advice`` says how to get what is missing.
    """

    name: str
    margin: float
    before: Axis | None
    after: Axis | None
    asked: bool = True
    advice: str = ""


@dataclass(frozen=True)
class LengthGuard:
    """Lengths in words by prompt id: the mean may grow by less than ``margin``, a share of what it was."""

    name: str
    margin: float
    before: Mapping[str, float]
    after: Mapping[str, float]
    asked: bool = True
    advice: str = ""


@dataclass(frozen=True)
class ShareGuard:
    """Shares of the points won by prompt id: their mean may lie below one half by less than ``margin``."""

    name: str
    margin: float
    shares: Mapping[str, float]
    asked: bool = True
    advice: str = ""


Guard = AxisGuard | LengthGuard | ShareGuard


@dataclass(frozen=True)
class Watched:
    """An axis without a margin: nothing has to be shown of it, but it must not be shown worse.

    ``least``: by how much it has to be worse, as measured, to matter. With many prompts a fall that nobody would notice
    is shown too.
    """

    name: str
    before: Axis | None
    after: Axis | None
    least: float = 0.1


@dataclass(frozen=True)
class Condition:
    """Something that is as it should be or not: the judge's passport, alarms, contamination, the rules.

    Attributes:
        name: "judge's passport"
        passed: None: does not apply
        said: one sentence with the figures
        advice: what to do where it has failed
    """

    name: str
    passed: bool | None
    said: str
    advice: str = ""


@dataclass(frozen=True)
class Evidence:
    """All that a decision rests on. The order within the tuples changes only that of the lines."""

    superiority: Superiority | None
    guards: tuple[Guard, ...] = ()
    watched: tuple[Watched, ...] = ()
    conditions: tuple[Condition, ...] = ()
    superiority_advice: str = ""
    resamples: int = 10_000
    confidence: float = 0.95

    @property
    def alpha(self) -> float:
        """The level of every one-sided test."""
        return (1 - self.confidence) / 2
