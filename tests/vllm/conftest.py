"""What the tests of vLLM share: they run in an environment of their own, made by ``make vllm-env``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.config import ChatConfig, ModelConfig
from ledger.records import Message, Prompt
from sampling.engines.protocol import Answer, Engine, Request, Sample
from sampling.models import PolicySource
from tests.lora_adapters import make_adapters

os.environ["HF_HUB_OFFLINE"] = "1"

GREEDY_TEMPERATURE, GREEDY_TOP_P = 0.01, 1e-9  # with both, either engine takes the likeliest token
SMALL = {"kv_cache_memory_bytes": 2**27}
WINDOW = 512  # tokens that the model holds
QUESTIONS = (
    "What is a hernia?",
    "Hi",
    "What is a hernia, and which is the wall that contains it, and what is a protrusion through the wall?",
    "Which wall contains a hernia?",
)


@pytest.fixture(scope="session")
def policy(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny policy with weights so large that what it says next depends on all that went before.

    Its own settings name sampling parameters, which nobody may use, and more tokens that end an answer.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("sharp") / "policy"
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    sharpen(model)
    model.config.max_position_embeddings = WINDOW
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    also = tokenizer.convert_tokens_to_ids(list("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ"))  # bytes that no test needs
    own = {"eos_token_id": [tokenizer.eos_token_id, *also], "do_sample": True, "top_k": 1, "repetition_penalty": 3.0}
    (folder / "generation_config.json").write_text(json.dumps(own))
    return folder


def sharpen(model: Any) -> None:
    """Let what the model says next depend on all that went before, as far as an untrained model can."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("proj.weight"):
                weight.mul_(6)
            if "embed" in name:
                weight.mul_(8)


@pytest.fixture(scope="session")
def adapters(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two LoRA adapters that change what the policy says."""
    first, second = make_adapters(policy, tmp_path_factory.mktemp("adapters"), ranks=(4, 6), alpha=8)
    return first, second


def source(policy: Path, *adapters: Path) -> PolicySource:
    return PolicySource(str(policy), adapters, ModelConfig(path=str(policy), dtype="float32", device="cpu"))


def request(
    number: int, seeds: tuple[int, ...] = (11, 12, 13), temperature: float = 0.9, context: tuple[str, ...] = ()
) -> Request:
    prompt = Prompt((Message("user", QUESTIONS[number]),), context=context)
    return Request(prompt, ChatConfig(), temperature, tuple(seed + 100 * number for seed in seeds))


def ended(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    return [answer for answers in engine.sample(requests) for answer in answers]


def answered(engine: Engine, requests: Sequence[Request]) -> dict[str, list[Sample]]:
    """The samples by question."""
    answers = ended(engine, requests)
    assert not [answer.cause for answer in answers if answer.cause]
    assert len(answers) == len(requests)
    return {answer.request.prompt.question: list(answer.samples) for answer in answers}


def facts(samples: Sequence[Sample]) -> list[tuple[Any, ...]]:
    return [(sample.text, sample.seed, sample.finish_reason, sample.tokens) for sample in samples]


def everything(engine: Engine, requests: Sequence[Request]) -> dict[str, list[tuple[Any, ...]]]:
    return {question: facts(samples) for question, samples in answered(engine, requests).items()}
