"""Before the first step the policy is its own reference: every log-ratio is exactly 0, whatever is trained.

Rewards are log-ratios times beta (0.1). What was stored was computed in other batches, whose sums round otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from align.preference.reference_store import Reference, ReferenceStore
from align.preference.runs import TrainingRun, make_trainer
from ledger.config import AlignConfig, ModelConfig
from sampling.models import PolicySource, load_policy, load_tokenizer
from sampling.quiet import quiet
from tests.align.preference.test_trainers import WEIGHTS, answer_rows, pair_rows

pytestmark = pytest.mark.usefixtures("one_thread")

COMBINATIONS = ("full", "LoRA on the base", "LoRA on an SFT adapter", "full on an SFT adapter", "8bit", "4bit")


@pytest.fixture(scope="module")
def sft_adapter(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that changes what the base says."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    base = load_policy(PolicySource(str(tiny_policy), (), ModelConfig()))
    settings = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    folder = tmp_path_factory.mktemp("sft") / "adapter"
    get_peft_model(base, settings).save_pretrained(folder)
    return folder


def a_trainer(
    combination: str, method: Literal["dpo", "kto"], policy: Path, adapter: Path, folder: Path, **trainer: Any
) -> Any:
    quantization: Any = combination if combination in {"8bit", "4bit"} else "none"
    source = PolicySource(
        str(policy), (adapter,) if "SFT" in combination else (), ModelConfig(quantization=quantization)
    )
    run = TrainingRun(
        model=load_policy(source),
        tokenizer=load_tokenizer(source),
        rows=answer_rows(WEIGHTS) if method == "kto" else pair_rows(WEIGHTS),
        config=AlignConfig(
            method=method,
            batch_size=8,
            lora_rank=4,
            tuning="full" if "full" in combination else "lora",
            trainer=trainer,
        ),
        folder=folder / "checkpoints",
        reference=Reference(ReferenceStore(folder / "reference.db"), combination),
    )
    with quiet():
        return make_trainer(run)


@pytest.fixture
def weights(tiny_policy: Path, sft_adapter: Path) -> tuple[Path, Path]:
    """Base and adapter."""
    return tiny_policy, sft_adapter


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "asked at once"])
@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_log_ratio_is_exactly_nothing(
    combination: str, method: Literal["dpo", "kto"], stored: bool, weights: tuple[Path, Path], tmp_path: Path
) -> None:
    trainer = a_trainer(combination, method, *weights, tmp_path, precompute_ref_log_probs=stored)
    trainer.model.train()
    (batch,) = trainer.get_train_dataloader()
    with quiet():
        trainer.compute_loss(trainer.model, batch)
    found = {name: values for name, values in trainer._metrics["train"].items() if name.startswith("rewards/")}
    exactly = pytest.approx([0.0], abs=1e-6 if stored else 0.0)
    assert found["rewards/chosen"] == exactly
    assert found["rewards/rejected"] == exactly
    assert trainer._metrics["train"].get("kl", [0.0]) == exactly


def test_the_reference_is_the_sft_model_not_the_bare_base(tiny_policy: Path, sft_adapter: Path, tmp_path: Path) -> None:
    on_adapter = a_trainer("LoRA on an SFT adapter", "dpo", tiny_policy, sft_adapter, tmp_path)
    on_base = a_trainer("LoRA on the base", "dpo", tiny_policy, sft_adapter, tmp_path)
    ours, bare = (list(trainer.train_dataset["ref_chosen_logps"]) for trainer in (on_adapter, on_base))
    assert all(abs(one - other) > 1e-3 for one, other in zip(ours, bare, strict=True))
