"""Intervals by resampling prompts, for whatever can be computed from sums over items.

Verdicts on one prompt are not independent of each other, so prompts are drawn, not rows, and all that hangs on a prompt
is drawn with it (cluster bootstrap: Davison & Hinkley, 1997, section 3.8; Field & Welsh, 2007). A statistic says what
each item adds to its sums; a resample is then one row of weights times the prompts' sums, and no item is read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SEED = 20_240_101  # the same verdicts give the same interval
RESAMPLES = 1_000
CONFIDENCE = 0.95
BLOCK = 4_000_000  # weights held at a time
MULTINOMIAL_COST = 6  # drawing a count costs about this many times what drawing one prompt does
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, from ``n_items`` items of ``n_prompts`` prompts.

    ``estimate`` is None where the items do not define it; ``low`` and ``high`` are None where they cannot carry an
    interval: one prompt, resamples that are all alike, or too many of them without a value.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n_items: int
    n_prompts: int

    def minus(self, constant: float) -> Estimate:
        """The same, on a scale whose zero is ``constant``."""
        estimate, low, high = (
            None if each is None else each - constant for each in (self.estimate, self.low, self.high)
        )
        return Estimate(estimate, low, high, self.n_items, self.n_prompts)

    def complement(self) -> Estimate:
        """One less the number: the share of the others."""
        estimate, high, low = (None if each is None else 1 - each for each in (self.estimate, self.low, self.high))
        return Estimate(estimate, low, high, self.n_items, self.n_prompts)


@dataclass(frozen=True)
class Sums:
    """A statistic of sums over items.

    Attributes:
        parts: what each item adds [items, d]
        counts: which items are counted in ``n_items`` [items]
        value: sums [..., d] -> the statistic [...], NaN where it is undefined
        share: the statistic is a mean of values in [0, 1]
    """

    parts: FloatArray
    counts: BoolArray
    value: Callable[[FloatArray], FloatArray]
    share: bool = False

    @property
    def estimate(self) -> float | None:
        """The statistic over all items; None where it is undefined."""
        value = float(self.value(self.parts.sum(axis=0)))
        return None if np.isnan(value) else value


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """``above / below``, NaN where there is nothing below."""
    quotient: FloatArray = np.full(np.broadcast_shapes(np.shape(above), np.shape(below)), np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def ratio_of_sums(above: npt.NDArray[Any], below: npt.NDArray[Any], *, share: bool = True) -> Sums:
    """The sum of ``above`` [items] over the sum of ``below`` [items]; an item with nothing below does not count."""
    parts = np.stack([above, below], axis=1).astype(float)
    return Sums(parts, below > 0, lambda sums: ratio(sums[..., 0], sums[..., 1]), share)


def numbered(groups: Sequence[Hashable] | IntArray) -> IntArray:
    """The number of each item's group, from 0."""
    if isinstance(groups, np.ndarray):
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def estimated(
    sums: Sums,
    groups: Sequence[Hashable] | IntArray,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Estimate:
    """The statistic with its percentile interval (Efron, 1979) over resampled ``groups``, the prompt of each item.

    A share of none or of all is the same in every resample; its interval is the exact one of as many independent
    trials as there are prompts (Clopper & Pearson, 1934; its 95% limit is about 3.7 / n).
    """
    number = numbered(groups)
    n_items = int(sums.counts.sum())
    n_prompts = len(np.unique(number[sums.counts]))
    estimate = sums.estimate
    if estimate is None:
        return Estimate(None, None, None, n_items, n_prompts)
    if sums.share and (edges := _edges(estimate, n_prompts, confidence)):
        return Estimate(estimate, *edges, n_items, n_prompts)
    values = sums.value(resampled_sums(_by_group(sums.parts, number), resamples, np.random.default_rng(seed)))
    low, high = _percentiles(values, confidence)
    return Estimate(estimate, low, high, n_items, n_prompts)


def _edges(share: float, n: int, confidence: float) -> tuple[float, float] | None:
    never = ((1 - confidence) / 2) ** (1 / n)
    if share < NEGLIGIBLE:
        return 0.0, 1 - never
    if share > 1 - NEGLIGIBLE:
        return never, 1.0
    return None


def _by_group(parts: FloatArray, number: IntArray) -> FloatArray:
    """The sums of each group [groups, d], without the groups that add nothing."""
    added: FloatArray = np.stack([np.bincount(number, weights=column) for column in parts.T], axis=1).astype(float)
    return added[added.any(axis=1)]


def resampled_sums(added: FloatArray, resamples: int, rng: np.random.Generator) -> FloatArray:
    """The sums [resamples, d] over as many groups as there are, drawn with replacement.

    Groups that add the same are drawn together where there are few kinds of them: 90,000 prompts with one verdict each
    cost as little as 90.
    """
    kinds, counts = _kinds(added)
    n = len(added)
    together = len(kinds) * MULTINOMIAL_COST < n
    rows = kinds if together else added
    totals = np.empty((resamples, added.shape[1]))
    block = max(1, BLOCK // len(rows))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        if together:
            weights = rng.multinomial(n, counts / n, size=size).astype(float)
        else:
            drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
            weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)
        totals[start : start + size] = weights @ rows
    return totals


def _kinds(added: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct rows, and how often each is there."""
    rows: FloatArray = np.ascontiguousarray(np.round(added, 9) + 0.0)  # -0.0 is 0.0
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, counts = np.unique(as_bytes, return_index=True, return_counts=True)
    return added[first], counts.astype(np.int64)


def _percentiles(values: FloatArray, confidence: float) -> tuple[float, float] | tuple[None, None]:
    defined = values[~np.isnan(values)]
    if len(defined) < confidence * len(values) or np.ptp(defined) < NEGLIGIBLE:
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
