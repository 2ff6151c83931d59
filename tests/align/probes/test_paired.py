"""What has changed on an axis, by hand and against scipy."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.axis import Axis
from align.probes.paired import Change, change, exact_mcnemar
from align.probes.tango import Discordance
from align.resampling import mean_interval
from tests.align.probes.axes import axis, binary


def found(before: Axis, after: Axis) -> Change:
    change_found = change(before, after, resamples=500)
    assert change_found is not None
    return change_found


def test_a_binary_axis_where_more_is_better() -> None:
    seen = found(*binary("exam accuracy", both=50, lost=8, gained=3, neither=39))
    assert (seen.before, seen.after, seen.n_prompts) == (0.58, 0.53, 100)
    assert seen.difference == pytest.approx(-0.05)
    assert (seen.improved, seen.worsened) == (3, 8)
    assert (seen.low, seen.high) == Discordance(3, 8, 100).interval(0.95)
    assert seen.worse == tuple(f"p{number:03d}" for number in range(50, 58))
    assert seen.text() == (
        "exam accuracy: 58.0% -> 53.0%, -5.0 points [-12.5, +1.7] on 100 prompts: 3 better, 8 worse, McNemar p = 0.227"
    )


def test_a_binary_axis_where_less_is_better() -> None:
    seen = found(*binary("harm", both=80, lost=7, gained=1, neither=2, higher_is_better=False))
    assert (seen.before, seen.after) == pytest.approx((3 / 90, 9 / 90))
    assert (seen.improved, seen.worsened) == (1, 7)
    low, high = Discordance(1, 7, 90).interval(0.95)
    assert (seen.low, seen.high) == (-high, -low)
    assert seen.low < seen.difference < seen.high
    assert len(seen.worse) == 7


def test_fractions_are_resampled() -> None:
    before, after = axis("accuracy", [0.5, 1, 0, 0.5, 1, 1] * 8), axis("accuracy", [0.5, 0.5, 0.5, 1, 0, 1] * 8)
    seen = found(before, after)
    difference = np.array([0, -0.5, 0.5, 0.5, -1, 0] * 8)
    assert seen.mcnemar is None
    assert (seen.low, seen.high) == mean_interval(difference, 500, 0.95, (-1, 1))
    assert (seen.improved, seen.worsened) == (16, 16)
    assert seen.worse[0] == "p004"
    assert len(seen.worse) == 10
    lower = found(Axis("wrong", False, before.values, before.modes), Axis("wrong", False, after.values, after.modes))
    assert lower.difference == seen.difference
    assert (lower.improved, lower.worsened) == (seen.worsened, seen.improved)
    assert (lower.low, lower.high) == pytest.approx((seen.low, seen.high), abs=0.03)


def test_only_prompts_with_both_values_count() -> None:
    before = Axis("harm", False, {"a": 0.0, "b": 1.0, "c": 0.0}, {})
    after = Axis("harm", False, {"b": 1.0, "c": 1.0, "d": 1.0}, {})
    seen = found(before, after)
    assert (seen.n_prompts, seen.before, seen.after, seen.worse) == (2, 0.5, 1.0, ("c",))
    assert change(before, Axis("harm", False, {"d": 1.0}, {})) is None


def test_two_kinds_of_axis_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not the same axis"):
        change(axis("harm", [0], higher_is_better=False), axis("harm", [0]))


@pytest.mark.parametrize(("improved", "worsened"), [(0, 0), (0, 1), (3, 8), (8, 3), (40, 61), (5, 5), (300, 420)])
def test_mcnemar_is_scipy_s_sign_test_and_statsmodels_own(improved: int, worsened: int) -> None:
    p = exact_mcnemar(improved, worsened)
    if improved + worsened:
        assert p == pytest.approx(import_module("scipy.stats").binomtest(improved, improved + worsened).pvalue)
    tables = import_module("statsmodels.stats.contingency_tables")
    assert p == pytest.approx(tables.mcnemar([[5, improved], [worsened, 5]], exact=True).pvalue)


@given(
    st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), st.sampled_from([0, 0.5, 1])), min_size=1, max_size=40),
    st.randoms(),
)
def test_the_order_of_the_prompts_does_not_matter(values: list[tuple[float, float]], random: object) -> None:
    prompts = [f"p{number}" for number in range(len(values))]
    before, after = (
        Axis("x", True, dict(zip(prompts, column, strict=True)), {}) for column in zip(*values, strict=True)
    )
    turned = [Axis("x", True, dict(reversed(list(each.values.items()))), {}) for each in (before, after)]
    seen = change(before, after, resamples=50)
    assert seen == change(*turned, resamples=50)
    assert seen is not None
    assert seen.low - 1e-9 <= seen.high
    assert seen.improved + seen.worsened <= seen.n_prompts
