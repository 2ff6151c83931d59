"""Attention along the tree of a packed batch: one call of PyTorch's attention a run, never over a sibling's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from align.shared_prefix.tree import Plan, Run, Span

if TYPE_CHECKING:
    import torch

NAME = "wardround_shared_prefix"
KEY = "shared_prefix"  # the keyword under which the packing travels through the model to its attention
UNKNOWN = ("softcap", "s_aux", "position_bias", "sliding_window")  # what a model may ask of attention, and ours lacks


@dataclass(frozen=True)
class Packing:
    """A `Plan` on the model's device.

    ``tokens`` and ``positions`` are [1, packed], ``labels`` [1, items], ``places`` [items], ``item_of``
    [rows, length - 1] with the number of items where nothing is to be learnt.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor
    item_of: torch.Tensor
    runs: tuple[Run, ...]

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """Where keys are cut, so that every run and every context is whole pieces."""
        spans = [span for run in self.runs for span in ((run.start, run.end), *run.context)]
        return tuple(sorted({edge for span in spans for edge in span}))

    @cached_property
    def sizes(self) -> list[int]:
        """Lengths of the pieces between the cuts."""
        return [after - before for before, after in pairwise(self.cuts)]

    @cached_property
    def attended(self) -> tuple[tuple[int, ...], ...]:
        """Of each run, the pieces that it attends to, its own last."""
        return tuple(
            tuple(piece for span in (*run.context, (run.start, run.end)) for piece in self._pieces(span))
            for run in self.runs
        )

    @cached_property
    def masks(self) -> tuple[Any, ...]:
        """Of each run, what it may see: ``None`` where that is what ``is_causal`` says. Made once for all layers."""
        return tuple(self._mask(run) for run in self.runs)

    def _pieces(self, span: Span) -> range:
        return range(self.cuts.index(span[0]), self.cuts.index(span[1]))

    def _mask(self, run: Run) -> Any:
        import torch
        from torch.nn.attention.bias import causal_lower_right

        if not run.context:
            return None
        own = run.end - run.start
        seen = own + sum(end - start for start, end in run.context)
        if self.tokens.device.type == "cuda":  # its flash kernel aligns this mask by itself
            return causal_lower_right(own, seen)
        return torch.ones(own, seen, dtype=torch.bool, device=self.tokens.device).tril(seen - own)


def pack(plan: Plan, device: Any) -> Packing:
    """Move a plan to the model's device."""
    import torch

    def moved(array: Any) -> torch.Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    item_of = plan.item_of.copy()
    item_of[item_of < 0] = len(plan.labels)
    return Packing(
        tokens=moved(plan.tokens)[None],
        positions=moved(plan.positions)[None],
        places=moved(plan.places),
        labels=moved(plan.labels)[None],
        item_of=moved(item_of),
        runs=plan.runs,
    )


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **asked: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the form that transformers registers: [1, heads, packed, width] to [1, packed, heads, width].

    Raises:
        NotImplementedError: the model asks for something that would be left out.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    packing: Packing = asked[KEY]
    lacking = [name for name in UNKNOWN if asked.get(name) is not None]
    if lacking:
        raise NotImplementedError(f"attention with {', '.join(lacking)}")
    # One split and one concatenation: slices would each fill a gradient of the whole length on the way back.
    queries = torch.split(query, [run.end - run.start for run in packing.runs], dim=2)
    keys, values = (torch.split(each, packing.sizes, dim=2) for each in (key, value))
    outputs = [
        scaled_dot_product_attention(
            own,
            _together(keys, pieces),
            _together(values, pieces),
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=mask is None,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        for own, pieces, mask in zip(queries, packing.attended, packing.masks, strict=True)
    ]
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def _together(parts: Sequence[torch.Tensor], pieces: Sequence[int]) -> torch.Tensor:
    import torch

    return parts[pieces[0]] if len(pieces) == 1 else torch.cat([parts[piece] for piece in pieces], dim=2)


def attend_in(backbone: Any) -> list[Any]:
    """Let the attention layers of ``backbone`` attend along the tree whenever they are handed a packing.

    Hooks on the layers, rather than a switch around the forward, so that a layer that gradient checkpointing runs
    again during the backward pass attends in the same way.

    Returns:
        The hooks, each with ``remove()``.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    layers = [layer for layer in backbone.modules() if "Attention" in type(layer).__name__ and hasattr(layer, "config")]
    return [hook for layer in layers for hook in _hooked(layer)]


def _hooked(layer: Any) -> Iterator[Any]:
    before: list[str | None] = []

    def switch(_layer: Any, _given: Any, named: Mapping[str, Any]) -> None:
        if named.get(KEY) is not None:
            before.append(layer.config._attn_implementation)
            layer.config._attn_implementation = NAME

    def put_back(*_called: Any) -> None:
        if before:
            layer.config._attn_implementation = before.pop()

    yield layer.register_forward_pre_hook(switch, with_kwargs=True)
    yield layer.register_forward_hook(put_back, always_call=True)
