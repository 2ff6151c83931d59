"""What a run will take, before it begins: memory, floating-point operations, time. Pure arithmetic.

Memory is that of the tensors that must be there at once: the allocator's fragmentation and the libraries' own code come
on top: some hundred MiB, and where tensors come from the C heap up to a third.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from align.preflight.model_shape import ModelShape, adapter_parameters, parameters

MIB = 1024**2
# Bytes a weight. 4-bit: half a byte and a doubly quantised constant for 64 weights (QLoRA, Dettmers et al., 2023).
BYTES: Mapping[str, float] = {"float32": 4, "bfloat16": 2, "float16": 2, "8bit": 1, "4bit": 0.5 + 0.127 / 8}
QUANTISED = ("8bit", "4bit")
OPTIMISER_BYTES: Mapping[str, float] = {"adamw": 8, "adamw_8bit": 2, "sgd": 0, "adafactor": 0.1}  # a trained weight
ADAPTER_BYTES = 4  # PEFT keeps adapters in float32
HEAD_CHUNK = 32_768  # positions that TRL 1.16 scores at once in DPO and KTO
HEAD_COPIES = 8  # of the logits in float32, as measured on the CPU; the kernels for CUDA hold fewer


@dataclass(frozen=True)
class TokenCounts:
    """Lengths of a training set, in tokens. A pair is two rows of prompt and answer; KTO's rows are one each."""

    rows: int  # examples: pairs, or KTO's rows
    median: float  # of a row's sequences
    high: float  # 95 % are no longer
    longest: int
    total: int  # as TRL runs them: the prompt once for each answer
    unique: int  # a pair's prompt once
    labelled: int  # answers' tokens, which alone need the output head

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def count_tokens(rows: Sequence[Sequence[int]]) -> TokenCounts:
    """From ``(prompt, answer, answer, ...)`` lengths of each example: two answers for pairs, one for KTO.

    Raises:
        ValueError: there are no rows.
    """
    lengths = sorted(row[0] + answer for row in rows for answer in row[1:])
    if not lengths:
        raise ValueError("no rows to count")
    return TokenCounts(
        rows=len(rows),
        median=statistics.median(lengths),
        high=float(lengths[min(len(lengths) - 1, int(0.95 * len(lengths)))]),
        longest=lengths[-1],
        total=sum(lengths),
        unique=sum(map(sum, rows)),
        labelled=sum(sum(row[1:]) for row in rows),
    )


@dataclass(frozen=True)
class Plan:
    """What of a run's settings its cost depends on."""

    batch_size: int = 8  # examples a micro-batch
    accumulation: int = 1
    epochs: float = 3.0
    weights: str = "bfloat16"  # a key of BYTES: how the frozen weights are held
    compute: str = "bfloat16"
    lora_rank: int | None = 16  # None: all weights are trained
    checkpointing: bool = False
    optimiser: str = "adamw"
    reference: bool = True  # one forward pass over the set, kept
    shared_prefix: bool = False
    compact_head: bool = True  # only labelled positions go through the output head, as TRL does on CUDA
    answers: int = 2  # sequences an example


@dataclass(frozen=True)
class Estimate:
    """What a run will take."""

    parameters: int
    trained: int
    memory: Mapping[str, float]  # MiB by what holds it, with the longest batch
    steps: int
    tokens: int  # that are run forwards and back, all epochs together
    flops: float
    checkpoint: float  # MiB on disk for one
    seconds: float | None = None

    @property
    def peak_mib(self) -> float:
        """All of it at once."""
        return sum(self.memory.values())

    def text(self) -> str:
        """For people."""
        parts = ", ".join(f"{name} {_mib(size)}" for name, size in self.memory.items() if size >= 0.5)
        time = "" if self.seconds is None else f"\nTime: about {_duration(self.seconds)}"
        return (
            f"Model: {self.parameters:,} weights, {self.trained:,} of them trained\n"
            f"Memory: about {_mib(self.peak_mib)} ({parts})\n"
            f"Work: {self.steps:,} steps, {self.tokens:,} tokens, {self.flops:.2g} floating-point operations{time}\n"
            f"Disk: {_mib(self.checkpoint)} a checkpoint"
        )

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "memory": dict(self.memory), "peak_mib": self.peak_mib}


def estimate(shape: ModelShape, tokens: TokenCounts, plan: Plan, seconds_per_token: float | None = None) -> Estimate:
    """Memory of the largest micro-batch, and the work of the whole run.

    Args:
        shape: see `shape_of`.
        tokens: see `count_tokens`.
        plan: settings; ``weights`` and ``compute`` are keys of `BYTES`.
        seconds_per_token: as measured, of the tokens that this plan runs.
    """
    all_weights = parameters(shape)
    trained = all_weights if plan.lora_rank is None else adapter_parameters(shape, plan.lora_rank)
    run = tokens.unique if plan.shared_prefix else tokens.total
    seen = round(plan.epochs * run)
    per_step = plan.batch_size * plan.accumulation
    master = ADAPTER_BYTES if plan.lora_rank is not None else BYTES[plan.weights]
    return Estimate(
        parameters=all_weights,
        trained=trained,
        memory=_memory(shape, tokens, plan, trained),
        steps=round(-(-tokens.rows // per_step) * plan.epochs),
        tokens=seen,
        flops=_flops(shape, tokens, plan),
        checkpoint=trained * (master + OPTIMISER_BYTES[plan.optimiser]) / MIB,
        seconds=None if seconds_per_token is None else seconds_per_token * (seen + _reference_tokens(run, plan)),
    )


def _reference_tokens(run: int, plan: Plan) -> float:
    """The reference's forward pass, as tokens of training: with LoRA a step is about three forward passes."""
    return run / (_passes(plan)) if plan.reference else 0.0


def _passes(plan: Plan) -> float:
    """Forward passes that a training pass is worth. Back through frozen weights costs one, through trained ones two."""
    return 1 + (1 if plan.lora_rank is not None else 2) + (1 if plan.checkpointing else 0)


def _memory(shape: ModelShape, tokens: TokenCounts, plan: Plan, trained: int) -> dict[str, float]:
    sequences = plan.batch_size * plan.answers
    positions = sequences * tokens.longest
    share = tokens.unique / tokens.total if plan.shared_prefix else 1.0
    labelled = positions * (tokens.labelled / tokens.total if plan.compact_head else 1.0)
    compute = BYTES[plan.compute]
    adapter = trained * ADAPTER_BYTES if plan.lora_rank is not None else 0
    gradient = ADAPTER_BYTES if plan.lora_rank is not None else BYTES[plan.weights]
    sizes = {
        "weights": _weight_bytes(shape, plan),
        "adapter": adapter,
        "gradients": trained * gradient,
        "optimiser": trained * OPTIMISER_BYTES[plan.optimiser],
        "activations": positions * share * _activation_bytes(shape, plan, compute),
        "logits": min(labelled, HEAD_CHUNK) * shape.vocabulary * 4.0 * HEAD_COPIES,
    }
    return {name: size / MIB for name, size in sizes.items()}


def _weight_bytes(shape: ModelShape, plan: Plan) -> float:
    """Quantisation is of the layers' linear maps alone; embeddings, norms and the head stay in 16 bits."""
    every = parameters(shape)
    if plan.weights not in QUANTISED:
        return every * BYTES[plan.weights]
    linear = shape.layers * sum(inputs * outputs for inputs, outputs in shape.linear)
    return linear * BYTES[plan.weights] + (every - linear) * BYTES["bfloat16"]


def _activation_bytes(shape: ModelShape, plan: Plan, compute: float) -> float:
    """A position's, in all layers: what backward needs again. With checkpointing a layer's input, and one layer whole.

    Counted from what PyTorch saves for gated feed-forward layers, and for attention that keeps no matrix of weights. In
    16 bits the norms work in float32, and so do adapters, each on a copy of its map's input.
    """
    keys = shape.kv_heads * shape.head_dim
    width = shape.intermediate * max(1, shape.active_experts)
    normed = shape.attention + keys if shape.head_norms else 0
    attention = 2 * shape.attention + 2 * keys  # rotated queries, what attention gives; rotated keys, values
    if compute == BYTES["float32"]:
        layer = 4.0 * (4 * shape.hidden + normed + attention + 4 * width)
    else:
        layer = 4.0 * (2 * shape.hidden + normed) + compute * (attention + 3 * width)
        inputs = 5 * shape.hidden + shape.attention + width
        layer += (ADAPTER_BYTES if plan.lora_rank else compute) * inputs
    layer += ADAPTER_BYTES * 7 * (plan.lora_rank or 0)
    if plan.checkpointing:
        return shape.layers * shape.hidden * compute + layer
    return shape.layers * layer


def _flops(shape: ModelShape, tokens: TokenCounts, plan: Plan) -> float:
    """Two operations a weight and position, attention over half of the positions before, the head where labelled."""
    run = tokens.unique if plan.shared_prefix else tokens.total
    feed = 3 * shape.hidden * shape.intermediate
    maps = sum(inputs * outputs for inputs, outputs in shape.attention_maps) + feed * max(1, shape.active_experts)
    mean_length = tokens.total / max(1, tokens.rows * plan.answers)
    layers = shape.layers * (2.0 * maps + 2 * mean_length * shape.attention) * run
    head = 2.0 * shape.vocabulary * shape.hidden * (tokens.labelled if plan.compact_head else run)
    forward = layers + head
    return forward * (plan.epochs * _passes(plan) + (1 if plan.reference else 0))


def _mib(size: float) -> str:
    return f"{size:,.0f} MiB" if size < 1024 else f"{size / 1024:,.1f} GiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
