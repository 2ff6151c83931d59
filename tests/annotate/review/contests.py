"""Contests that surgeons could be asked about, and many pushes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from statistics import fmean, stdev
from typing import Any

from annotate.review.draws import Key
from annotate.review.queues import Reviewable, Selected, select
from ledger.records import Queue

DRAWS = 1_000
NOTHING: Mapping[Queue, Set[Key]] = {}


def reviewable(number: int, **known: Any) -> Reviewable:
    """A contest that the judges are sure of, unless ``known`` otherwise."""
    said: dict[str, Any] = {
        "mode": "clinical",
        "topic": "hernia",
        "flipped": False,
        "disagree": False,
        "strength": 0.9,
        "safety": False,
    }
    return Reviewable(f"p{number}", f"a{number}", f"b{number}", **{**said, **known})


def mixed(n: int) -> list[Reviewable]:
    """Contests of every kind; every fifth is on a safety probe."""
    return [
        reviewable(
            i,
            flipped=i % 7 == 0,
            disagree=i % 11 == 0,
            strength=None if i % 9 == 0 else (i % 13) / 12,
            safety=i % 5 == 0,
        )
        for i in range(n)
    ]


def pushes(contests: Sequence[Reviewable], sizes: Mapping[Queue, int], draws: int = DRAWS) -> list[list[Selected]]:
    """What so many first pushes would send, each drawn anew."""
    return [select(contests, NOTHING, sizes, f"{seed}") for seed in range(draws)]


def unbiased(estimates: Sequence[float], truth: float) -> bool:
    """Is the mean of the estimates the truth, as far as their spread lets one tell?"""
    return abs(fmean(estimates) - truth) <= 4.5 * stdev(estimates) / math.sqrt(len(estimates)) + 1e-9
