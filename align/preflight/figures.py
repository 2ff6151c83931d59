"""Figures of a training set as token ids: lengths, what is shared, what says the same twice or the contrary. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from align.rendering.pairs import TokenRow
from annotate.kto_labels import ClassRatio


@dataclass(frozen=True)
class Lengths:
    """Of token sequences: the median, the 95th percentile, the longest."""

    median: float
    high: float
    longest: int

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {"median": self.median, "p95": round(self.high, 1), "max": self.longest}


@dataclass(frozen=True)
class Shortcut:
    """Could length alone tell chosen from rejected? Lengths are of what is in the loss, in tokens."""

    longer: float  # share of the pairs whose chosen answer is the longer one; equal lengths count half
    difference: float  # mean of chosen minus rejected


@dataclass(frozen=True)
class Contradictions:
    """What pairs say about one another. A pair is its prompt and the two answers, as tokens."""

    duplicates: int  # pairs that repeat an earlier one
    reversed: int  # of the different pairs, those whose reverse is there too
    both_ways: int  # answers that are chosen in one pair and rejected in another; any ranking of three has one


def is_paired(rows: Sequence[TokenRow]) -> bool:
    """Are these pairs, not labelled answers?"""
    return not rows or "chosen_ids" in rows[0]


def answer_columns(rows: Sequence[TokenRow]) -> tuple[tuple[str, str], ...]:
    """The columns of answers and of how much of them is context."""
    if is_paired(rows):
        return ("chosen_ids", "chosen_context"), ("rejected_ids", "rejected_context")
    return (("completion_ids", "context"),)


def lengths(rows: Sequence[TokenRow]) -> dict[str, Lengths]:
    """Of the prompts, and of the answers with their context; nothing for no rows."""
    if not rows:
        return {}
    columns = ("prompt_ids", *(ids for ids, _ in answer_columns(rows)))
    return {name.removesuffix("_ids"): _lengths([len(row[name]) for row in rows]) for name in columns}


def _lengths(values: Sequence[int]) -> Lengths:
    median, high = np.quantile(values, [0.5, 0.95])
    return Lengths(float(median), float(high), max(values))


def length_shortcut(rows: Sequence[TokenRow]) -> Shortcut:
    """How well length predicts the preference; ``rows`` are pairs, at least one."""
    chosen, rejected = (
        np.array([len(row[ids]) - row[context] for row in rows]) for ids, context in answer_columns(rows)
    )
    longer = np.mean((chosen > rejected) + 0.5 * (chosen == rejected))
    return Shortcut(float(longer), float(np.mean(chosen - rejected)))


def shared_prefix(rows: Sequence[TokenRow]) -> tuple[float, float]:
    """How much of what TRL runs is computed twice, and how many times fewer tokens there are without that.

    Of pairs: each prompt, and what both answers begin with, once instead of twice (Wang and Hegde, 2024). Tokens of a
    prompt that several pairs have are counted once a pair.

    Returns:
        The share of the tokens that lie in shared prefixes, in [0, 1], and the ratio of tokens, at least 1.
    """
    total = shared = 0
    for row in rows:
        prefix = len(row["prompt_ids"]) + _common(row["chosen_ids"], row["rejected_ids"])
        total += 2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"])
        shared += prefix
    return (2 * shared / total, total / (total - shared)) if total else (0.0, 1.0)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def contradictions(rows: Iterable[TokenRow]) -> Contradictions:
    """Pairs that repeat or contradict each other; by hashes of the tokens, so that no copy of them is held."""
    seen: Counter[tuple[int, int, int]] = Counter()
    for row in rows:
        prompt, chosen, rejected = (hash(tuple(row[name])) for name in ("prompt_ids", "chosen_ids", "rejected_ids"))
        seen[prompt, chosen, rejected] += 1
    better = {(prompt, chosen) for prompt, chosen, _ in seen}
    worse = {(prompt, rejected) for prompt, _, rejected in seen}
    turned = sum((prompt, rejected, chosen) in seen for prompt, chosen, rejected in seen)
    return Contradictions(seen.total() - len(seen), turned, len(better & worse))


def one_sided_batches(rows: Sequence[TokenRow], batch_size: int) -> tuple[int, int]:
    """Of the batches of labelled answers in the order given: how many have one label alone, and how many there are.

    A batch of one answer, as the last one may be, does not count.
    """
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    batches = [batch for batch in batches if len(batch) > 1]
    return sum(len({row["label"] for row in batch}) == 1 for batch in batches), len(batches)


def class_ratio_of(rows: Iterable[Mapping[str, Any]]) -> ClassRatio:
    """How many labelled answers are of each class."""
    labels = [bool(row["label"]) for row in rows]
    return ClassRatio(sum(labels), len(labels) - sum(labels))
