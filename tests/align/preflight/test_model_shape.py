"""Sizes counted from a configuration are those of the model that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from align.preflight.model_shape import adapter_parameters, parameters, shape_of

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 48,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
OWN: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"head_dim": 16},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 32, "tie_word_embeddings": True},
    "qwen3_moe": {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
}


def made(family: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **SMALL, **OWN[family])
    with torch.device("meta"):
        return config, AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("family", OWN)
def test_weights_are_counted_exactly(family: str) -> None:
    config, model = made(family)
    assert parameters(shape_of(config)) == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_adapters_are_counted_exactly(family: str) -> None:
    from peft import get_peft_model

    from align.preference.runs import lora
    from ledger.config import AlignConfig

    config, model = made(family)
    adapted = get_peft_model(model, lora(AlignConfig(lora_rank=4)))
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert adapter_parameters(shape_of(config), 4) == trained


def test_the_tiny_policy(tiny_policy: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    shape = shape_of(AutoConfig.from_pretrained(tiny_policy))
    assert parameters(shape) == sum(weight.numel() for weight in model.parameters())
    assert (shape.head_norms, shape.tied, shape.experts) == (True, True, 0)
