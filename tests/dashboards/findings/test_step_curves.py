"""Tests of dashboards/findings/step_curves.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboards.findings.step_curves import MOST_POINTS, Curves, StepColumns, thinned


def curves(*records: dict[str, Any], most: int = MOST_POINTS) -> Curves:
    columns = StepColumns()
    columns.extend(records)
    return thinned(*columns.table(), most)


def test_few_steps_are_drawn_as_they_are() -> None:
    found = curves({"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.5, "kl": 3.0})
    assert found == Curves((1, 2), 1, {"loss": (0.7, 0.5), "kl": (None, 3.0)})


def test_no_steps_give_no_points() -> None:
    assert curves() == Curves()


def test_many_steps_become_means_with_the_lowest_and_the_highest() -> None:
    found = curves(*({"step": step, "loss": float(step)} for step in range(1, 8)), most=3)
    assert (found.steps, found.per_point) == ((3, 6, 7), 3)
    assert found.means["loss"] == (2.0, 5.0, 7.0)
    assert found.lowest["loss"] == (1.0, 4.0, 7.0)
    assert found.highest["loss"] == (3.0, 6.0, 7.0)


def test_what_is_no_number_is_left_out_of_a_mean_and_alone_is_nothing() -> None:
    some: list[dict[str, Any]] = [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": None},
        {"step": 3, "loss": None},
        {"step": 4, "loss": None},
    ]
    found = curves(*some, most=2)
    assert found.means["loss"] == (1.0, None)
    assert found.lowest["loss"] == found.highest["loss"] == (1.0, None)


def test_steps_that_were_done_again_count_once_and_as_done_last() -> None:
    some = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}, {"step": 2, "loss": 0.5}, {"step": 3, "loss": 0.4}]
    assert curves(*some).means["loss"] == (0.7, 0.5, 0.4)


def test_a_line_of_hundreds_of_thousands_of_steps_stays_drawable() -> None:
    columns = StepColumns()
    columns.extend({"step": step, "loss": 1 / (1 + step)} for step in range(300_000))
    found = thinned(*columns.table())
    assert len(found.steps) <= MOST_POINTS
    assert found.steps[-1] == 299_999
    assert np.isclose(found.highest["loss"][0] or 0, 1.0)
