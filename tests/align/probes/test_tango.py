"""Tango's score: figures of others, its definition, and how often its interval holds the truth."""

from __future__ import annotations

from importlib import import_module
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.tango import Discordance

COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)).filter(lambda each: sum(each) > 0)


def test_the_interval_of_a_published_table() -> None:
    """Complete response before and after consolidation (Cavo et al., 2012), as R's contingencytables 3.0 gives it."""
    assert Discordance(6, 16, 161).interval(0.95) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


def likeliest_deviation(counts: Discordance, difference: float) -> float:
    """Of one prompt's difference, by maximising the likelihood under the difference."""
    same = counts.n - counts.gained - counts.lost
    special, optimize = import_module("scipy.special"), import_module("scipy.optimize")

    def unlikely(lost: float) -> float:
        shares = (lost + difference, lost, 1 - 2 * lost - difference)
        seen = (counts.gained, counts.lost, same)
        return -float(sum(special.xlogy(k, max(p, 0.0)) for k, p in zip(seen, shares, strict=True)))

    least, most = max(0.0, -difference), (1 - difference) / 2
    lost = optimize.minimize_scalar(unlikely, bounds=(least, most), method="bounded", options={"xatol": 1e-10}).x
    return sqrt(2 * lost + difference - difference**2)


@pytest.mark.parametrize("counts", [(3, 9, 32), (0, 1, 44), (5, 5, 90), (40, 20, 160), (1, 7, 21)])
@pytest.mark.parametrize("difference", [-0.3, -0.1, 0.0, 0.05, 0.4])
def test_the_deviation_is_that_of_the_greatest_likelihood(counts: tuple[int, int, int], difference: float) -> None:
    found = Discordance(*counts)
    assert found.deviation_at(difference) == pytest.approx(likeliest_deviation(found, difference), rel=1e-4)


def test_without_a_margin_it_is_mcnemar_s() -> None:
    tables = import_module("statsmodels.stats.contingency_tables")
    found = tables.mcnemar([[50, 13], [4, 33]], exact=False, correction=False)
    assert Discordance(13, 4, 100).score(0.0) ** 2 == pytest.approx(found.statistic)


def test_where_no_prompt_differs() -> None:
    """By hand: under a difference of -m the likeliest is that a share m is lost, of variance m(1 - m)."""
    none = Discordance(0, 0, 90)
    assert none.score(-0.1) == pytest.approx(sqrt(90 * 0.1 / 0.9))
    low, high = none.interval(0.95)
    assert low == -high
    assert none.score(low) == pytest.approx(1.959964, abs=1e-5)


def test_the_ends_of_the_scale() -> None:
    assert Discordance(0, 5, 5).interval(0.95)[0] == -1.0
    assert Discordance(5, 0, 5).interval(0.95)[1] == 1.0
    assert Discordance(5, 0, 5).score(-1.0) == inf
    assert Discordance(0, 5, 5).score(-1.0) == 0.0


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_mirrors_and_holds_the_estimate(counts: tuple[int, int, int], confidence: float) -> None:
    gained, lost, same = counts
    n = sum(counts)
    low, high = Discordance(gained, lost, n).interval(confidence)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert Discordance(lost, gained, n).interval(confidence) == pytest.approx((-high, -low))
    assert same + gained + lost == n


@pytest.mark.parametrize(
    ("n", "gained", "lost"), [(90, 0.03, 0.03), (90, 0.01, 0.11), (150, 0.04, 0.04), (40, 0.0, 0.02)]
)
def test_the_interval_holds_the_truth_about_as_often_as_it_says(n: int, gained: float, lost: float) -> None:
    """Exactly, over all outcomes; not below 93%, where Wald's interval has none in 45% of the last of these."""
    stats = import_module("scipy.stats")
    held = 0.0
    for up in range(int(stats.binom.ppf(1 - 1e-9, n, gained)) + 1):
        for down in range(int(stats.binom.ppf(1 - 1e-9, n, lost)) + 1):
            low, high = Discordance(up, down, n).interval(0.95)
            if low <= gained - lost <= high:
                held += stats.multinomial.pmf([up, down, n - up - down], n, [gained, lost, 1 - gained - lost])
    assert 0.93 <= held <= 1.0


def test_the_level_of_the_margin_s_test_is_held() -> None:
    """Worse by exactly the margin of 10 points over 90 prompts: shown to be within it in about 2.5% of all cases."""
    rng = np.random.default_rng(1)
    for gained, lost in ((0.0, 0.1), (0.03, 0.13), (0.1, 0.2)):
        drawn = rng.multinomial(90, [gained, lost, 1 - gained - lost], size=20_000)
        kinds, times = np.unique(drawn, axis=0, return_counts=True)
        shown = sum(
            int(k)
            for (up, down, _), k in zip(kinds, times, strict=True)
            if Discordance(int(up), int(down), 90).score(-0.1) >= 1.959964
        )
        assert shown / 20_000 < 0.031
