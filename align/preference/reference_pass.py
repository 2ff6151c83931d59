"""The reference model's pass over a data set, as far as it is not on disk yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from align.preference.collating import WEIGHTS
from align.preference.halving import is_out_of_memory, release
from align.preference.reference_store import Reference, sequence_key
from align.processes import from_main
from ledger.screen import progress


class Scored(NamedTuple):
    """One sequence of a row, under the column that its log-probability goes to."""

    column: str
    prompt: Sequence[int]
    answer: Sequence[int]
    context: int = 0
    more: str = ""  # whatever else its log-probability depends on


@dataclass(frozen=True)
class ReferencePass:
    """How the rows of one kind of data set are scored.

    Batches are made of the whole data set, by length, and a batch of which anything is missing is computed as a whole:
    so a pass that was killed goes on with the very batches that it would have had, and ends with the same bits.
    """

    reference: Reference
    collate: Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]
    score: Callable[[Mapping[str, Any]], Mapping[str, torch.Tensor]]  # a batch -> column -> log-probabilities [rows]
    sequences: Callable[[Mapping[str, Any]], Sequence[Scored]]  # of a row

    def over(self, dataset: Any, batch_size: int, accelerator: Any) -> dict[str, list[float]]:
        """The log-probability of each row's sequences, in nats, by column.

        Raises:
            StageError: the store cannot be read or written.
        """
        keys, lengths = self._keys(dataset)
        every = sorted({key for column in keys.values() for key in column})
        values = from_main(lambda: self.reference.store.known(every))  # a process that is behind would know more
        values.update(self._missing(dataset, keys, _batches(lengths, batch_size), values, accelerator))
        return {column: [values[key] for key in of_rows] for column, of_rows in keys.items()}

    def _keys(self, dataset: Any) -> tuple[dict[str, list[bytes]], list[int]]:
        keys: dict[str, list[bytes]] = {}
        lengths = []
        for row in dataset:
            tokens = 0
            for column, prompt, answer, context, more in self.sequences(row):
                key = sequence_key(self.reference.model, prompt, answer, context, more)
                keys.setdefault(column, []).append(key)
                tokens += len(prompt) + len(answer)
            lengths.append(tokens)
        return keys, lengths

    def _missing(
        self,
        dataset: Any,
        keys: Mapping[str, Sequence[bytes]],
        batches: Sequence[Sequence[int]],
        known: Mapping[bytes, float],
        accelerator: Any,
    ) -> dict[bytes, float]:
        todo = [batch for batch in batches if any(of[row] not in known for of in keys.values() for row in batch)]
        if not todo:
            return {}
        mine = todo[accelerator.process_index :: accelerator.num_processes]
        found: dict[bytes, float] = {}
        with progress("Reference model", len(mine)) as advance:
            for batch in mine:
                computed = self._batch(dataset, keys, batch, accelerator.device)
                self.reference.store.keep(computed)
                found.update({key: value for key, value in computed.items() if key not in found and key not in known})
                advance(1)
        return _of_all_processes(found, accelerator)

    def _batch(
        self, dataset: Any, keys: Mapping[str, Sequence[bytes]], batch: Sequence[int], device: torch.device
    ) -> dict[bytes, float]:
        """A batch, by halves where it does not fit in memory."""
        try:
            return self._whole(dataset, keys, batch, device)
        except (RuntimeError, MemoryError) as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        release()  # outside of the except: an error in flight holds the tensors of the frames that it left
        half = len(batch) // 2
        first, second = (self._batch(dataset, keys, part, device) for part in (batch[:half], batch[half:]))
        return {**second, **first}

    def _whole(
        self, dataset: Any, keys: Mapping[str, Sequence[bytes]], batch: Sequence[int], device: torch.device
    ) -> dict[bytes, float]:
        collated = self.collate([dataset[row] for row in batch])
        inputs = {name: value.to(device) for name, value in collated.items() if name != WEIGHTS}
        found: dict[bytes, float] = {}
        for column, log_probs in self.score(inputs).items():
            for row, value in zip(batch, log_probs.float().tolist(), strict=True):
                found.setdefault(keys[column][row], value)
        return found


def _batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Rows by length, longest first: what does not fit is known at once."""
    places = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    return [places[start : start + batch_size] for start in range(0, len(places), batch_size)]


def _of_all_processes(found: dict[bytes, float], accelerator: Any) -> dict[bytes, float]:
    if accelerator.num_processes == 1:
        return found
    from accelerate.utils import gather_object

    merged: dict[bytes, float] = {}
    for each in gather_object([found]):
        merged = {**each, **merged}
    return merged
