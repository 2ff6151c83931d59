"""The order in which KTO reads labelled answers. Pure.

TRL's KTO reads rows in the order given and estimates its KL term from each row's neighbour in the batch, so every batch
wants both classes, in the proportion of the whole, and neighbours of different prompts.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from annotate.kto_labels import Label


def interleaved(labels: Sequence[Label], seed: int) -> list[Label]:
    """``labels`` at random, but both classes spread evenly, and neighbours of different prompts as far as can be."""
    rng = random.Random(seed)
    desirable = _spread([label for label in labels if label.desirable], rng)
    undesirable = _spread([label for label in labels if not label.desirable], rng)
    merged = sorted([*_placed(desirable), *_placed(undesirable)], key=lambda each: (each[0], not each[1].desirable))
    return _apart([label for _, label in merged])


def _spread(labels: Iterable[Label], rng: random.Random) -> list[Label]:
    """In random order, those of the same prompt far apart."""
    shuffled = list(labels)
    rng.shuffle(shuffled)
    by_prompt: dict[str, list[Label]] = {}
    for label in shuffled:
        by_prompt.setdefault(label.prompt, []).append(label)
    groups = sorted(by_prompt.values(), key=len, reverse=True)
    return [label for turn in zip_longest(*groups) for label in turn if label is not None]


def _placed(labels: Sequence[Label]) -> list[tuple[float, Label]]:
    """Each with its place in the whole, in [0, 1): evenly, whatever their number."""
    return [((place + 0.5) / len(labels), label) for place, label in enumerate(labels)]


def _apart(labels: list[Label]) -> list[Label]:
    """Exchange a label that follows one of its own prompt for the next of its class that does not."""
    for place in range(1, len(labels)):
        if labels[place].prompt != labels[place - 1].prompt:
            continue
        around = {labels[place - 1].prompt, *(label.prompt for label in labels[place + 1 : place + 2])}
        for other in range(place + 1, len(labels)):
            theirs = labels[other]
            if theirs.desirable == labels[place].desirable and theirs.prompt not in around:
                labels[place], labels[other] = theirs, labels[place]
                break
    return labels
