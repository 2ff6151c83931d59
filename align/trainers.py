"""Thin calls of TRL: what a run is told, and how it goes on after a kill."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.methods import DEFAULTS, Method, learning_rate, method
from align.reference_store import Reference
from annotate.kto_labels import ClassRatio
from ledger.config import AlignConfig
from ledger.errors import ConfigError, StageError
from ledger.screen import Advance, progress
from sampling.quiet import quiet

CHECKPOINT_STATE = "trainer_state.json"  # the last file of a checkpoint that is written

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrainingRun:
    """What a trainer is given."""

    model: Any
    tokenizer: Any
    rows: Sequence[Row]  # token ids (align/rendering.py), or TRL's conversational columns (align/dataset.py)
    config: AlignConfig
    folder: Path  # checkpoints
    held_out: Sequence[Row] = ()  # not trained on: where their loss falls no longer, training stops
    reference: Reference | None = None  # keeps the reference model's log-probabilities


def train_adapter(run: TrainingRun, label: str) -> tuple[Any, dict[str, float]]:
    """Train a LoRA adapter, or all weights, on preferences; go on from the last whole checkpoint where there is one.

    Returns:
        The trained model, and the figures of the last logged step.

    Raises:
        ConfigError: TRL does not know a key of ``[align.trainer]``, or refuses a setting.
        StageError: the loss is not a number.
    """
    with quiet():
        trainer = make_trainer(run)
        return trainer.model, run_trainer(trainer, run.folder, label)


def make_trainer(run: TrainingRun) -> Any:
    """The trainer of a run, before its first step.

    Raises:
        ConfigError: see `train_adapter`.
    """
    _refuse_full_quantised(run)
    chosen = method(run.config.method)
    settings = trainer_settings(run, chosen)
    try:
        trainer = chosen.trainer(
            model=run.model,
            args=chosen.settings(**settings),
            train_dataset=_dataset(run.rows),
            eval_dataset=_dataset(run.held_out) if run.held_out else None,
            processing_class=run.tokenizer,
            peft_config=lora(run.config) if run.config.tuning == "lora" else None,
            **_references(run, settings),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"TRL refuses it: {error}",
            where="wardround.toml, align or align.trainer",
            advice=f"see {chosen.settings.__name__}",
        ) from error
    if run.held_out:
        trainer.add_callback(_early_stopping(run.config.patience))
    return trainer


def trainer_settings(run: TrainingRun, chosen: Method) -> dict[str, Any]:
    """What TRL's configuration of a run is made of, under TRL's names; what the user says there comes last."""
    _, beta = DEFAULTS[run.config.method]
    return {
        **common_settings(run.config, run.folder),
        "learning_rate": run.config.learning_rate or learning_rate(run.config.method, run.config.tuning),
        "beta": run.config.beta or beta,
        **chosen.own,
        **(class_weights(run.rows) if run.config.method == "kto" else {}),
        **(_stopping(run.config) if run.held_out else {}),
        **run.config.trainer,
    }


def class_weights(rows: Sequence[Row]) -> dict[str, float]:
    """The weights with which desirable and undesirable answers weigh the same, under TRL's names."""
    desirable = sum(bool(row["label"]) for row in rows)
    for_desirable, for_undesirable = ClassRatio(desirable, len(rows) - desirable).weights
    return {"desirable_weight": for_desirable, "undesirable_weight": for_undesirable}


def _refuse_full_quantised(run: TrainingRun) -> None:
    if run.config.tuning == "full" and getattr(run.model, "is_quantized", False):
        raise ConfigError(
            "quantised weights cannot be trained",
            where="wardround.toml, align.tuning and model.quantization",
            advice='set tuning to "lora" (QLoRA), or quantization to "none"',
        )


def _dataset(rows: Sequence[Row]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([dict(row) for row in rows])


def _references(run: TrainingRun, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The reference model, for the methods that have one.

    TRL would load a second one from where the model's base lies, without the adapters that were merged into it; so
    where all weights are trained and nothing is computed beforehand, it gets a copy.
    """
    if run.config.method == "orpo":
        return {}
    if run.config.tuning == "lora" or settings.get("precompute_ref_log_probs"):
        return {"reference": run.reference}
    return {"reference": run.reference, "ref_model": copy.deepcopy(run.model)}


def _stopping(config: AlignConfig) -> dict[str, Any]:
    """Evaluate at each checkpoint, and keep the best."""
    return {
        "eval_strategy": "steps",
        "eval_steps": config.checkpoint_steps,
        "per_device_eval_batch_size": config.batch_size,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
    }


def _early_stopping(patience: int) -> Any:
    from transformers import EarlyStoppingCallback

    return EarlyStoppingCallback(early_stopping_patience=patience)


def lora(config: AlignConfig) -> Any:
    """LoRA (Hu et al., 2022), by default on every linear layer but the output head."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=0.0,
        target_modules=config.lora_targets if isinstance(config.lora_targets, str) else list(config.lora_targets),
        target_parameters=list(config.lora_parameters) or None,
        task_type="CAUSAL_LM",
    )


def common_settings(config: AlignConfig, folder: Path) -> dict[str, Any]:
    """What every preference trainer is told, under TRL's names."""
    return {
        **machine_settings(folder),
        "seed": config.seed,
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "max_length": config.max_length,
        "save_strategy": "steps",
        "save_steps": config.checkpoint_steps,
        "save_total_limit": 2,
        "logging_steps": 1,
    }


def machine_settings(folder: Path) -> dict[str, Any]:
    """What depends on this machine and on how runs are watched, the same for fine-tuning and for preferences."""
    import torch

    cuda = torch.cuda.is_available()
    bf16 = cuda and torch.cuda.is_bf16_supported()
    return {
        "output_dir": str(folder),
        "bf16": bf16,
        "fp16": cuda and not bf16,
        "gradient_checkpointing": cuda,
        "use_cpu": not cuda,
        "dataloader_pin_memory": cuda,
        "logging_nan_inf_filter": False,  # it would write down the mean of the losses before
        "report_to": [],
        "disable_tqdm": True,
    }


def run_trainer(trainer: Any, folder: Path, label: str) -> dict[str, float]:
    """Run any TRL trainer with progress, from its last whole checkpoint; return the last logged figures.

    Raises:
        StageError: the loss is not a number.
    """
    from transformers import PrinterCallback

    checkpoint = last_checkpoint(folder)
    done = int(checkpoint.name.split("-")[1]) if checkpoint else 0
    trainer.remove_callback(PrinterCallback)
    with progress(label, _steps(trainer), done) as advance:
        trainer.add_callback(_progress_callback(advance))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = trainer.state.log_history
    losses = [entry[name] for entry in history for name in ("loss", "train_loss") if name in entry]
    if not all(map(math.isfinite, losses)):
        raise StageError("the loss is not a number any more", where=label, advice="lower align.learning_rate")
    return _last_figures(history)


def _steps(trainer: Any) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    per_epoch = -(-len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps)
    return int(per_epoch * args.num_train_epochs)


def _progress_callback(advance: Advance) -> Any:
    from transformers import TrainerCallback

    class ShowProgress(TrainerCallback):  # type: ignore[misc]
        """Advances the bar by one a step."""

        def on_step_end(self, *_arguments: Any, **_settings: Any) -> None:
            """One optimiser step is done."""
            advance(1)

    return ShowProgress()


def _last_figures(history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    steps = [entry for entry in history if "loss" in entry]
    return {name: float(value) for name, value in steps[-1].items()} if steps else {}


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; those cut off by a kill are removed."""
    whole: list[Path] = []
    for path in folder.glob("checkpoint-*"):
        if _is_whole(path):
            whole.append(path)
        else:
            shutil.rmtree(path)
    return max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / CHECKPOINT_STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def in_place_of(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a new folder, and give it its name only when it is whole."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
