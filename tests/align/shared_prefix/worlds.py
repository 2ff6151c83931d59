"""Tiny models, ragged batches, and what TRL makes of them: what the tests of shared prefixes compare by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from sampling.quiet import quiet

VOCABULARY = 60
SMALL: Mapping[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,  # so that attention matters
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
ROTARY: Mapping[str, Any] = {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2}
DENSE = ("qwen3", "llama", "gpt2")

Pair = tuple[list[int], list[int], list[int]]  # prompt, chosen, rejected


def tiny_model(kind: str = "qwen3", seed: int = 0, **settings: Any) -> Any:
    """An untrained model of two layers."""
    import torch
    import transformers

    torch.manual_seed(seed)
    if kind == "qwen3":
        config = transformers.Qwen3Config(**{**ROTARY, "head_dim": 8, **settings})
        return transformers.Qwen3ForCausalLM(config)
    if kind == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**ROTARY, **settings}))
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**SMALL, **still, **settings}))


def tokens(least: int = 1, most: int = 6) -> st.SearchStrategy[list[int]]:
    """A few tokens of three, so that rows often begin alike, one token past their prompt too."""
    return st.lists(st.integers(1, 3).map(lambda each: each * 7), min_size=least, max_size=most)


@st.composite
def pair_batches(draw: st.DrawFn) -> list[Pair]:
    """Ragged pairs: shared system prompts, prompts that occur twice, one-token, equal and nested answers."""
    system = draw(tokens(0, 5))
    prompts = draw(st.lists(tokens(), min_size=1, max_size=2))
    return [
        (system + draw(st.sampled_from(prompts)), draw(tokens()), draw(tokens()))
        for _ in range(draw(st.integers(1, 4)))
    ]


def collated(pairs: Sequence[Pair], **settings: Any) -> dict[str, Any]:
    """TRL's batch of pairs."""
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    rows = [dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), pair, strict=True)) for pair in pairs]
    batch: dict[str, Any] = DataCollatorForPreference(pad_token_id=0, **settings)(rows)
    return batch


@dataclass(frozen=True)
class Outcome:
    """One backward pass."""

    loss: float
    gradients: Mapping[str, Any]
    metrics: Mapping[str, float]


def outcome(trainer: Any, batch: Mapping[str, Any]) -> Outcome:
    """The loss of a batch as the trainer has it, its gradients and its metrics."""
    trainer.model.zero_grad()
    trainer.model.train()
    with quiet():
        loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    gradients = {name: weight.grad for name, weight in trainer.model.named_parameters() if weight.grad is not None}
    stored = getattr(trainer, "_metrics", None) or trainer._stored_metrics
    metrics = {name: float(values[-1]) for name, values in stored["train"].items() if name != "num_tokens"}
    stored["train"].clear()
    trainer.model.zero_grad()
    return Outcome(loss=float(loss.detach()), gradients=gradients, metrics=metrics)


def distance(one: Outcome, other: Outcome) -> float:
    """How far apart two passes are: 1 where the loss is 1e-6 off, or a gradient 1e-5 of the largest."""
    assert one.gradients.keys() == other.gradients.keys()
    largest = max(float(each.abs().max()) for each in one.gradients.values())
    apart = max(float((one.gradients[name] - other.gradients[name]).abs().max()) for name in one.gradients)
    loss = abs(one.loss - other.loss) / max(1.0, abs(one.loss)) / 1e-6
    return max(loss, apart / max(largest, 1e-3) / 1e-5)


def agree(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two sets of metrics are equal but for rounding."""
    return one.keys() == other.keys() and all(
        abs(value - other[name]) <= 1e-4 * max(1.0, abs(value)) for name, value in one.items()
    )


@contextmanager
def replaced(place: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Put a fault in place of a function."""
    found = getattr(place, name)
    setattr(place, name, make(found))
    try:
        yield
    finally:
        setattr(place, name, found)


def settings_in(folder: Path, **more: Any) -> dict[str, Any]:
    """What every trainer of these tests is told: a processor, fp32, nothing reported."""
    plain = {"bf16": False, "gradient_checkpointing": False, "use_cpu": True, "report_to": [], "disable_tqdm": True}
    return {"output_dir": str(folder), "seed": 3, **plain, **more}
