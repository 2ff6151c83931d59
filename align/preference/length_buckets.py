"""Batches of pairs of about the same length, in an order that a resumed run sees again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

BATCHES_A_WINDOW = (
    50  # within which pairs are sorted by length: enough to fill batches evenly, few enough to stay random
)


class LengthBuckets(Sampler[int]):
    """Places of a data set, random but in batches of like length; another order each epoch.

    Transformers' own sampler draws from the global generator, so a run that goes on in the middle of an epoch would see
    other batches than the undisturbed one.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        """Sort by ``lengths`` (in tokens) into batches of ``batch`` rows, those of one optimiser step."""
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed}/{self._epoch}")
        places = list(range(len(self._lengths)))
        rng.shuffle(places)
        window = self._batch * BATCHES_A_WINDOW
        for start in range(0, len(places), window):
            yield from self._batches(places[start : start + window], rng)

    def _batches(self, places: list[int], rng: random.Random) -> Iterator[int]:
        """One window's rows; a batch that is not full stays at the end, where it is the last of the epoch."""
        places.sort(key=self._lengths.__getitem__)
        short = places[len(places) - len(places) % self._batch :]
        batches = [places[start : start + self._batch] for start in range(0, len(places) - len(short), self._batch)]
        rng.shuffle(batches)
        for batch in (*batches, short):
            rng.shuffle(batch)
            yield from batch
