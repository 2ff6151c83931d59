"""Rows to batches, as TRL's collators make them, but with context that is not scored and with each pair's weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

Example = Mapping[str, Any]
WEIGHTS = "weights"  # in a batch: probability that its label is right, a row


@dataclass
class PairCollator(DataCollatorForPreference):  # type: ignore[misc]
    """TRL's batches of pairs; rows that are TRL's own give what TRL's collator gives."""

    weighted: bool = False  # are there weights other than 1?

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """See TRL's. The first half of the rows is chosen, the second rejected."""
        batch: dict[str, Any] = super().torch_call(examples)
        contexts = [_context(each, "chosen_context") for each in examples]
        contexts += [_context(each, "rejected_context") for each in examples]
        _unscore(batch["completion_mask"], [*map(_prompt_length, examples)] * 2, contexts)
        return _with_weights(batch, examples) if self.weighted else batch


@dataclass
class LabelledCollator(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """TRL's batches of labelled answers, for KTO."""

    weighted: bool = False

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """See TRL's."""
        batch: dict[str, Any] = super().torch_call(examples)
        prompts = [*map(_prompt_length, examples)]
        _unscore(batch["completion_mask"], prompts, [_context(each, "context") for each in examples])
        if "KL_completion_mask" in batch:
            _unscore(batch["KL_completion_mask"], prompts, [_context(each, "KL_context") for each in examples])
        return _with_weights(batch, examples) if self.weighted else batch


def _prompt_length(example: Example) -> int:
    return len(example["prompt_ids"])


def _context(example: Example, column: str) -> int:
    return int(example.get(column) or 0)


def _unscore(mask: torch.Tensor, prompts: Sequence[int], contexts: Sequence[int]) -> None:
    """Take each row's context out of the completion mask, [rows, length]."""
    for row, (prompt, context) in enumerate(zip(prompts, contexts, strict=True)):
        if context:
            mask[row, prompt : prompt + context] = 0


def _with_weights(batch: dict[str, Any], examples: Sequence[Example]) -> dict[str, Any]:
    return {**batch, WEIGHTS: torch.tensor([float(each["weight"]) for each in examples])}
