"""The order in which KTO reads labelled answers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from align.label_order import interleaved
from annotate.kto_labels import Label


def labels(desirable: int, undesirable: int, prompts: int) -> list[Label]:
    """So many of each class, dealt to so many prompts."""
    kinds = [*[True] * desirable, *[False] * undesirable]
    return [Label(f"p{place % prompts}", f"c{place}", kind, ()) for place, kind in enumerate(kinds)]


@pytest.mark.parametrize(("desirable", "undesirable"), [(16, 16), (8, 32), (40, 10), (1, 9), (5, 0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_stretch_has_both_classes_in_the_proportion_of_the_whole(
    desirable: int, undesirable: int, seed: int
) -> None:
    given = labels(desirable, undesirable, 7)
    found = interleaved(given, seed)
    assert sorted(label.candidate for label in found) == sorted(label.candidate for label in given)
    share = desirable / len(given)
    for end in range(1, len(found) + 1):
        assert abs(sum(label.desirable for label in found[:end]) - share * end) <= 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("desirable", "undesirable"), [(20, 20), (12, 36)])
def test_neighbours_are_of_different_prompts(seed: int, desirable: int, undesirable: int) -> None:
    found = interleaved(labels(desirable, undesirable, 12), seed)
    assert sum(one.prompt == other.prompt for one, other in pairwise(found)) <= 1  # the last has nothing left to go to


def test_the_order_depends_on_the_seed_alone() -> None:
    given = labels(15, 25, 8)
    assert interleaved(given, 3) == interleaved(given, 3)
    assert interleaved(given, 3) != interleaved(given, 4)
    assert interleaved([], 0) == []
