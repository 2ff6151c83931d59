"""The model, the batches and the ways of training that `benchmarks/training.py` and the test of its FLOPs compare.

- stock: TRL as it comes. On a processor its LM head runs at every position.
- compact: TRL with its LM head at labelled positions only, as it does by itself on CUDA. The strongest honest TRL.
- shared: every distinct prefix of the batch once.
- stored: shared, with the reference's log-probabilities of an earlier pass.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from align.tiny_policy import make_tiny_policy
from sampling.quiet import quiet

WAYS = ("stock", "compact", "shared", "stored")
VOCABULARY = 16_384
TOKENS = 2_000  # of it, of which texts are made
WIDTHS: Mapping[str, int] = {
    "hidden_size": 512,
    "intermediate_size": 1_408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
}

Pair = tuple[list[int], list[int], list[int]]  # prompt, chosen, rejected
Batch = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """One row of the table."""

    pairs: int = 2  # in a batch
    batches: int = 1
    prompt: int = 450  # tokens
    answer: int = 150
    system: int = 0  # of the prompt, shared by all pairs
    spread: float = 0.0  # sigma of the logarithm of each length
    defaults: bool = False  # bf16 and gradient checkpointing, which TRL has on; else fp32 without

    def material(self) -> list[Batch]:
        """The batches, of random tokens with a fixed seed."""
        rng = Random(0)
        system = _tokens(rng, self.system)
        return [_collated([self._pair(rng, system) for _ in range(self.pairs)]) for _ in range(self.batches)]

    def _pair(self, rng: Random, system: Sequence[int]) -> Pair:
        def length(about: int) -> int:
            return max(8, round(about * rng.lognormvariate(0, self.spread))) if self.spread else about

        prompt = [*system, *_tokens(rng, length(self.prompt) - len(system))]
        return prompt, _tokens(rng, length(self.answer)), _tokens(rng, length(self.answer))


def _tokens(rng: Random, number: int) -> list[int]:
    return [rng.randrange(3, TOKENS) for _ in range(number)]


def _collated(pairs: Sequence[Pair]) -> Batch:
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    rows = [dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), pair, strict=True)) for pair in pairs]
    collated: Batch = DataCollatorForPreference(pad_token_id=0)(rows)
    return collated


def trainer_of(way: str, *, defaults: bool = False, parts: int = 1) -> Any:
    """A DPO trainer of one of the ways: LoRA of rank 16 on 32 million parameters of Qwen3, or a like part."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM
    from trl import DPOConfig, DPOTrainer

    from align.shared_prefix.trainers import SharedPrefixDPOTrainer

    with quiet(), tempfile.TemporaryDirectory() as folder:
        make_tiny_policy(Path(folder) / "policy", ["What is a hernia?"], vocabulary=300)
        layers, vocabulary = WIDTHS["num_hidden_layers"] // parts, VOCABULARY // parts
        widths = {**WIDTHS, "num_hidden_layers": layers, "vocab_size": vocabulary}
        torch.manual_seed(0)
        trainer = (DPOTrainer if way in ("stock", "compact") else SharedPrefixDPOTrainer)(
            model=Qwen3ForCausalLM(Qwen3Config(tie_word_embeddings=True, **widths)),
            args=DPOConfig(
                output_dir=folder, bf16=defaults, gradient_checkpointing=defaults, use_cpu=True, report_to=[]
            ),
            train_dataset=Dataset.from_list([{"prompt": "What?", "chosen": "This.", "rejected": "That."}]),
            processing_class=AutoTokenizer.from_pretrained(Path(folder) / "policy"),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
    if defaults:
        trainer.model.activation_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
    trainer.current_gradient_accumulation_steps = 1  # what `train` sets
    trainer.model_wrapped = trainer.accelerator.prepare_model(trainer.model)
    return trainer


@contextmanager
def head_of(way: str) -> Iterator[None]:
    """Let TRL compact its LM head's input, as on CUDA, where the way says so; the head itself still runs in PyTorch."""
    from trl.trainer import utils

    found = utils._use_triton
    if way == "compact":
        utils._use_triton = lambda _device: True
    try:
        yield
    finally:
        utils._use_triton = found


def with_reference(trainer: Any, batches: Sequence[Batch]) -> list[Batch]:
    """The batches with the reference's log-probabilities, which the trainer then does not compute."""
    found = []
    for batch in batches:
        chosen, rejected = trainer.compute_ref_log_probs(trainer.model, batch)
        found.append({**batch, "ref_chosen_logps": chosen, "ref_rejected_logps": rejected})
    trainer.precompute_ref_logps = True
    return found


def step(way: str, trainer: Any, batch: Batch) -> None:
    """Policy forward, reference forward unless it is stored, backward; the gradients are dropped."""
    with quiet(), head_of(way):
        trainer.training_step(trainer.model_wrapped, dict(batch))
    trainer.model.zero_grad()


def flops(way: str, trainer: Any, batch: Batch) -> int:
    """Floating-point operations of a step, with those that PyTorch's counter does not know on a processor."""
    import torch
    from torch.utils import flop_counter

    count: Any = flop_counter.sdpa_flop_count
    count_back: Any = flop_counter.sdpa_backward_flop_count

    def forward(query: Any, key: Any, value: Any, *_rest: Any, **_named: Any) -> int:
        return int(count(query, _heads(query, key), _heads(query, value)))

    def backward(gradient: Any, query: Any, key: Any, value: Any, *_rest: Any, **_named: Any) -> int:
        return int(count_back(gradient, query, _heads(query, key), _heads(query, value)))

    def addmm_(gathered: Any, left: Any, right: Any, **_named: Any) -> int:
        return int(flop_counter.addmm_flop(gathered, left, right))

    aten = torch.ops.aten
    formulas = {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
        aten.addmm_: addmm_,
    }
    with flop_counter.FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        step(way, trainer, batch)
    return int(counter.get_total_flops())


def _heads(query: Any, shape: Any) -> Any:
    """Keys' or values' shape as if each query head had its own."""
    return (shape[0], query[1], *shape[2:])
