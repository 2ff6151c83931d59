"""What has changed on one axis from one model to another: the same prompts, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align.probes.axis import Axis
from align.probes.tango import Discordance
from align.resampling import mean_interval
from annotate.bootstrap import NEGLIGIBLE, FloatArray
from annotate.exact_tails import binomial_lower

MOST_EXAMPLES = 10


@dataclass(frozen=True)
class Pairs:
    """The prompts with a value both times, sorted, and these values [prompts]."""

    prompts: tuple[str, ...]
    before: FloatArray
    after: FloatArray
    higher_is_better: bool

    @property
    def gain(self) -> FloatArray:
        """How much better each prompt has become [prompts], in [-1, 1]."""
        difference = self.after - self.before
        return difference if self.higher_is_better else -difference

    @property
    def discordance(self) -> Discordance | None:
        """Of values that are all 0 or 1, where 1 is the better one; None where some are between."""
        if not all(((values == 0) | (values == 1)).all() for values in (self.before, self.after)):
            return None
        gain = self.gain
        return Discordance(int((gain > 0).sum()), int((gain < 0).sum()), len(gain))


@dataclass(frozen=True)
class Change:
    """One axis before and after, over the prompts with a value both times.

    Attributes:
        name: of the axis
        higher_is_better: is more of it better?
        before: mean over these prompts
        after: mean over these prompts
        difference: after - before
        low: of the difference's two-sided interval
        high: of the same
        confidence: of the interval
        n_prompts: with a value both times
        improved: prompts that have become better
        worsened: prompts that have become worse
        mcnemar: exact two-sided P-value (McNemar, 1947) that improved and worsened are as likely; None for values
            between 0 and 1
        worse: ids of the prompts that have become worse by most, at most `MOST_EXAMPLES`, worst first
    """

    name: str
    higher_is_better: bool
    before: float
    after: float
    difference: float
    low: float
    high: float
    confidence: float
    n_prompts: int
    improved: int
    worsened: int
    mcnemar: float | None
    worse: tuple[str, ...]

    def text(self) -> str:
        """One line for people."""
        exact = f", McNemar p = {self.mcnemar:.3g}" if self.mcnemar is not None else ""
        return (
            f"{self.name}: {self.before:.1%} -> {self.after:.1%}, {100 * self.difference:+.1f} points "
            f"[{100 * self.low:+.1f}, {100 * self.high:+.1f}] on {self.n_prompts} prompts: "
            f"{self.improved} better, {self.worsened} worse{exact}"
        )


def pairs(before: Axis, after: Axis) -> Pairs | None:
    """The prompts with a value on both; None where there are none.

    Raises:
        ValueError: on one of them more is better, and on the other less.
    """
    if before.higher_is_better != after.higher_is_better:
        raise ValueError(f"{before.name} and {after.name} are not the same axis")
    prompts = tuple(sorted(before.values.keys() & after.values.keys()))
    if not prompts:
        return None
    first, second = (np.array([axis.values[prompt] for prompt in prompts], dtype=float) for axis in (before, after))
    return Pairs(prompts, first, second, before.higher_is_better)


def change(before: Axis, after: Axis, *, resamples: int = 10_000, confidence: float = 0.95) -> Change | None:
    """What has changed over the prompts with a value on both; None where there are none.

    The interval is Tango's (`Discordance.interval`) for values of 0 or 1, else the bootstrap over prompts
    (`resampling.mean_interval`). Neither depends on the order of the prompts.

    Raises:
        ValueError: see `pairs`.
    """
    both = pairs(before, after)
    if both is None:
        return None
    discordance = both.discordance
    gained = (
        mean_interval(both.gain, resamples, confidence, (-1.0, 1.0))
        if discordance is None
        else discordance.interval(confidence)
    )
    return changed(both, after.name, gained, confidence)


def changed(both: Pairs, name: str, gained: tuple[float, float], confidence: float) -> Change:
    """The same for paired values, where the interval of the mean ``gain`` is known."""
    gain, binary = both.gain, both.discordance is not None
    improved, worsened = (int(some.sum()) for some in (gain > NEGLIGIBLE, gain < -NEGLIGIBLE))
    low, high = gained if both.higher_is_better else (-gained[1], -gained[0])
    before, after = float(both.before.mean()), float(both.after.mean())
    return Change(
        name=name,
        higher_is_better=both.higher_is_better,
        before=before,
        after=after,
        difference=after - before,
        low=low,
        high=high,
        confidence=confidence,
        n_prompts=len(gain),
        improved=improved,
        worsened=worsened,
        mcnemar=exact_mcnemar(improved, worsened) if binary else None,
        worse=_worst(both.prompts, gain),
    )


def exact_mcnemar(improved: int, worsened: int) -> float:
    """Exact two-sided P-value that a prompt that changes is as likely to become better as worse (McNemar, 1947)."""
    return min(2 * binomial_lower(min(improved, worsened), improved + worsened, 0.5), 1.0)


def _worst(prompts: tuple[str, ...], gain: FloatArray) -> tuple[str, ...]:
    order = np.argsort(gain, kind="stable")[:MOST_EXAMPLES]  # of equal ones the prompt that sorts first
    return tuple(prompts[place] for place in order if gain[place] < -NEGLIGIBLE)
