"""Token log-probabilities by forward passes of a causal language model over batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from align.preference.halving import is_out_of_memory, release

if TYPE_CHECKING:
    import torch

TOKENS = 2**13  # in one batch, padding included
LOGITS = 2**28  # in one batch, in the model's own precision; a text that alone has more of them is a batch
ELEMENTS = 2**25  # of logits at once in float32: 128 MiB


@dataclass(frozen=True)
class Scorable:
    """A sequence, and the tokens that are scored in it.

    One target a position for a text; one position with several targets for alternatives that take one token each.
    """

    ids: Sequence[int]
    positions: Sequence[int]  # [t], the numbers of tokens behind which a target may come
    targets: Sequence[Sequence[int]]  # [t, k]


def longest(model: Any) -> int | None:
    """How many tokens ``model`` takes; None where its configuration does not say."""
    config = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return getattr(text, "max_position_embeddings", None)


def scored_batches(
    model: Any, works: Sequence[Scorable], tokens_at_once: int = TOKENS
) -> Iterator[dict[int, tuple[float, ...]]]:
    """Batch by batch, by the number of the work: for each of its k targets, the sum over its positions, in nats.

    The longest come first: what does not fit into memory is known at once. A batch that does not is halved.
    """
    for batch in _batches(works, tokens_at_once, _vocabulary(model)):
        yield _scored(model, works, batch)


def _batches(works: Sequence[Scorable], tokens_at_once: int, vocabulary: int) -> Iterator[list[int]]:
    """Numbers of works that are scored together, by length."""
    batch: list[int] = []
    rows = 0
    for number in sorted(range(len(works)), key=lambda each: (-len(works[each].ids), each)):
        own = len(works[number].positions)
        padded = (len(batch) + 1) * len(works[batch[0]].ids) if batch else 0
        if batch and (padded > tokens_at_once or (rows + own) * vocabulary > LOGITS):
            yield batch
            batch, rows = [], 0
        batch.append(number)
        rows += own
    if batch:
        yield batch


def _vocabulary(model: Any) -> int:
    config = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return int(text.vocab_size)


def _scored(model: Any, works: Sequence[Scorable], batch: Sequence[int]) -> dict[int, tuple[float, ...]]:
    try:
        return dict(zip(batch, _forward(model, [works[number] for number in batch]), strict=True))
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
    release()  # outside of the except: an error in flight holds the tensors of the frames that it left
    half = len(batch) // 2
    return {**_scored(model, works, batch[:half]), **_scored(model, works, batch[half:])}


def _forward(model: Any, works: Sequence[Scorable]) -> list[tuple[float, ...]]:
    """One pass over a batch, padded on the right."""
    import torch

    width = max(len(work.ids) for work in works)
    ids = torch.zeros((len(works), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, work in enumerate(works):
        ids[row, : len(work.ids)] = torch.tensor(work.ids)
        mask[row, : len(work.ids)] = 1
    counts = [len(work.positions) for work in works]
    rows = torch.repeat_interleave(torch.arange(len(works)), torch.tensor(counts)).to(model.device)
    places = torch.tensor([place for work in works for place in work.positions], device=model.device)
    with torch.inference_mode():
        logits = _logits(model, ids.to(model.device), mask.to(model.device), rows, places)
        most = max(len(alternatives) for work in works for alternatives in work.targets)
        found = _log_probs(logits, _targets(works, most).to(logits.device)).double().cpu()
    parts = torch.split(found, counts)
    return [tuple(part.sum(dim=0)[: len(work.targets[0])].tolist()) for part, work in zip(parts, works, strict=True)]


def _targets(works: Sequence[Scorable], most: int) -> torch.Tensor:
    """The targets of all positions of all works [n, most]; token 0 where a work has fewer."""
    import torch

    return torch.tensor([[*each, *[0] * (most - len(each))] for work in works for each in work.targets])


def _logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, rows: torch.Tensor, places: torch.Tensor) -> Any:
    """The logits [n, vocabulary] of n positions alone: the others never reach the head."""
    with _head_of(model, tuple(ids.shape), rows, places) as picked:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return logits[0] if picked else logits[rows.to(logits.device), places.to(logits.device)]


@contextmanager
def _head_of(model: Any, shape: tuple[int, ...], rows: torch.Tensor, places: torch.Tensor) -> Iterator[list[bool]]:
    """Hand a model's head the hidden states of some positions only; the list is empty where it has no such head.

    What a model does with its logits afterwards (a scale, a soft cap) is done to each alone, and stays as it is.
    """
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    picked: list[bool] = []

    def pick(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        hidden = inputs[0]
        if tuple(hidden.shape[:2]) != shape:
            return None
        picked.append(True)
        return (hidden[rows.to(hidden.device), places.to(hidden.device)][None], *inputs[1:])

    handle = head.register_forward_pre_hook(pick) if head is not None else None
    try:
        yield picked
    finally:
        if handle is not None:
            handle.remove()


def _log_probs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [n, k] of ``targets`` [n, k] by ``logits`` [n, vocabulary], in float32, a slice at a time."""
    import torch

    step = max(1, ELEMENTS // logits.shape[-1])
    parts = []
    for start in range(0, len(logits), step):
        some = logits[start : start + step].float()
        parts.append(some.gather(-1, targets[start : start + step]) - some.logsumexp(-1, keepdim=True))
    return torch.cat(parts)
