"""Tests of margins: by hand, against scipy and statsmodels, and how often they are wrong."""

from __future__ import annotations

from importlib import import_module
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.gate.noninferiority import (
    Standing,
    axis_standing,
    holm,
    length_standing,
    prompts_needed,
    share_standing,
)
from align.probes.paired import change
from align.probes.tango import Discordance
from tests.align.probes.axes import axis, binary

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def by_prompt(values: object) -> dict[str, float]:
    return {f"p{number:04d}": float(value) for number, value in enumerate(np.asarray(values))}


def shares(values: object, margin: float | None = 0.05, resamples: int = 2_000) -> Standing:
    found = share_standing(by_prompt(values), margin, resamples=resamples)
    assert found is not None
    return found


class TestBinary:
    @pytest.mark.parametrize("higher_is_better", [True, False])
    def test_margin_and_worse_are_tango_s_and_mcnemar_s(self, higher_is_better: bool) -> None:
        before, after = binary("x", 60, 9, 4, 27, higher_is_better=higher_is_better)
        found = axis_standing(before, after, 0.1)
        assert found is not None
        stats = import_module("scipy.stats")
        assert found.loss == pytest.approx(0.05)
        assert found.p_within == pytest.approx(stats.norm.sf(Discordance(4, 9, 100).score(-0.1)))
        assert found.p_worse == pytest.approx(stats.binomtest(9, 13, alternative="greater").pvalue)
        assert not found.beyond

    def test_the_bound_is_that_of_the_change_and_agrees_with_the_p_value(self) -> None:
        before, after = binary("harm", 60, 9, 4, 27, higher_is_better=False)
        seen, found = change(before, after), axis_standing(before, after, 0.1)
        assert seen is not None
        assert found is not None
        assert (found.low, found.high) == pytest.approx((seen.low, seen.high))
        for margin, within in ((found.high + 1e-6, True), (found.high - 1e-6, False)):
            at = axis_standing(before, after, margin)
            assert at is not None
            assert (at.p_within < 0.025) == within

    def test_beyond_begins_at_the_margin(self) -> None:
        before, after = binary("x", 80, 10, 0, 10)
        for margin, beyond in ((0.1, True), (0.11, False), (0.09, True)):
            found = axis_standing(before, after, margin)
            assert found is not None
            assert found.beyond == beyond

    def test_without_a_margin_nothing_is_asked(self) -> None:
        found = axis_standing(*binary("x", 80, 10, 0, 10))
        assert found is not None
        assert (found.margin, found.p_within, found.beyond) == (None, 1.0, False)
        assert found.p_worse == pytest.approx(0.5**10)

    def test_no_prompt_no_standing(self) -> None:
        assert axis_standing(axis("x", []), axis("x", [1]), 0.1) is None


class TestMeans:
    def test_p_values_and_bounds_agree(self) -> None:
        values = np.random.default_rng(3).choice([0, 0.25, 0.5, 1], size=120)
        found = shares(values, resamples=20_000)
        for margin, within in ((found.high + 0.003, True), (found.high - 0.003, False)):
            assert (shares(values, margin, 20_000).p_within < 0.025) == within
        for shift, worse in ((found.low - 0.003, True), (found.low + 0.003, False)):
            assert (shares(values + shift, None, 20_000).p_worse < 0.025) == worse

    @pytest.mark.parametrize("n", [12, 40, 400])
    def test_they_are_about_those_of_student_s_t(self, n: int) -> None:
        values = np.random.default_rng(n).beta(2, 2, size=n)
        stats = import_module("scipy.stats")
        margin = 0.5 - values.mean() + values.std() / sqrt(n)  # one standard error away
        exact = stats.ttest_1samp(0.5 - values, margin, alternative="less").pvalue
        assert shares(values, margin, 20_000).p_within == pytest.approx(exact, abs=0.02)
        worse = stats.ttest_1samp(0.5 - values, 0, alternative="greater").pvalue
        assert shares(values, margin, 20_000).p_worse == pytest.approx(worse, abs=0.02)

    @pytest.mark.parametrize("share", [0.5, 0.4, 0.6])
    def test_alike_values_agree_with_their_interval(self, share: float) -> None:
        found = shares([share] * 60)
        assert found.loss == pytest.approx(0.5 - share)
        assert found.low < found.loss < found.high
        for margin, within in ((found.high + 1e-9, True), (found.high - 1e-9, False)):
            assert (shares([share] * 60, margin).p_within < 0.025) == within
        assert (found.p_worse < 0.025) == (found.low > 0)

    def test_all_lost_or_all_won(self) -> None:
        lost, won = shares([0.0] * 30), shares([1.0] * 30)
        assert (lost.p_within, lost.beyond, won.p_worse) == (1.0, True, 1.0)
        assert lost.p_worse < 0.001
        assert won.p_within < 0.001

    def test_fractions_of_an_axis(self) -> None:
        before, after = axis("x", [0.5, 1, 1, 0] * 50), axis("x", [0.5, 1, 0.5, 0] * 50)
        seen, found = change(before, after, resamples=1_000), axis_standing(before, after, 0.2, resamples=1_000)
        assert seen is not None
        assert found is not None
        assert (found.low, found.high) == pytest.approx((-seen.high, -seen.low))
        assert found.loss == pytest.approx(0.125)
        assert max(found.p_within, found.p_worse) < 0.002

    def test_the_level_is_held(self) -> None:
        """Exactly the margin worse, 600 times over 100 prompts: the standard error of 2.5% is 0.6%."""
        rng = np.random.default_rng(5)
        drawn = rng.choice([0, 0.5, 1], p=[0.45, 0.2, 0.35], size=(600, 100))  # a mean of 0.45
        found = [shares(row, resamples=400) for row in drawn]
        assert 0.005 <= np.mean([each.p_within < 0.025 for each in found]) <= 0.045

    def test_nothing_won_or_lost_is_no_standing(self) -> None:
        assert share_standing({}, 0.05) is None


class TestLengths:
    def test_the_ratio_and_its_interval(self) -> None:
        """The delta method against a bootstrap over prompts."""
        rng = np.random.default_rng(0)
        before = np.exp(rng.normal(5, 0.5, 300))
        after = before * np.exp(rng.normal(0.2, 0.4, 300))
        found = length_standing(by_prompt(before), by_prompt(after), 0.5)
        assert found is not None
        draws = rng.integers(0, 300, size=(4_000, 300))
        ratios = np.log(after[draws].mean(axis=1) / before[draws].mean(axis=1))
        assert found.loss == pytest.approx(log(after.mean() / before.mean()))
        assert (found.low, found.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])), abs=0.01)
        assert found.margin == pytest.approx(log(1.5))
        assert found.p_within < 0.001
        assert found.p_worse < 0.001

    def test_twice_as_long_throughout(self) -> None:
        before = by_prompt([100, 50, 80, 20, 60, 90])
        after = {prompt: 2 * words for prompt, words in before.items()}
        found = length_standing(before, after, 0.5)
        assert found is not None
        assert exp(found.loss) == pytest.approx(2)
        assert (found.p_within, found.p_worse, found.beyond) == (1.0, 0.5**6, True)
        same = length_standing(before, before, 0.5)
        assert same is not None
        assert (same.p_within, same.p_worse) == (0.5**6, 1.0)

    def test_one_prompt_shows_nothing_and_none_is_none(self) -> None:
        found = length_standing({"a": 10.0}, {"a": 10.0}, 0.5)
        assert found is not None
        assert (found.high, found.p_within) == (inf, 0.5)
        assert length_standing({"a": 10.0}, {"b": 10.0}, 0.5) is None
        assert length_standing({"a": 10.0}, {"a": 0.0}, 0.5) is None


class TestHolm:
    def test_it_is_statsmodels(self) -> None:
        multitest, rng = import_module("statsmodels.stats.multitest"), np.random.default_rng(0)
        assert holm([]) == []
        for n in range(1, 13):
            p_values = (rng.random(n) ** 3).round(2).tolist()  # some alike
            assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1].tolist())

    def test_by_hand(self) -> None:
        assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])

    @given(P_VALUES)
    def test_the_order_does_not_matter(self, p_values: list[float]) -> None:
        assert holm(p_values[::-1]) == holm(p_values)[::-1]


class TestNeeded:
    def test_it_is_statsmodels_sample_size(self) -> None:
        power = import_module("statsmodels.stats.power")
        needed = prompts_needed(0.05, 0.4, alpha=0.025)
        exact = power.NormalIndPower(ddof=0).solve_power(
            0.05 / 0.4, alpha=0.025, power=0.8, ratio=0, alternative="larger"
        )
        assert needed == pytest.approx(exact, abs=1)

    def test_more_do_not_help_beyond_the_margin(self) -> None:
        assert prompts_needed(0.0, 0.4, alpha=0.025) is None
        assert prompts_needed(-0.01, 0.4, alpha=0.025) is None

    @pytest.mark.parametrize("churn", [0.03, 0.06, 0.15])
    def test_that_many_prompts_have_the_power(self, churn: float) -> None:
        """Of Tango's test of a margin of 10 points, where half of what changes becomes better."""
        half = churn / 2
        seen = Discordance(round(1_000 * half), round(1_000 * half), 1_000)
        needed = prompts_needed(0.1, sqrt(churn), seen.deviation_at(-0.1), alpha=0.025)
        assert needed is not None
        drawn = np.random.default_rng(0).multinomial(needed, [half, half, 1 - churn], size=3_000)
        shown = [Discordance(int(up), int(down), needed).score(-0.1) >= 1.959964 for up, down, _ in drawn]
        assert np.mean(shown) == pytest.approx(0.8, abs=0.08)  # counts are whole
