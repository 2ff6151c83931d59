"""Pairs to the columns that TRL trains on: conversations, which TRL renders with the policy's own chat template."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from ledger.records import canonical_json
from sampling.chat import Turn

TrainingRow = dict[str, Any]


@dataclass(frozen=True)
class Preference:
    """A pair with its texts."""

    turns: tuple[Turn, ...]
    chosen: str
    rejected: str
    template: Mapping[str, Any] = field(default_factory=dict)  # what the chat template is told beside the turns


def paired_rows(preferences: Sequence[Preference]) -> list[TrainingRow]:
    """``prompt``, ``chosen``, ``rejected``: what DPO, IPO and ORPO take."""
    return [
        {**_prompt(each), "chosen": _answer(each.chosen), "rejected": _answer(each.rejected)} for each in preferences
    ]


def unpaired_rows(preferences: Sequence[Preference], seed: int) -> list[TrainingRow]:
    """``prompt``, ``completion``, ``label``: what KTO takes.

    TRL's KTO reads rows in the order given and estimates its KL term from each row's neighbour in the batch, so
    desirable and undesirable answers alternate, and neighbours are of different prompts, as far as there are such.
    """
    mixed = _spread(preferences, random.Random(seed))
    first = [_labelled(each, desirable=place % 2 == 0) for place, each in enumerate(mixed)]
    second = [_labelled(each, desirable=place % 2 == 1) for place, each in enumerate(mixed)]
    # An even number ends with an undesirable answer, and the second pass must then begin with a desirable one.
    turn = 1 - len(mixed) % 2
    return first + second[turn:] + second[:turn]


def _spread(preferences: Sequence[Preference], rng: random.Random) -> list[Preference]:
    """In random order, those of the same prompt far apart."""
    shuffled = list(preferences)
    rng.shuffle(shuffled)
    by_prompt: dict[str, list[Preference]] = {}
    for each in shuffled:
        by_prompt.setdefault(canonical_json(each.turns), []).append(each)
    groups = sorted(by_prompt.values(), key=len, reverse=True)
    return [each for turn in zip_longest(*groups) for each in turn if each is not None]


def _labelled(preference: Preference, *, desirable: bool) -> TrainingRow:
    text = preference.chosen if desirable else preference.rejected
    return {**_prompt(preference), "completion": _answer(text), "label": desirable}


def _prompt(preference: Preference) -> TrainingRow:
    told = {"chat_template_kwargs": dict(preference.template)} if preference.template else {}
    return {"prompt": list(preference.turns), **told}


def _answer(text: str) -> list[Turn]:
    return [{"role": "assistant", "content": text}]
