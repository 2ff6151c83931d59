"""Figures of a training set as token ids."""

from __future__ import annotations

import pytest

from align.preflight.figures import (
    Contradictions,
    Lengths,
    class_ratio_of,
    contradictions,
    length_shortcut,
    lengths,
    one_sided_batches,
    shared_prefix,
)
from align.rendering.pairs import TokenRow


def pair(prompt: list[int], chosen: list[int], rejected: list[int], contexts: tuple[int, int] = (0, 0)) -> TokenRow:
    return {
        "prompt_ids": prompt,
        "chosen_ids": chosen,
        "rejected_ids": rejected,
        "chosen_context": contexts[0],
        "rejected_context": contexts[1],
        "weight": 1.0,
    }


def labelled(*labels: bool) -> list[TokenRow]:
    return [
        {"prompt_ids": [1], "completion_ids": [2, number], "context": 0, "label": label, "weight": 1.0}
        for number, label in enumerate(labels)
    ]


def test_lengths_are_of_each_column() -> None:
    rows = [pair([0] * n, [1] * (2 * n), [2]) for n in range(1, 102)]
    assert lengths(rows) == {
        "prompt": Lengths(51, 96, 101),
        "chosen": Lengths(102, 192, 202),
        "rejected": Lengths(1, 1, 1),
    }
    assert lengths([]) == {}
    assert list(lengths(labelled(True))) == ["prompt", "completion"]


def test_length_that_predicts_counts_what_is_learnt_and_halves_ties() -> None:
    rows = [pair([0], [1] * 5, [2] * 3), pair([0], [1] * 3, [2] * 3), pair([0], [1] * 9, [2] * 3, (8, 0))]
    found = length_shortcut(rows)
    assert found.longer == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.difference == pytest.approx((2 + 0 - 2) / 3)


def test_the_shared_prefix_is_the_prompt_and_what_both_answers_begin_with() -> None:
    share, fewer = shared_prefix([pair([0] * 6, [7, 1, 1], [7, 2]), pair([0] * 3, [1], [2])])
    total = 2 * 6 + 5 + 2 * 3 + 2
    assert share == pytest.approx(2 * (7 + 3) / total)
    assert fewer == pytest.approx(total / (total - 10))
    assert shared_prefix([]) == (0.0, 1.0)


def test_what_is_said_again_and_what_is_gainsaid() -> None:
    a, b, c = [1], [2], [3]
    ranking = [pair([0], a, b), pair([0], b, c), pair([0], a, c)]
    assert contradictions(ranking) == Contradictions(duplicates=0, reversed=0, both_ways=1)
    assert contradictions([*ranking, *ranking[:2]]).duplicates == 2
    assert contradictions([*ranking, pair([0], b, a)]) == Contradictions(duplicates=0, reversed=2, both_ways=2)
    elsewhere = pair([9], b, a)
    assert contradictions([ranking[0], elsewhere]) == Contradictions(0, 0, 0)


@pytest.mark.parametrize(
    ("labels", "size", "expected"),
    [
        ([True, False] * 4, 4, (0, 2)),
        ([True] * 4 + [False] * 4, 4, (2, 2)),
        ([True] * 4 + [False] * 4, 8, (0, 1)),
        ([True, True, True, False, True], 2, (1, 2)),
        ([True, False, True], 1, (0, 0)),
        ([], 4, (0, 0)),
    ],
)
def test_batches_of_one_label(labels: list[bool], size: int, expected: tuple[int, int]) -> None:
    assert one_sided_batches(labelled(*labels), size) == expected


def test_classes_are_counted() -> None:
    found = class_ratio_of(labelled(True, False, True, True))
    assert (found.desirable, found.undesirable) == (3, 1)
