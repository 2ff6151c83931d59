"""Out of memory: the micro-batch is halved, and training goes on with the same gradient.

A batch's loss is the mean over its pairs for all of TRL's preference losses but these, for which a split batch is an
approximation: ``aot`` and ``aot_unpaired`` (sort across the batch), ``sft`` and ORPO's likelihood term (mean over the
batch's tokens, not pairs), KTO (its KL term is the mean over the rows that are scored together), a mixture-of-experts
balance loss. Dropout draws other numbers for parts than for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from ledger.errors import StageError
from ledger.screen import say

Layout = Literal["paired", "unpaired"]
Batch = Mapping[str, Any]

# What allocators say where they raise no torch.OutOfMemoryError: of the CPU, of cuBLAS, of Apple's GPUs.
SIGNS = ("can't allocate memory", "out of memory", "you tried to allocate", "cublas_status_alloc_failed")
ADVICE = (
    "shorten align.max_length, set gradient_checkpointing = true under align.trainer, lower align.lora_rank, "
    "or load the model quantised"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Did an allocator give up?"""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


def layout_of(batch: Batch) -> Layout:
    """``paired``: all chosen, then all rejected answers, one below the other (DPO, IPO). Else a row is an example."""
    return "paired" if "input_ids" in batch and "label" not in batch else "unpaired"


def rows_of(batch: Batch, layout: Layout) -> int:
    """How many pairs (``paired``) or rows a batch holds; 0 where nothing in it has rows."""
    sizes = [_length(value) for name, value in batch.items() if name.endswith("input_ids")]
    size = max(sizes, default=0)
    return size // 2 if layout == "paired" else size


def parts_of(batch: Batch, layout: Layout, most: int) -> list[tuple[Batch, float]]:
    """Parts of at most ``most`` rows, as equal as can be, in order, each with its share of the rows.

    Tensors and lists with 2B entries of a paired batch are split in both halves, those with B entries once; anything
    else is the whole batch's and goes into each part. Columns that only the longest rows need are cut off.
    """
    rows = rows_of(batch, layout)
    count = -(-rows // most)
    if count <= 1:
        return [(batch, 1.0)]
    bounds = [rows * place // count for place in range(count + 1)]
    spans = list(pairwise(bounds))
    return [(_trimmed(_rows(batch, layout, rows, span)), (span[1] - span[0]) / rows) for span in spans]


def _rows(batch: Batch, layout: Layout, rows: int, span: tuple[int, int]) -> dict[str, Any]:
    start, stop = span

    def part(value: Any) -> Any:
        length = _length(value)
        if layout == "paired" and length == 2 * rows:
            both = value[start:stop], value[rows + start : rows + stop]
            return both[0] + both[1] if isinstance(value, list) else _joined(both)
        return value[start:stop] if length == rows else value

    return {name: part(value) for name, value in batch.items()}


def _joined(both: tuple[Any, Any]) -> Any:
    import torch

    return torch.cat(both)


def _length(value: Any) -> int:
    """Entries of a list or tensor; 0 for anything else, and for a tensor that is one number."""
    if isinstance(value, list):
        return len(value)
    shape: Sequence[int] = getattr(value, "shape", ())
    return shape[0] if len(shape) else 0


def _trimmed(part: dict[str, Any]) -> dict[str, Any]:
    """Without the padding on the right that all rows have in common; each attention mask speaks for its own tensors."""
    masks = {
        name.removesuffix("attention_mask"): mask for name, mask in part.items() if name.endswith("attention_mask")
    }
    trimmed = dict(part)
    for prefix, mask in masks.items():
        used = mask.any(dim=0).nonzero()
        width = int(used[-1]) + 1 if len(used) else mask.shape[1]
        for own in ("input_ids", "attention_mask", "completion_mask", "labels"):
            value = part.get(prefix + own)
            if value is not None and value.shape == mask.shape:
                trimmed[prefix + own] = value[:, :width]
    return trimmed


class Halving:
    """Mixin for TRL's trainers, before the trainer in the list of bases: ``class Ours(Halving, DPOTrainer)``.

    An attempt's gradients are kept apart from those of earlier micro-batches until it has succeeded, which takes room
    for one more copy of the trainable weights' gradients while gradients are accumulated. Across several processes
    nothing can be done again (the others wait in a collective call): there it is an error at once.
    """

    rows_at_once: int | None = None  # None: as many as the batch has
    _share = 1.0

    def training_step(self, model: Any, inputs: Batch, *arguments: Any, **named: Any) -> Any:
        """One micro-batch, in parts where it must be.

        Raises:
            StageError: not even one row fits, or several processes train together.
        """
        layout = layout_of(inputs)
        earlier = _set_aside(model)
        metrics = _Metrics(self)
        while True:
            parts = parts_of(inputs, layout, self.rows_at_once or max(1, rows_of(inputs, layout)))
            failed = ""
            try:
                loss = sum(self._part(part, share, model, arguments, named) for part, share in parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = str(error)
            if not failed:  # outside of the except: an error in flight holds the tensors of the frames that it left
                _put_back(model, earlier)
                metrics.average([share for _, share in parts])
                return loss
            model.zero_grad(set_to_none=True)
            metrics.restore()
            self._halve(max(rows_of(part, layout) for part, _ in parts), failed)

    def _part(self, part: Batch, share: float, model: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        self._share = share
        try:
            return super().training_step(model, part, *arguments, **named)  # type: ignore[misc]
        finally:
            self._share = 1.0

    def compute_loss(self, *arguments: Any, **named: Any) -> Any:
        """The trainer's loss, weighted by the part's share of the rows."""
        loss = super().compute_loss(*arguments, **named)  # type: ignore[misc]
        return loss * self._share if self._share != 1.0 else loss

    def _halve(self, rows: int, cause: str) -> None:
        where = f"a micro-batch of {rows}"
        if rows <= 1:
            raise StageError(f"out of memory: {_first_line(cause)}", where=where, advice=ADVICE)
        if self.accelerator.num_processes > 1:  # type: ignore[attr-defined]
            advice = "halve align.batch_size and double align.gradient_accumulation"
            raise StageError(f"out of memory: {_first_line(cause)}", where=where, advice=advice)
        release()
        say(f"Out of memory with {rows} rows at once: going on with {-(-rows // 2)} for the rest of the run")
        self.rows_at_once = -(-rows // 2)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200] if text.strip() else "no memory left"


def release() -> None:
    """Give back what the allocator holds on to."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _set_aside(model: Any) -> dict[Any, Any]:
    """Take the gradients of earlier micro-batches off the weights."""
    earlier = {weight: weight.grad for weight in model.parameters() if weight.grad is not None}
    for weight in earlier:
        weight.grad = None
    return earlier


def _put_back(model: Any, earlier: Mapping[Any, Any]) -> None:
    for weight, gradient in earlier.items():
        weight.grad = gradient if weight.grad is None else gradient.add_(weight.grad)


class _Metrics:
    """What TRL's trainers collect for the next log, so that an attempt leaves no trace, and parts count as one batch.

    Figures of rows come out as those of the whole batch; figures of tokens (entropy, logits) nearly so.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        store = getattr(trainer, "_metrics", None) or getattr(trainer, "_stored_metrics", None)
        self.store = None if store is None else store["train"]
        self.before = {name: list(values) for name, values in (self.store or {}).items()}
        self.tokens = getattr(trainer, "_total_train_tokens", None)

    def restore(self) -> None:
        if self.store is not None:
            self.store.clear()
            self.store.update({name: list(values) for name, values in self.before.items()})
        if self.tokens is not None:
            self.trainer._total_train_tokens = self.tokens

    def average(self, shares: Sequence[float]) -> None:
        """One value a batch: the parts' mean, weighted by rows where every part gave one."""
        if self.store is None or len(shares) == 1:
            return
        for name, values in self.store.items():
            before = self.before.get(name, [])
            new = values[len(before) :]
            if name != "num_tokens" and len(new) > 1:
                weights = shares if len(new) == len(shares) else [1 / len(new)] * len(new)
                mean = sum(value * weight for value, weight in zip(new, weights, strict=True))
                values[len(before) :] = [mean]
