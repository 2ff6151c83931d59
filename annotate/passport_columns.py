"""Judged contests as arrays, and how intervals are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from annotate.agreement import Statistic
from annotate.bootstrap import CONFIDENCE, RESAMPLES, SEED, Estimate, FloatArray, IntArray, Sums, estimated, numbered
from annotate.passport_contests import JudgedContest
from annotate.settle import Preference, preference

VALUE: Mapping[Preference | None, float] = MappingProxyType({"a": 1.0, "tie": 0.0, "b": -1.0, None: np.nan})


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    resamples: int = RESAMPLES
    confidence: float = CONFIDENCE
    seed: int = SEED

    def of(self, sums: Sums, prompts: IntArray) -> Estimate:
        """A statistic with its interval."""
        return estimated(sums, prompts, resamples=self.resamples, confidence=self.confidence, seed=self.seed)

    def agreement(self, statistic: Statistic, ratings: FloatArray, prompts: IntArray) -> Estimate:
        """A coefficient of agreement with its interval."""
        return self.of(statistic.sums(ratings), prompts)


@dataclass(frozen=True)
class Columns:
    """Contests as arrays [contests]: 1 is for the answer a, -1 for b, 0 for neither, NaN is unknown."""

    prompts: IntArray
    ab: FloatArray
    ba: FloatArray
    verdict: FloatArray
    surgeon: FloatArray
    reference: FloatArray
    strength: FloatArray
    excess_length: FloatArray  # of a over b
    own: FloatArray

    @property
    def longer(self) -> FloatArray:
        """The side of the longer answer."""
        return np.sign(self.excess_length)


def columns_of(contests: Sequence[JudgedContest]) -> Columns:
    """The contests' arrays."""

    def values(preferences: Sequence[Preference | None]) -> FloatArray:
        return np.array([VALUE[each] for each in preferences], dtype=float)

    def numbers(given: Sequence[float | None]) -> FloatArray:
        return np.array([np.nan if each is None else each for each in given], dtype=float)

    return Columns(
        prompts=numbered([each.prompt for each in contests]),
        ab=values([preference(each.ab) for each in contests]),
        ba=values([preference(each.ba) for each in contests]),
        verdict=values([each.verdict for each in contests]),
        surgeon=values([each.surgeon for each in contests]),
        reference=values([each.reference for each in contests]),
        strength=numbers([each.strength for each in contests]),
        excess_length=numbers([each.length_a for each in contests]) - numbers([each.length_b for each in contests]),
        own=values([each.own for each in contests]),
    )
