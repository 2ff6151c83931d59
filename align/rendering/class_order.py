"""The order in which KTO reads labelled answers: both classes in every batch, neighbours of different prompts. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from align.rendering.pairs import Rendering, TokenRow

FAR = 1_000  # rows to look through for one to swap with: where all are of a few prompts, there is none


def interleaved(rendering: Rendering, seed: int) -> Rendering:
    """Labelled answers with each class spread evenly over the whole, in an order that depends on ``seed`` alone.

    TRL's KTO reads rows in the order given and pairs each prompt with its neighbour's answer to estimate the KL term
    (Ethayarajh et al., 2024), so a batch of one class or a neighbour of the same prompt spoils it. Of classes in the
    ratio n to 1, any n + 1 successive rows hold both but for one at a seam.
    """
    rows = rendering.rows
    rng = random.Random(seed)
    spread: list[tuple[float, int, int]] = []  # how far into its class, which class, which row
    for label in (True, False):
        places = [place for place, row in enumerate(rows) if row["label"] is label]
        rng.shuffle(places)
        spread += [((at + 0.5) / len(places), not label, place) for at, place in enumerate(places)]
    order = _apart(rows, [place for *_, place in sorted(spread)])
    return replace(
        rendering,
        rows=tuple(rows[place] for place in order),
        ids=tuple(rendering.ids[place] for place in order),
    )


def _apart(rows: Sequence[TokenRow], order: list[int]) -> list[int]:
    """``order`` with neighbours of the same prompt parted: by a swap with a row of the same class, where one serves."""
    for at in range(1, len(order)):
        if not _clashes(rows, order, at):
            continue
        for other in (*range(at + 1, min(at + FAR, len(order))), *range(max(at - FAR, 0), at)):
            if rows[order[other]]["label"] != rows[order[at]]["label"]:
                continue
            order[at], order[other] = order[other], order[at]
            if not any(_clashes(rows, order, place) for place in (at, at + 1, other, other + 1)):
                break
            order[at], order[other] = order[other], order[at]
    return order


def _clashes(rows: Sequence[TokenRow], order: Sequence[int], at: int) -> bool:
    """Is the row at a place of the same prompt as the one before it?"""
    if not 0 < at < len(order):
        return False
    return bool(rows[order[at]]["prompt_ids"] == rows[order[at - 1]]["prompt_ids"])
