"""Pairs to the columns that TRL trains on: conversations, which TRL renders with the policy's own chat template."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampling.chat import Turn

TrainingRow = dict[str, Any]


@dataclass(frozen=True)
class Preference:
    """A pair with its texts."""

    turns: tuple[Turn, ...]
    chosen: str
    rejected: str


def paired_rows(preferences: Sequence[Preference]) -> list[TrainingRow]:
    """``prompt``, ``chosen``, ``rejected``: what DPO, IPO and ORPO take."""
    return [
        {"prompt": list(each.turns), "chosen": _answer(each.chosen), "rejected": _answer(each.rejected)}
        for each in preferences
    ]


def unpaired_rows(preferences: Sequence[Preference], seed: int) -> list[TrainingRow]:
    """``prompt``, ``completion``, ``label``: what KTO takes.

    TRL's KTO reads rows in the order given and estimates its KL term from each row's neighbour in the batch, so
    desirable and undesirable answers alternate, and no answer's neighbour is of the same prompt.
    """
    shuffled = list(preferences)
    random.Random(seed).shuffle(shuffled)
    rows = [_labelled(each, desirable=place % 2 == 0) for place, each in enumerate(shuffled)]
    return rows + [_labelled(each, desirable=place % 2 == 1) for place, each in enumerate(shuffled)]


def _labelled(preference: Preference, *, desirable: bool) -> TrainingRow:
    text = preference.chosen if desirable else preference.rejected
    return {"prompt": list(preference.turns), "completion": _answer(text), "label": desirable}


def _answer(text: str) -> list[Turn]:
    return [{"role": "assistant", "content": text}]
