"""Estimates follow from the numbers, and are near what a run takes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.preflight.estimate import MIB, Plan, count_tokens, estimate
from align.preflight.model_shape import ModelShape, parameters
from ledger.records import canonical_json

LARGE = ModelShape(
    vocabulary=151_936,
    hidden=4_096,
    layers=36,
    heads=32,
    kv_heads=8,
    head_dim=128,
    intermediate=12_288,
    head_norms=True,
)  # Qwen3-8B
TOKENS = count_tokens([(450, 150, 150)] * 1_000)

# One step of DPO with the given plan; prints the growth of the peak resident memory since the libraries were loaded.
TRAINING = """
import json, sys
import torch
from datasets import Dataset
from transformers import Qwen3Config, Qwen3ForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer
from peft import LoraConfig
from align.preference.runs import lora
from ledger.config import AlignConfig
from ledger.memory import peak_rss_mib
from sampling.quiet import quiet

torch.set_num_threads(1)
policy, folder, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with quiet():
    tokenizer = AutoTokenizer.from_pretrained(policy)
    before = peak_rss_mib()
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**settings["model"]))
    prompt, answer = settings["lengths"]
    row = {"prompt_ids": [5] * prompt, "chosen_ids": [6] * answer, "rejected_ids": [7] * answer}
    args = DPOConfig(
        output_dir=folder, max_steps=1, per_device_train_batch_size=settings["batch"], max_length=None, bf16=False,
        use_cpu=True, gradient_checkpointing=settings["checkpointing"], report_to=[], disable_tqdm=True,
        save_strategy="no", precompute_ref_log_probs=False,
    )
    class Ours(DPOTrainer):
        def _prepare_dataset(self, dataset, *more):
            return dataset
    trainer = Ours(model=model, args=args, train_dataset=Dataset.from_list([row] * settings["batch"]),
                   processing_class=tokenizer, peft_config=lora(AlignConfig(lora_rank=16)))
    trainer.train()
print(json.dumps(peak_rss_mib() - before))
"""


class TestCounts:
    def test_pairs(self) -> None:
        found = count_tokens([(10, 4, 6), (20, 2, 2)])
        assert (found.rows, found.longest, found.total, found.unique, found.labelled) == (2, 22, 74, 44, 14)
        assert found.median == 19
        assert count_tokens([(0, length) for length in range(1, 101)]).high == 96

    def test_none(self) -> None:
        with pytest.raises(ValueError, match="no rows"):
            count_tokens([])


class TestMemory:
    def test_weights_by_type(self) -> None:
        count = parameters(LARGE)
        assert count == 8_190_735_360  # as its card says: 8.2 billion
        held = {name: estimate(LARGE, TOKENS, Plan(weights=name)).memory["weights"] for name in ("float32", "bfloat16")}
        assert held["float32"] == 2 * held["bfloat16"] == pytest.approx(4 * count / MIB)
        four, eight = (estimate(LARGE, TOKENS, Plan(weights=name)).memory["weights"] for name in ("4bit", "8bit"))
        assert 0.3 < four / held["bfloat16"] < 0.45  # the embeddings stay whole
        assert four < eight < held["bfloat16"]

    def test_training_all_weights(self) -> None:
        whole = estimate(LARGE, TOKENS, Plan(lora_rank=None))
        assert whole.trained == whole.parameters
        assert whole.memory["optimiser"] == pytest.approx(8 * whole.parameters / MIB)
        assert whole.memory["adapter"] == 0
        lora = estimate(LARGE, TOKENS, Plan())
        assert lora.trained < 0.01 * lora.parameters
        assert lora.memory["gradients"] + lora.memory["optimiser"] < 0.01 * whole.memory["optimiser"]
        assert lora.peak_mib < whole.peak_mib
        assert lora.checkpoint == pytest.approx(12 * lora.trained / MIB)

    def test_what_saves_memory(self) -> None:
        plain = estimate(LARGE, TOKENS, Plan()).memory
        checkpointed = estimate(LARGE, TOKENS, Plan(checkpointing=True)).memory
        shared = estimate(LARGE, TOKENS, Plan(shared_prefix=True)).memory
        smaller = estimate(LARGE, TOKENS, Plan(batch_size=1)).memory
        wide = estimate(LARGE, TOKENS, Plan(compact_head=False)).memory
        assert checkpointed["activations"] < 0.1 * plain["activations"]
        assert shared["activations"] == pytest.approx(750 / 1200 * plain["activations"])
        assert smaller["activations"] == pytest.approx(plain["activations"] / 8)
        assert wide["logits"] == pytest.approx(4 * plain["logits"])


class TestWork:
    def test_a_token_costs_what_its_weights_do(self) -> None:
        """Two operations a weight, forwards; twice that in training with LoRA, three times with all weights."""
        plan = Plan(epochs=1, reference=False, lora_rank=None, compact_head=False)
        short = count_tokens([(4, 4, 4)] * 100)
        layers = parameters(LARGE) - LARGE.vocabulary * LARGE.hidden
        expected = 6 * layers * short.total
        assert estimate(LARGE, short, plan).flops == pytest.approx(expected, rel=0.01)
        assert estimate(LARGE, short, replace(plan, lora_rank=16)).flops == pytest.approx(expected * 2 / 3, rel=0.01)
        assert estimate(LARGE, short, replace(plan, checkpointing=True)).flops == pytest.approx(
            expected * 4 / 3, rel=0.01
        )

    def test_shared_prefixes_and_kept_references(self) -> None:
        """At 450:150, all but the head: 750 tokens for 1200."""
        plain, shared = (estimate(LARGE, TOKENS, Plan(shared_prefix=each, reference=False)) for each in (False, True))
        assert plain.flops / shared.flops == pytest.approx(1.6, rel=0.03)
        assert (plain.tokens, shared.tokens) == (3 * 1_200_000, 3 * 750_000)
        kept = estimate(LARGE, TOKENS, Plan(epochs=1))
        assert kept.flops == pytest.approx(1.5 * estimate(LARGE, TOKENS, Plan(epochs=1, reference=False)).flops)

    def test_steps_and_seconds(self) -> None:
        found = estimate(LARGE, TOKENS, Plan(batch_size=6, accumulation=5, epochs=2), 3.0 / 36_000)
        assert found.steps == 68
        assert found.seconds == pytest.approx((2 * 1_200_000 + 600_000) * 3 / 36_000)
        assert estimate(LARGE, TOKENS, Plan()).seconds is None


def test_it_reads_well() -> None:
    found = estimate(LARGE, TOKENS, Plan(weights="4bit", checkpointing=True), 1e-3)
    assert found.text().splitlines()[0] == "Model: 8,190,735,360 weights, 43,646,976 of them trained"
    assert [line.split(":")[0] for line in found.text().splitlines()] == ["Model", "Memory", "Work", "Time", "Disk"]
    facts = json.loads(canonical_json(found.facts()))
    assert facts["peak_mib"] == pytest.approx(sum(facts["memory"].values()))


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_peak_of_a_real_step(checkpointing: bool, tiny_policy: Path, tmp_path: Path) -> None:
    numbers: dict[str, Any] = {
        "vocab_size": 8_000,
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "tie_word_embeddings": True,
    }
    settings = {"model": numbers, "lengths": (128, 64), "batch": 4, "checkpointing": checkpointing}
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(tiny_policy), str(tmp_path), json.dumps(settings)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = float(done.stdout.splitlines()[-1])
    shape = ModelShape(8_000, 256, 8, 4, 2, 64, 768, tied=True, head_norms=True)
    plan = Plan(batch_size=4, weights="float32", compute="float32", checkpointing=checkpointing, compact_head=False)
    expected = estimate(shape, count_tokens([(128, 64, 64)] * 4), plan).peak_mib
    print(f"measured {measured:.0f} MiB, expected {expected:.0f} MiB")
    assert 0.5 < expected / measured < 2
