"""Tests of dashboards/figures/numbers.py."""

from __future__ import annotations

import pytest

from dashboards.figures.numbers import n_of


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (n_of(0, "pair"), "0 pairs"),
        (n_of(1, "pair"), "1 pair"),
        (n_of(1_200, "pair"), "1,200 pairs"),
        (n_of(1, "verdict is", "verdicts are"), "1 verdict is"),
        (n_of(2, "verdict is", "verdicts are"), "2 verdicts are"),
    ],
)
def test_how_many(said: str, text: str) -> None:
    assert said == text
