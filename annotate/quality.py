"""How good a model's answers are by themselves: the mean of their ratings, with its interval over prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from annotate.bootstrap import Estimate, estimated, ratio_of_sums
from ledger.records import Rating


@dataclass(frozen=True)
class Quality:
    """One model's answers as one judge rates them.

    Attributes:
        score: the mean share of the points, each sample counting once; invalid ratings left out
        invalid: samples without a valid rating
        worst: the mean if each of these had no point
        best: if each had all
        met: the share of rated samples that meet each criterion
    """

    score: Estimate
    invalid: int
    worst: float | None
    best: float | None
    met: Mapping[str, float]

    def text(self) -> str:
        """For people."""
        score = self.score
        if score.estimate is None:
            return f"no valid rating ({self.invalid} invalid)"
        interval = "" if score.low is None else f" [{score.low:.1%}, {score.high:.1%}]"
        line = f"{score.estimate:.1%}{interval} of the points on {score.n_prompts} prompts"
        if not self.invalid:
            return line
        return f"{line} ({self.invalid} invalid ratings: between {self.worst:.1%} and {self.best:.1%} with them)"

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return asdict(self)


@dataclass
class Points:
    """Ratings added up, one judge's of one model's answers, one rating an answer."""

    points: dict[str, float] = field(default_factory=dict)  # by prompt
    samples: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    met: Counter[str] = field(default_factory=Counter)  # samples, by criterion
    asked: Counter[str] = field(default_factory=Counter)

    def add(self, rating: Rating) -> None:
        """Count one rating for as many samples as it stands for."""
        if rating.score is None:
            self.invalid += rating.count
            return
        self.points[rating.prompt] = self.points.get(rating.prompt, 0.0) + rating.score * rating.count
        self.samples[rating.prompt] += rating.count
        for criterion, is_met in rating.met.items():
            self.met[criterion] += rating.count * bool(is_met)
            self.asked[criterion] += rating.count

    def quality(self) -> Quality:
        """What they say."""
        points = np.array([self.points[prompt] for prompt in self.samples], dtype=float)
        samples = np.array(list(self.samples.values()), dtype=float)
        total = samples.sum() + self.invalid
        return Quality(
            score=estimated(ratio_of_sums(points, samples), list(self.samples)),
            invalid=self.invalid,
            worst=float(points.sum() / total) if total else None,
            best=float((points.sum() + self.invalid) / total) if total else None,
            met={criterion: self.met[criterion] / asked for criterion, asked in self.asked.items()},
        )
