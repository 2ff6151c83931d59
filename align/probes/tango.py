"""The difference of two shares on the same prompts, by Tango's score (Tango, 1998, Statistics in Medicine 17).

It holds its level where few prompts differ, and none: its variance is the one under the difference that is tested, not
the one observed, which is 0 where two models answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist

NORMAL = NormalDist()
HALVINGS = 45  # of [-1, 1]: to 13 digits


@dataclass(frozen=True)
class Discordance:
    """Prompts on which a model has 1 and another 0.

    Attributes:
        gained: 0 before and 1 after
        lost: 1 before and 0 after
        n: prompts in all, those with the same value both times too
    """

    gained: int
    lost: int
    n: int

    @property
    def difference(self) -> float:
        """Of the shares, after less before."""
        return (self.gained - self.lost) / self.n

    def deviation_at(self, difference: float) -> float:
        """Standard deviation of one prompt's difference, were the true ``difference`` in [-1, 1] this one."""
        a, c = 2 * self.n, -self.lost * difference * (1 - difference)
        b = -self.gained - self.lost + (2 * self.n - self.gained + self.lost) * difference
        lost = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)  # its likeliest share
        return sqrt(max(2 * lost + difference * (1 - difference), 0.0))

    def score(self, difference: float) -> float:
        """How many standard errors the observed difference lies above this one."""
        above = self.difference - difference
        error = self.deviation_at(difference) / sqrt(self.n)
        if error > 0:
            return above / error
        return inf * (1 if above > 0 else -1) if above else 0.0

    def interval(self, confidence: float) -> tuple[float, float]:
        """The differences that the two-sided score test does not exclude."""
        quantile = NORMAL.inv_cdf((1 + confidence) / 2)
        return self._last(-1.0, quantile), self._last(1.0, -quantile)

    def _last(self, outside: float, quantile: float) -> float:
        """Between ``outside`` and the observed difference, where the score is ``quantile``."""
        inside = self.difference
        for _ in range(HALVINGS):
            middle = (outside + inside) / 2
            if abs(self.score(middle)) > abs(quantile):
                outside = middle
            else:
                inside = middle
        return inside
