"""An LM head that is not trained, scored and differentiated in one pass.

TRL's kernel projects every position a second time on the way back, so that no logits are kept. Where the head's
weights are frozen, as with LoRA, the gradient of a log-probability is known as soon as its probabilities are: the
label's row of the weights less the expected one. It is as small as the hidden state, so it is kept, and a projection
is saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from trl.kernels import ChunkedLogProbFunction
from trl.trainer import utils

ELEMENTS = 2**25  # of logits at once: 128 MiB in float32

Fields = tuple[torch.Tensor | None, ...]  # log_probs, entropy, log_sum_sq_probs, mean_logits, is_top1: [positions] each


@contextmanager
def one_pass_head() -> Iterator[None]:
    """Let TRL's fused forward score by `OnePassHead`."""
    before = utils._ChunkedLogProbFunction
    utils._ChunkedLogProbFunction = OnePassHead
    try:
        yield
    finally:
        utils._ChunkedLogProbFunction = before


class OnePassHead:
    """Takes the place of TRL's `ChunkedLogProbFunction`, and leaves to it what it does not do better."""

    @staticmethod
    def apply(  # noqa: PLR0917 - TRL's signature
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        temperature: float,
        chunk_size: int,
        final_logit_softcapping: float | None = None,
        logit_scale: float = 1.0,
        outputs: Sequence[str] = (),
    ) -> Any:
        """See TRL's; but for the log-probabilities, nothing has a gradient."""
        frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
        if not frozen or final_logit_softcapping is not None or hidden.device.type != "cpu":
            return ChunkedLogProbFunction.apply(
                hidden, weight, bias, targets, temperature, chunk_size, final_logit_softcapping, logit_scale, outputs
            )
        asked = (hidden, weight, bias, targets, logit_scale / temperature, tuple(outputs))
        if torch.is_grad_enabled() and hidden.requires_grad:
            return _OnePass.apply(*asked)  # type: ignore[no-untyped-call]
        return _scored(*asked)[0]  # by the same sums, so that a policy is its own reference to the last bit


class _OnePass(torch.autograd.Function):
    """The gradient of each log-probability, made with it."""

    @staticmethod
    def forward(  # noqa: PLR0917 - what autograd hands on
        ctx: Any,
        hidden: torch.Tensor,  # [positions, width]
        weight: torch.Tensor,  # [vocabulary, width]
        bias: torch.Tensor | None,  # [vocabulary]
        targets: torch.Tensor,  # [positions]
        scale: float,
        outputs: tuple[str, ...],
    ) -> Fields:
        """Score the labels, [positions] each, as TRL's does."""
        found, gradient = _scored(hidden, weight, bias, targets, scale, outputs, learns=True)
        ctx.save_for_backward(gradient)
        ctx.dtype = hidden.dtype
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(each for each in found[1:] if each is not None))
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        """Scale what was made by what comes from above."""
        (own,) = ctx.saved_tensors
        upstream = gradients[0]
        return (None if upstream is None else (upstream.float()[:, None] * own).to(ctx.dtype), *[None] * 5)


def _scored(  # noqa: PLR0917 - as above
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    scale: float,
    outputs: tuple[str, ...],
    learns: bool = False,
) -> tuple[Fields, torch.Tensor | None]:
    """The fields of all positions, and where it is asked for what each log-probability's gradient is."""
    autocast = torch.is_autocast_enabled(hidden.device.type)
    dtype = torch.get_autocast_dtype(hidden.device.type) if autocast else hidden.dtype
    head = weight.to(dtype)
    rows = max(1, ELEMENTS // len(weight))
    gradient = torch.empty(hidden.shape, dtype=torch.float32) if learns else None
    parts = []
    for start in range(0, max(1, len(hidden)), rows):
        some = slice(start, start + rows)
        logits = hidden[some].to(dtype) @ head.t()
        logits = (logits if bias is None else logits + bias.to(dtype)).float()
        fields, probabilities = _fields(logits.mul_(scale) if scale != 1 else logits, targets[some], outputs)
        parts.append(fields)
        if gradient is not None:
            expected = probabilities.to(dtype).float() @ head.float()
            gradient[some] = (head[targets[some]].float() - expected) * scale
    found = tuple(None if values[0] is None else torch.cat(values) for values in zip(*parts, strict=True))
    return found, gradient


def _fields(logits: torch.Tensor, targets: torch.Tensor, outputs: Sequence[str]) -> tuple[Fields, torch.Tensor]:
    """What is said of some positions, and their probabilities [positions, vocabulary]; the logits are overwritten."""
    target = logits.gather(-1, targets[:, None])[:, 0]
    largest = logits.amax(-1)
    mean_logits = logits.mean(-1) if "mean_logits" in outputs else None
    is_top1 = _is_top1(logits, targets, target >= largest) if "is_top1" in outputs else None
    shifted = logits.sub_(largest[:, None])
    exponentials = shifted.exp()
    total = exponentials.sum(-1)
    log_total = total.log()
    probabilities = exponentials.div_(total[:, None])
    # The entropy is -sum p log p, and log p is the shifted logit less the logarithm of the total.
    entropy = log_total - (probabilities * shifted).sum(-1) if "entropy" in outputs else None
    squares = probabilities.square().sum(-1).log() if "log_sum_sq_probs" in outputs else None
    return (target - largest - log_total, entropy, squares, mean_logits, is_top1), probabilities


def _is_top1(logits: torch.Tensor, targets: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """Is the label the first of the largest logits? ``largest``: is its logit among them, [positions]."""
    rows = largest.nonzero()[:, 0]
    ties = (logits[rows] == logits[rows, targets[rows]][:, None]).sum(-1) > 1
    for row in rows[ties]:
        before = logits[row, : targets[row]]
        largest[row] = (before.amax() if len(before) else torch.tensor(-math.inf)) < logits[row, targets[row]]
    return largest
