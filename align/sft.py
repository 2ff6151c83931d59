"""Supervised fine-tuning, for users who have no SFT model yet and for the demo: a thin call of TRL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align.preference.runs import Row, lora, machine_settings
from align.running import in_place_of, last_checkpoint, run_trainer, step_of_checkpoint
from align.watching.step_log import STEP_LOG, StepLog
from align.watching.watch import Watch
from ledger.config import AlignConfig, ModelConfig
from ledger.records import digest
from ledger.weights import weights_hash
from sampling.models import PolicySource, load_policy
from sampling.quiet import quiet

if TYPE_CHECKING:
    from align.shared_prefix.trainers import SharedPrefixSFTTrainer

PLAIN = ModelConfig()


def _nothing_more(_figures: Mapping[str, float]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class SftSettings:
    """What the run depends on."""

    epochs: float = 10
    learning_rate: float = 1.5e-3
    batch_size: int = 4
    max_length: int = 1_024
    seed: int = 0
    lora_rank: int = 0  # 0: all weights are trained
    lora_alpha: int = 32
    gradient_accumulation: int = 1


def train_sft(
    base: Path,
    rows: Sequence[Row],
    target: Path,
    settings: SftSettings,
    *,
    model: ModelConfig = PLAIN,
    describe: Callable[[Mapping[str, float]], Mapping[str, str]] = _nothing_more,
) -> None:
    """Fine-tune ``base`` on ``prompt``/``completion`` rows (loss on the completion) into ``target``.

    All weights, or a LoRA adapter alone. A run that was killed goes on from its last whole checkpoint; one with another
    base, rows or settings starts anew.

    Args:
        base: folder of the model to begin with.
        rows: TRL's conversational rows.
        target: where the weights and the tokenizer go, as a whole.
        settings: what the run depends on.
        model: how the base is loaded (its ``path`` and ``adapter`` are not looked at).
        describe: texts of further files that go into ``target``, by name, from the last logged figures.

    Raises:
        ModelError: the base does not load.
        StageError: the loss is not a number.
    """
    from transformers import AutoTokenizer

    every = target.with_name(target.name + ".checkpoints")
    checkpoints = every / digest([weights_hash(base), list(rows), asdict(settings)])
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=model.trust_remote_code)
        trainer = _trainer(PolicySource(str(base), (), model), tokenizer, rows, settings, checkpoints)
        figures = _trained(trainer, checkpoints)

    def write(folder: Path) -> None:
        trainer.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        shutil.copyfile(checkpoints / STEP_LOG, folder / STEP_LOG)
        for name, text in describe(figures).items():
            (folder / name).write_text(text, encoding="utf-8")

    in_place_of(target, write)
    shutil.rmtree(every, ignore_errors=True)


def _trainer(
    base: PolicySource, tokenizer: Any, rows: Sequence[Row], settings: SftSettings, checkpoints: Path
) -> SharedPrefixSFTTrainer:
    from datasets import Dataset
    from trl import SFTConfig

    from align.shared_prefix.trainers import SharedPrefixSFTTrainer

    return SharedPrefixSFTTrainer(
        model=load_policy(base),
        args=SFTConfig(**_settings(settings, checkpoints)),
        train_dataset=Dataset.from_list([dict(row) for row in rows]),
        processing_class=tokenizer,
        peft_config=_lora(settings),
    )


def _trained(trainer: SharedPrefixSFTTrainer, checkpoints: Path) -> dict[str, float]:
    """Run it, each step logged beside its checkpoints; return the last logged figures."""
    with StepLog(checkpoints / STEP_LOG, step_of_checkpoint(last_checkpoint(checkpoints))) as steps:
        watch = Watch([steps])
        watch.restore(steps.kept)
        trainer.add_callback(watch.callback())
        return run_trainer(trainer, checkpoints, "Supervised fine-tuning")


def _lora(settings: SftSettings) -> Any:
    if not settings.lora_rank:
        return None
    return lora(AlignConfig(lora_rank=settings.lora_rank, lora_alpha=settings.lora_alpha))


def _settings(settings: SftSettings, checkpoints: Path) -> dict[str, Any]:
    return {
        **machine_settings(checkpoints),
        "seed": settings.seed,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "train_sampling_strategy": "group_by_length",
        "max_length": settings.max_length,
        "completion_only_loss": True,
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "logging_steps": 1,
    }
