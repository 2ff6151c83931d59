"""Supervised fine-tuning, for users who have no SFT model yet and for the demo: a thin call of TRL."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from align.running import in_place_of, run_trainer
from align.trainers import Row, machine_settings
from ledger.records import digest
from ledger.weights import weights_hash
from sampling.quiet import quiet


@dataclass(frozen=True)
class SftSettings:
    """What the run depends on."""

    epochs: float = 10
    learning_rate: float = 1.5e-3
    batch_size: int = 4
    max_length: int = 1_024
    seed: int = 0


def train_sft(base: Path, rows: Sequence[Row], target: Path, settings: SftSettings) -> None:
    """Fine-tune all weights of ``base`` on ``prompt``/``completion`` rows (loss on the completion) into ``target``.

    A run that was killed goes on from its last whole checkpoint; one with another base, rows or settings starts anew.
    """
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    every = target.with_name(target.name + ".checkpoints")
    checkpoints = every / digest([weights_hash(base), list(rows), asdict(settings)])
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(base)
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(base),
            args=SFTConfig(**_settings(settings, checkpoints)),
            train_dataset=Dataset.from_list([dict(row) for row in rows]),
            processing_class=tokenizer,
        )
        run_trainer(trainer, checkpoints, "Supervised fine-tuning")

    def write(folder: Path) -> None:
        trainer.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    in_place_of(target, write)
    shutil.rmtree(every, ignore_errors=True)


def _settings(settings: SftSettings, checkpoints: Path) -> dict[str, Any]:
    return {
        **machine_settings(checkpoints),
        "seed": settings.seed,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "per_device_train_batch_size": settings.batch_size,
        "train_sampling_strategy": "group_by_length",
        "max_length": settings.max_length,
        "completion_only_loss": True,
        "gradient_checkpointing": False,
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "logging_steps": 10,
    }
