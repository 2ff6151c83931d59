"""What a decision looked at, one line each: the figure, its interval, its margin, and how it stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import exp, isfinite
from typing import Any, Literal

from align.gate.evidence import AxisGuard, Condition, Evidence, Guard, LengthGuard, Superiority, Watched
from align.gate.noninferiority import Standing, length_standing, pairs_standing, share_standing
from align.probes.paired import changed, pairs
from annotate.bootstrap import NEGLIGIBLE

Status = Literal["ok", "missing", "worse", "not shown", "not asked", "failed"]
Unit = Literal["share", "axis", "words", "condition"]
WIN_RATE = "win rate"  # the name of its line
NAME, FIGURE, INTERVAL, MARGIN, CHANCE = 29, 19, 23, 5, 9  # columns; with the status 97


@dataclass(frozen=True)
class Check:
    """One line of a decision.

    Attributes:
        name: of the guard, the watched axis or the condition
        unit: of the figures: "share" a win rate, "axis" the mean of an axis, "words" mean lengths
        status: "ok", "missing" (asked for and not there), "worse" (shown, and by as much as matters), "not shown" (to
            be within its margin), "not asked", "failed" (a condition)
        before: of the policy; None for win rates, which are against it
        after: of the new model
        difference: after - before; for lengths the growth, as a share; for win rates None
        low: of the two-sided interval of the difference, or of the win rate
        high: of the same
        margin: how much worse it may be; for the win rate what it has to lie above
        p: P-value against being worse by the margin or more, adjusted (Holm, 1979)
        p_worse: P-value against not being worse, adjusted over all guarded and watched axes
        n_prompts: that it is measured on
        said: of a condition
        examples: ids of the prompts that have become worse by most
        watched: has it no margin?
    """

    name: str
    unit: Unit
    status: Status
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    p: float | None = None
    p_worse: float | None = None
    n_prompts: int = 0
    said: str = ""
    examples: tuple[str, ...] = ()
    watched: bool = False

    @property
    def figure(self) -> str:
        """Before and after, or the win rate; empty where it was not measured."""
        if self.after is None:
            return ""
        if self.unit == "words":
            return f"{self.before or 0:.0f} -> {self.after:.0f} words"
        return f"{self.after:.1%}" if self.before is None else f"{self.before:.1%} -> {self.after:.1%}"

    @property
    def interval(self) -> str:
        """The difference, in points or per cent, with its interval."""
        if self.low is None or self.high is None:
            return ""
        if self.difference is None:
            return f"[{self.low:.1%}, {self.high:.1%}]"
        unit = "%" if self.unit == "words" else ""
        low, high, difference = (f"{100 * each:+.1f}{unit}" for each in (self.low, self.high, self.difference))
        return f"{difference} [{low}, {high}]"

    def line(self) -> str:
        """For people, in columns."""
        name = self.name if len(self.name) < NAME else f"{self.name[: NAME - 2]}…"
        if self.unit == "condition":
            return f"{name:{NAME}}{self.status}" + (": see above" if self.status == "failed" else f": {self.said}")
        margin = "" if self.margin is None else f"{100 * self.margin:.1f}"
        p = "" if self.p is None else f"p {self.p:.3f}" if self.p >= 0.001 else "p <.001"
        measured = f"{name:{NAME}}{self.figure:{FIGURE}} {self.interval:{INTERVAL}}"
        return f"{measured} {margin:>{MARGIN}}  {p:{CHANCE}}{self.status}"

    def facts(self) -> dict[str, Any]:
        """Plain JSON types; what is not finite is None."""
        facts = asdict(self) | {"examples": list(self.examples)}
        return {
            key: None if isinstance(value, float) and not isfinite(value) else value for key, value in facts.items()
        }


@dataclass(frozen=True)
class Measured:
    """A guard or a watched axis with its figures, before any status; ``standing`` is None where there are none."""

    test: Guard | Watched
    standing: Standing | None
    check: Check

    @property
    def margin(self) -> float | None:
        """In the units of the guard; None where it is only watched."""
        return None if isinstance(self.test, Watched) else self.test.margin

    @property
    def advice(self) -> str:
        """How to get what is missing."""
        return "" if isinstance(self.test, Watched) else self.test.advice

    @property
    def beyond(self) -> bool:
        """Is it, as measured, worse by as much as matters: by the margin, or what is watched for, or more?"""
        if self.standing is None:
            return False
        if isinstance(self.test, Watched):
            return self.standing.loss >= self.test.least - NEGLIGIBLE
        return self.standing.beyond


def measured(test: Guard | Watched, evidence: Evidence) -> Measured:
    """The figures of a guard or a watched axis."""
    watched = isinstance(test, Watched)
    needed = not isinstance(test, Watched) and test.asked  # of what is watched nothing has to be shown
    nothing = Check(test.name, _unit(test), "missing" if needed else "not asked", watched=watched)
    if isinstance(test, Watched):
        return _axis(test, nothing, evidence)
    if not test.asked:
        return Measured(test, None, nothing)
    if isinstance(test, AxisGuard):
        return _axis(test, nothing, evidence)
    margin, confidence = test.margin, evidence.confidence
    if isinstance(test, LengthGuard):
        standing = length_standing(test.before, test.after, margin, confidence=confidence)
    else:
        standing = share_standing(test.shares, margin, resamples=evidence.resamples, confidence=confidence)
    if standing is None:
        return Measured(test, None, nothing)
    check = replace(nothing, margin=margin, n_prompts=standing.n_prompts)
    if not isinstance(test, LengthGuard):
        rate, low, high = (0.5 - loss for loss in (standing.loss, standing.high, standing.low))
        return Measured(test, standing, replace(check, after=rate, low=low, high=high))
    both = sorted(test.before.keys() & test.after.keys())
    before, after = (sum(words[prompt] for prompt in both) / len(both) for words in (test.before, test.after))
    growth, low, high = (exp(min(loss, 700.0)) - 1 for loss in (standing.loss, standing.low, standing.high))
    return Measured(test, standing, replace(check, before=before, after=after, difference=growth, low=low, high=high))


def _axis(test: AxisGuard | Watched, nothing: Check, evidence: Evidence) -> Measured:
    margin = test.margin if isinstance(test, AxisGuard) else None
    both = None if test.before is None or test.after is None else pairs(test.before, test.after)
    if both is None:
        return Measured(test, None, nothing)
    standing = pairs_standing(both, margin, resamples=evidence.resamples, confidence=evidence.confidence)
    change = changed(both, test.name, (-standing.high, -standing.low), evidence.confidence)
    check = replace(
        nothing,
        before=change.before,
        after=change.after,
        difference=change.difference,
        low=change.low,
        high=change.high,
        margin=margin,
        n_prompts=change.n_prompts,
        examples=change.worse,
    )
    return Measured(test, standing, check)


def _unit(test: Guard | Watched) -> Unit:
    if isinstance(test, LengthGuard):
        return "words"
    return "axis" if isinstance(test, AxisGuard | Watched) else "share"


def superiority_check(found: Superiority | None) -> Check:
    """The line of the win rate."""
    if found is None:
        return Check(WIN_RATE, "share", "missing")
    status: Status = "ok" if found.low > found.bar and found.n_prompts >= found.least_prompts else "not shown"
    return Check(
        name=WIN_RATE,
        unit="share",
        status="worse" if found.high < 0.5 else status,
        after=found.rate,
        low=found.low,
        high=found.high,
        margin=found.bar,
        n_prompts=found.n_prompts,
        said=f"by {found.by}",
    )


def condition_check(condition: Condition) -> Check:
    """The line of a condition."""
    status: Status = "not asked" if condition.passed is None else "ok" if condition.passed else "failed"
    return Check(condition.name, "condition", status, said=condition.said)
