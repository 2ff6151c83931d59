"""Pairs to the rows that TRL trains on."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from align.export.rows import Preference, TrainingRow, paired_rows, unpaired_rows


def preferences(*prompts: int) -> list[Preference]:
    """One preference for each number; the same number is the same prompt."""
    return [
        Preference(({"role": "user", "content": f"question {prompt}"},), f"good {place}", f"poor {place}")
        for place, prompt in enumerate(prompts)
    ]


def asked(row: TrainingRow) -> str:
    return str(row["prompt"][-1]["content"])


def said(row: TrainingRow) -> str:
    return str(row["completion"][0]["content"])


def test_paired_rows_are_conversations() -> None:
    (row,) = paired_rows(preferences(3))
    assert row == {
        "prompt": [{"role": "user", "content": "question 3"}],
        "chosen": [{"role": "assistant", "content": "good 0"}],
        "rejected": [{"role": "assistant", "content": "poor 0"}],
    }


def test_paired_rows_keep_their_order() -> None:
    assert [asked(row) for row in paired_rows(preferences(2, 0, 1))] == ["question 2", "question 0", "question 1"]
    assert paired_rows([]) == []


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 8, 31])
@pytest.mark.parametrize("seed", [0, 1])
def test_unpaired_rows_alternate_and_hold_each_answer_once(n: int, seed: int) -> None:
    rows = unpaired_rows(preferences(*range(n)), seed)
    labels = [row["label"] for row in rows]
    assert labels == [place % 2 == 0 for place in range(2 * n)]
    assert Counter(said(row) for row in rows) == Counter(f"{kind} {i}" for kind in ("good", "poor") for i in range(n))
    assert all(row["label"] == said(row).startswith("good") for row in rows)
    assert all(asked(row).split()[1] == said(row).split()[1] for row in rows)


@pytest.mark.parametrize("n", [3, 4, 7, 8, 31])
@pytest.mark.parametrize("seed", [0, 1])
def test_neighbours_are_of_different_prompts(n: int, seed: int) -> None:
    rows = unpaired_rows(preferences(*range(n)), seed)
    assert all(asked(one) != asked(other) for one, other in pairwise(rows))


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_are_of_different_prompts_where_a_prompt_has_several_pairs(seed: int) -> None:
    rows = unpaired_rows(preferences(*[0, 1, 2] * 4, *[3, 4] * 2, 5, 6, 7), seed)
    assert all(asked(one) != asked(other) for one, other in pairwise(rows))
    assert all(one["label"] != other["label"] for one, other in pairwise(rows))


def test_the_order_depends_on_the_seed_alone() -> None:
    pairs = preferences(*range(20))
    assert unpaired_rows(pairs, 0) == unpaired_rows(pairs, 0)
    assert unpaired_rows(pairs, 0) != unpaired_rows(pairs, 1)
    assert [asked(row) for row in unpaired_rows(pairs, 0)][:20] != [f"question {i}" for i in range(20)]
