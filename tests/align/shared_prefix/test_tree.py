"""Every distinct prefix is packed once, sees itself and nothing else, and predicts what its rows ask."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from align.shared_prefix.tree import IGNORED, Ints, Plan, plan_batch

Batch = tuple[Ints, Ints, Ints]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Rows of three tokens, padded on either side, with labels anywhere."""
    rows, length = draw(st.integers(1, 6)), draw(st.integers(2, 9))
    shape = (rows, length)
    ids = np.array(draw(st.lists(st.integers(0, 2), min_size=rows * length, max_size=rows * length))).reshape(shape)
    mask = np.ones(shape, np.int64)
    for row in mask:
        cut = draw(st.integers(0, length))
        row[: length - cut if draw(st.booleans()) else None][: None if cut == 0 else cut] = 0
    wanted = np.array(draw(st.lists(st.booleans(), min_size=rows * length, max_size=rows * length))).reshape(shape)
    return ids, mask, np.where(wanted & (mask == 1), ids, IGNORED)


def seen_from(plan: Plan, place: int) -> list[int]:
    """The packed places to which one attends, in order, itself last."""
    run = next(run for run in plan.runs if run.start <= place < run.end)
    before = [each for start, end in run.context for each in range(start, end)]
    return [*before, *range(run.start, place + 1)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(batches())
def test_each_row_reads_itself_in_the_tree(batch: Batch) -> None:
    ids, mask, labels = batch
    plan = plan_batch(*batch)
    expected: dict[tuple[int, ...], set[int]] = {}
    for row, column in np.argwhere((labels[:, 1:] != IGNORED) & (mask[:, :-1] == 1)):
        prefix = tuple(ids[row, : column + 1][mask[row, : column + 1] == 1].tolist())
        expected.setdefault(prefix, set()).add(int(labels[row, column + 1]))
        assert plan is not None
        item = plan.item_of[row, column]
        places = seen_from(plan, int(plan.places[item]))
        assert tuple(plan.tokens[places]) == prefix
        assert list(plan.positions[places]) == list(range(len(prefix)))
        assert plan.labels[item] == labels[row, column + 1]
    if plan is None:
        assert not expected
        return
    every = {prefix[:length] for prefix in expected for length in range(1, len(prefix) + 1)}
    assert len(plan.tokens) == len(every)
    assert len(plan.labels) == sum(map(len, expected.values()))
    assert (plan.item_of >= 0).sum() == ((labels[:, 1:] != IGNORED) & (mask[:, :-1] == 1)).sum()


def test_the_longer_answer_continues_its_prompt_and_the_other_branches_off() -> None:
    ids = np.array([[1, 2, 3, 4, 0, 0], [1, 2, 3, 5, 6, 7]])
    plan = plan_batch(ids, (ids > 0).astype(np.int64), np.where(ids > 3, ids, IGNORED))
    assert plan is not None
    assert plan.tokens.tolist() == [1, 2, 3, 5, 6]  # of the first row the prompt predicts all there is
    assert [(run.start, run.end, run.context) for run in plan.runs] == [(0, 5, ())]
    assert sorted(zip(plan.places.tolist(), plan.labels.tolist(), strict=True)) == [(2, 4), (2, 5), (3, 6), (4, 7)]


def test_a_large_batch_is_planned_within_the_time_of_a_sentence() -> None:
    ids: Any = np.random.default_rng(0).integers(0, 30_000, (16, 1_400))
    ids[:, :250] = ids[0, :250]
    ids[8:, :900] = ids[:8, :900]
    labels = np.where(np.arange(1_400) < 900, IGNORED, ids)

    def seconds() -> float:
        began = time.process_time()
        plan = plan_batch(ids, np.ones_like(ids), labels)
        assert plan is not None
        assert len(plan.tokens) == 250 + 8 * 650 + 16 * 499
        return time.process_time() - began

    assert min(seconds() for _ in range(5)) < 0.010
