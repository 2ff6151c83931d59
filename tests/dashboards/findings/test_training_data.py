"""Tests of dashboards/findings/training_data.py and trained_pairs.py."""

from __future__ import annotations

import pytest

from dashboards.counting.sections import TRAINING_DATA
from dashboards.findings.training_data import BINS, bin_of, find_training_data
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_runs import with_pairs


def test_pairs_by_mode_kind_topic_weight_and_assessor(workspace: Workspace) -> None:
    model = with_pairs(workspace.ledger)
    found = find_training_data(workspace)
    assert TRAINING_DATA.form.validate_json(TRAINING_DATA.form.dump_json(found)) == found
    of = found.models[model.id]
    assert (of.pairs, of.prompts) == (3, 3)
    assert (of.modes, of.kinds) == ({"clinical": 2, "exam": 1}, {"open": 2, "mcq": 1})
    assert of.topics == {"hernia": 1, NASTY: 1, "": 1}
    assert of.mean_weight == pytest.approx((0.55 + 0.8 + 1.0) / 3)
    assert of.weights == (1, 0, 0, 0, 0, 1, 0, 0, 0, 1)
    # Two surgeons on one pair are one; surgeons are never named.
    assert of.assessors == {"surgeons": 2, "judge:big": 2}


def test_a_model_without_pairs_is_left_out(workspace: Workspace) -> None:
    assert find_training_data(workspace).models == {}


@pytest.mark.parametrize(("weight", "place"), [(0.5, 0), (0.55, 0), (0.5501, 1), (0.75, 4), (0.95, 8), (1.0, 9)])
def test_a_bins_upper_end_belongs_to_it(weight: float, place: int) -> None:
    assert bin_of(weight) == place < BINS
