"""The order in which KTO reads labelled answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.preflight.figures import one_sided_batches
from align.rendering.class_order import interleaved
from align.rendering.pairs import Rendering, TokenRow


def answers(*classes: tuple[int, bool]) -> Rendering:
    """One labelled answer for each prompt's number and label."""
    rows: list[TokenRow] = [
        {"prompt_ids": [7, prompt], "completion_ids": [place], "context": 0, "label": label, "weight": 1.0}
        for place, (prompt, label) in enumerate(classes)
    ]
    return Rendering(tuple(rows), tuple(f"a{place}" for place in range(len(rows))))


def clashes(found: Rendering) -> int:
    return sum(one["prompt_ids"] == other["prompt_ids"] for one, other in pairwise(found.rows))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), st.integers(0, 3))
def test_every_answer_is_there_once_and_keeps_its_id(classes: list[tuple[int, bool]], seed: int) -> None:
    given_rows = answers(*classes)
    found = interleaved(given_rows, seed)
    by_id = dict(zip(given_rows.ids, given_rows.rows, strict=True))
    assert sorted(found.ids) == sorted(given_rows.ids)
    assert all(by_id[name] is row for name, row in zip(found.ids, found.rows, strict=True))
    assert found == interleaved(given_rows, seed)


@pytest.mark.parametrize(("desirable", "undesirable"), [(24, 24), (30, 10), (10, 30), (36, 4), (33, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_every_batch_holds_both_classes(desirable: int, undesirable: int, seed: int) -> None:
    in_order = answers(*((n, True) for n in range(desirable)), *((100 + n, False) for n in range(undesirable)))
    assert one_sided_batches(in_order.rows, 8)[0] > 0
    size = 2 * -(-max(desirable, undesirable) // min(desirable, undesirable))
    found = interleaved(in_order, seed)
    assert one_sided_batches(found.rows[: len(found.rows) // size * size], size)[0] == 0


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_are_of_different_prompts(seed: int) -> None:
    pairs = [(prompt, label) for prompt in (*range(12), 0, 1, 2, 0) for label in (True, False)]
    found = interleaved(answers(*pairs), seed)
    assert clashes(found) == 0
    assert [row["label"] for row in found.rows] == [True, False] * 16


def test_the_seed_decides() -> None:
    many = answers(*((n, n % 2 == 0) for n in range(40)))
    assert interleaved(many, 0).ids != interleaved(many, 1).ids
    assert interleaved(answers((0, True), (0, True)), 0).ids
