"""A decoder's size from its configuration's numbers.

Counts are exact for Llama, Mistral, Qwen2, Qwen3 and Qwen3's mixtures of experts, and near for other families: where
the model is loaded, count its weights instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True)
class ModelShape:
    """The numbers of a decoder that its size and speed follow from."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    tied: bool = False  # are the embeddings the output head as well?
    attention_bias: bool = False
    head_norms: bool = False  # one norm for queries, one for keys (Qwen3)
    experts: int = 0
    active_experts: int = 0

    @property
    def attention(self) -> int:
        """Width of the queries of all heads."""
        return self.heads * self.head_dim

    @property
    def attention_maps(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of a layer's maps to queries, keys, values, and back."""
        keys = self.kv_heads * self.head_dim
        return (self.hidden, self.attention), (self.hidden, keys), (self.hidden, keys), (self.attention, self.hidden)

    @property
    def linear(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of a layer's linear maps: attention's, the router's, each expert's."""
        feed = [(self.hidden, self.intermediate)] * 2 + [(self.intermediate, self.hidden)]
        router = [(self.hidden, self.experts)] if self.experts else []
        return (*self.attention_maps, *router, *(feed * max(1, self.experts)))


def shape_of(config: Any) -> ModelShape:
    """Read a ``transformers`` configuration, or the text part of one with images."""
    text = config.get_text_config()
    heads = text.num_attention_heads
    experts = next((int(found) for name in EXPERTS if (found := getattr(text, name, None))), 0)
    family = str(text.model_type)
    return ModelShape(
        vocabulary=text.vocab_size,
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        heads=heads,
        kv_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        intermediate=(experts and getattr(text, "moe_intermediate_size", None)) or _inner(text),
        tied=bool(text.tie_word_embeddings),
        attention_bias=family.startswith("qwen2") or bool(getattr(text, "attention_bias", False)),
        head_norms=family.startswith("qwen3"),
        experts=experts,
        active_experts=int(getattr(text, "num_experts_per_tok", 0) or 0) if experts else 0,
    )


def _inner(text: Any) -> int:
    """GPT-2's like leave it out where it is four times the width."""
    return int(getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * text.hidden_size)


def parameters(shape: ModelShape) -> int:
    """All weights."""
    maps = sum(inputs * outputs for inputs, outputs in shape.linear)
    norms = 2 * shape.hidden + (2 * shape.head_dim if shape.head_norms else 0)
    bias = (shape.attention + 2 * shape.kv_heads * shape.head_dim) if shape.attention_bias else 0
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    return shape.layers * (maps + norms + bias) + embeddings + shape.hidden


def adapter_parameters(shape: ModelShape, rank: int) -> int:
    """LoRA on every linear map but the output head (Hu et al., 2022). Experts' maps are left out."""
    maps = shape.attention_maps if shape.experts else shape.linear
    return shape.layers * sum(rank * (inputs + outputs) for inputs, outputs in maps)
