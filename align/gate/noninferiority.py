"""Is a model not worse than another by more than a margin (non-inferiority), and is it worse at all?

Everything is measured as a loss: how much worse, 0 where as good as before. A test of "not worse by the margin" is
one-sided, and its bound is that of the two-sided interval of the same `paired.Change`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, log, sqrt
from statistics import NormalDist

import numpy as np

from align.probes.axis import Axis
from align.probes.paired import Pairs, pairs
from align.probes.tango import Discordance
from align.resampling import SEED, alike_interval, expanded_percentiles
from annotate.bootstrap import NEGLIGIBLE, FloatArray, resampled_sums
from annotate.exact_tails import binomial_lower
from annotate.student_t import student_t_lower, student_t_quantile

NORMAL = NormalDist()
POWER = 0.8


@dataclass(frozen=True)
class Standing:
    """How much worse a model has become, and what that shows.

    Attributes:
        margin: how much worse it may be, on the scale of the loss; None: nothing is asked of it
        loss: how much worse it is; below 0 it is better. For lengths, the logarithm of their ratio.
        low: one-sided lower bound of the loss, at the level (1 + confidence) / 2
        high: one-sided upper bound of the loss, at the same level
        p_within: P-value against "worse by the margin or more"; 1 without a margin
        p_worse: P-value against "not worse"
        n_prompts: that it is measured on
        deviation: of one prompt's loss
        deviation_at_margin: the same, were the true loss the margin
    """

    margin: float | None
    loss: float
    low: float
    high: float
    p_within: float
    p_worse: float
    n_prompts: int
    deviation: float
    deviation_at_margin: float

    @property
    def beyond(self) -> bool:
        """Is it, as measured, worse by the margin or more?"""
        return self.margin is not None and self.loss >= self.margin - NEGLIGIBLE


def axis_standing(
    before: Axis, after: Axis, margin: float | None = None, *, resamples: int = 10_000, confidence: float = 0.95
) -> Standing | None:
    """The standing of an axis over the prompts with a value both times; None where there are none.

    Values of 0 and 1: Tango's score test (Tango, 1998) of the margin, and McNemar's exact one of being worse at all.
    Others: as `share_standing`.

    Raises:
        ValueError: see `paired.pairs`.
    """
    both = pairs(before, after)
    return None if both is None else pairs_standing(both, margin, resamples=resamples, confidence=confidence)


def pairs_standing(both: Pairs, margin: float | None, *, resamples: int, confidence: float) -> Standing:
    """The same for paired values."""
    discordance = both.discordance
    if discordance is not None:
        return _of_shares(discordance, margin, confidence)
    return _of_mean(-both.gain, margin, (-1.0, 1.0), resamples, confidence)


def share_standing(
    shares: Mapping[str, float], margin: float | None = None, *, resamples: int = 10_000, confidence: float = 0.95
) -> Standing | None:
    """How far the mean of shares of points, by prompt id, lies below one half; None where there are none.

    P-values invert `resampling.mean_interval`: the smallest level at which its bound leaves the hypothesis out. They
    are never below 1 / (resamples + 1), so 1,000 resamples are the least for some twenty tests.
    """
    if not shares:
        return None
    values = 0.5 - np.array([shares[prompt] for prompt in sorted(shares)], dtype=float)
    return _of_mean(values, margin, (-0.5, 0.5), resamples, confidence)


def length_standing(
    before: Mapping[str, float], after: Mapping[str, float], margin: float | None = None, *, confidence: float = 0.95
) -> Standing | None:
    """How much longer the answers are: log of the ratio of mean lengths over prompts; None where nothing is written.

    By the delta method with Student's t. ``margin`` is a share: 0.5 lets answers be up to one and a half times as long.
    """
    prompts = sorted(before.keys() & after.keys())
    first, second = (np.array([words[prompt] for prompt in prompts], dtype=float) for words in (before, after))
    if not prompts or first.sum() <= 0 or second.sum() <= 0:
        return None
    loss = float(np.log(second.mean() / first.mean()))
    limit = None if margin is None else log(1 + margin)
    pull = second / second.mean() - first / first.mean()  # what each prompt adds to the logarithm
    n = len(prompts)
    deviation = float(pull.std(ddof=1)) if n > 1 else 0.0
    error = deviation / sqrt(n)

    def p(above: float) -> float:
        """Against a true value of ``above`` less than the observed one, or even less."""
        if error < NEGLIGIBLE:  # as a sign test would say it
            return 0.5**n if above > NEGLIGIBLE else 1.0
        return student_t_lower(-above / error, n - 1)

    reach = error * student_t_quantile((1 + confidence) / 2, n - 1) if n > 1 else inf
    p_within = 1.0 if limit is None else p(limit - loss)
    return Standing(limit, loss, loss - reach, loss + reach, p_within, p(loss), n, deviation, deviation)


def _of_shares(discordance: Discordance, margin: float | None, confidence: float) -> Standing:
    """Of values that are 0 or 1, 1 being the better one."""
    gained, lost = discordance.gained, discordance.lost
    at = 0.0 if margin is None else -margin
    low, high = discordance.interval(confidence)
    return Standing(
        margin,
        loss=-discordance.difference,
        low=-high,
        high=-low,
        p_within=1.0 if margin is None else NORMAL.cdf(-discordance.score(at)),
        p_worse=binomial_lower(gained, gained + lost, 0.5),
        n_prompts=discordance.n,
        deviation=sqrt(max((gained + lost) / discordance.n - discordance.difference**2, 0.0)),
        deviation_at_margin=discordance.deviation_at(at),
    )


def _of_mean(
    losses: FloatArray, margin: float | None, bounds: tuple[float, float], resamples: int, confidence: float
) -> Standing:
    """Of losses [prompts], each within ``bounds``."""
    n, loss = len(losses), float(losses.mean())
    if np.ptp(losses) < NEGLIGIBLE:
        return _of_alike(loss, alike_interval(loss, n, confidence, bounds), n, margin, bounds)
    # as in `resampling.mean_interval`, whose resamples the P-values need too
    means = resampled_sums(np.sort(losses)[:, None], resamples, np.random.default_rng(SEED))[:, 0] / n
    ends = expanded_percentiles(means, n, confidence)
    p_within = 1.0 if margin is None else _p(int((means >= margin - NEGLIGIBLE).sum()), resamples, n)
    deviation = float(losses.std(ddof=1))
    p_worse = _p(int((means <= NEGLIGIBLE).sum()), resamples, n)
    return Standing(margin, loss, *ends, p_within, p_worse, n, deviation, deviation)


def _p(beyond: int, resamples: int, n: int) -> float:
    """The level whose expanded percentile (`resampling.expanded_tail`) leaves out as many resamples as lie beyond."""
    share = min((beyond + 1) / (resamples + 1), 1 - 1 / (resamples + 1))
    p = student_t_lower(NORMAL.inv_cdf(share) * sqrt((n - 1) / n), n - 1)
    return max(p, 1 / (resamples + 1))


def _of_alike(
    loss: float, ends: tuple[float, float], n: int, margin: float | None, bounds: tuple[float, float]
) -> Standing:
    """Where all losses are alike; see `resampling.alike_interval`, whose bounds the P-values invert."""
    least, most = bounds
    p_worse = (least / (least - loss)) ** n if loss > NEGLIGIBLE else 1.0
    if margin is None or loss >= margin:
        return Standing(margin, loss, *ends, 1.0, p_worse, n, 0.0, 0.0)
    unseen = (margin - loss) / (most - loss)  # the share of prompts that would have to be as bad as can be
    deviation = (most - loss) * sqrt(unseen * (1 - unseen))
    return Standing(margin, loss, *ends, (1 - unseen) ** n, p_worse, n, 0.0, deviation)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being several (Holm, 1979, Scandinavian Journal of Statistics 6), in their order.

    The chance that any true hypothesis is rejected stays below the level, however the tests depend on each other.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min((len(p_values) - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted


def prompts_needed(
    room: float, deviation: float, deviation_at_margin: float | None = None, *, alpha: float, power: float = POWER
) -> int | None:
    """How many prompts would settle it, if the truth is what has been observed.

    Args:
        room: between the observed value and the limit; positive where it is within
        deviation: of one prompt's value
        deviation_at_margin: the same, were the truth at the limit; None: as observed
        alpha: the level of the one-sided test
        power: the chance that the test shows it

    Returns:
        The number; None where there is no room, so that more prompts would not help.
    """
    if room <= NEGLIGIBLE:
        return None
    at_margin = deviation if deviation_at_margin is None else deviation_at_margin
    reach = NORMAL.inv_cdf(1 - alpha) * at_margin + NORMAL.inv_cdf(power) * deviation
    return max(ceil((reach / room) ** 2), 1)
