"""Win rates over prompts, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ledger.queries import PromptTally

SEED = 20_240_101  # of the bootstrap: the same comparisons give the same interval
T = TypeVar("T")


@dataclass(frozen=True)
class WinRate:
    """How often one model's answers beat another's: 0.5 is no difference.

    ``worst`` and ``best`` count every invalid verdict against, or for, the first model.
    """

    win_rate: float
    low: float
    high: float
    confidence: float
    n_prompts: int
    n_comparisons: int  # valid ones
    n_invalid: int
    worst: float
    best: float

    def text(self) -> str:
        """One phrase for people."""
        share = f"wins {self.win_rate:.1%} [{self.low:.1%}, {self.high:.1%}] on {self.n_prompts} held-out prompts"
        if not self.n_invalid:
            return share
        return f"{share} ({self.n_invalid} invalid verdicts: between {self.worst:.1%} and {self.best:.1%} with them)"


@dataclass(frozen=True)
class PromptScore:
    """One prompt's verdicts: a win counts 1, a tie and "both bad" a half."""

    prompt: str
    points: float
    valid: int
    invalid: int


def scores_by_prompt(tallies: Iterable[PromptTally]) -> list[PromptScore]:
    """All assessors' verdicts on a prompt, added up."""
    added: dict[str, list[float]] = defaultdict(lambda: [0.0, 0, 0])
    for tally in tallies:
        entry = added[tally.prompt]
        entry[0] += tally.wins + (tally.ties + tally.both_bad) / 2
        entry[1] += tally.wins + tally.losses + tally.ties + tally.both_bad
        entry[2] += tally.invalid
    return [PromptScore(prompt, points, int(valid), int(invalid)) for prompt, (points, valid, invalid) in added.items()]


def win_rate(scores: Sequence[PromptScore], *, resamples: int = 10_000, confidence: float = 0.95) -> WinRate | None:
    """The mean over prompts of each prompt's share of points: a question counts once, however often it was asked.

    The interval is the percentile bootstrap over prompts (Efron, 1979; resampling rows instead would take the verdicts
    on one prompt for independent). None where there is no valid verdict.
    """
    points = np.array([score.points for score in scores], dtype=float)
    valid = np.array([score.valid for score in scores], dtype=float)
    invalid = np.array([score.invalid for score in scores], dtype=float)
    judged = valid > 0
    if not judged.any():
        return None
    shares = points[judged] / valid[judged]
    low, high = bootstrap_interval(shares, resamples, confidence)
    everything = valid + invalid
    some = everything > 0
    return WinRate(
        win_rate=float(shares.mean()),
        low=low,
        high=high,
        confidence=confidence,
        n_prompts=int(judged.sum()),
        n_comparisons=int(valid.sum()),
        n_invalid=int(invalid.sum()),
        worst=float((points[some] / everything[some]).mean()),
        best=float(((points[some] + invalid[some]) / everything[some]).mean()),
    )


def bootstrap_interval(values: np.ndarray, resamples: int, confidence: float) -> tuple[float, float]:
    """Percentile interval of the mean of ``values`` [n].

    Drawing n of n values with replacement is a multinomial draw over the *distinct* values, which are few: 90,000
    prompts cost as little as 90.
    """
    distinct, counts = np.unique(np.round(values, 12), return_counts=True)
    rng = np.random.default_rng(SEED)
    n = len(values)
    drawn = rng.multinomial(n, counts / n, size=resamples)
    means = drawn @ distinct / n
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
