"""Thin calls of TRL: what a run is told, and what it ends with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from align.disk import ensure_space
from align.preference.methods import BY_LENGTH, Method, beta, learning_rate, method
from align.preference.reference_store import Reference
from align.preflight.figures import class_ratio_of
from align.processes import is_main, share_of
from align.running import last_checkpoint, run_trainer, step_of_checkpoint
from align.watching.step_log import STEP_LOG, LedgerSink, Sink, StepLog, read_steps
from align.watching.watch import Watch
from ledger.config import AlignConfig
from ledger.errors import ConfigError
from ledger.screen import say
from sampling.quiet import quiet

Row = Mapping[str, Any]
CHECKPOINTS = 3  # on disk at once: two are kept while the third is written


@dataclass(frozen=True)
class TrainingRun:
    """What a trainer is given."""

    model: Any
    tokenizer: Any
    rows: Sequence[Row]  # token ids (align/rendering/pairs.py), or TRL's conversational columns (align/export/rows.py)
    config: AlignConfig
    folder: Path  # checkpoints
    held_out: Sequence[Row] = ()  # not trained on: where their loss falls no longer, training stops
    reference: Reference | None = None  # keeps the reference model's log-probabilities
    figures: Path | None = None  # for TensorBoard's files, where those are asked for
    log: Callable[[str, Mapping[str, Any]], None] = lambda _event, _detail: None  # an event of the run, and its detail


@dataclass(frozen=True)
class Trained:
    """What a run ends with."""

    model: Any
    figures: dict[str, float]  # of the last step
    steps: Path  # the log of all steps
    save: Callable[[Path], None]  # the weights and the tokenizer into a folder; to be called by all processes


def train_preferences(run: TrainingRun, label: str) -> Trained:
    """Train a LoRA adapter, or all weights, on preferences; go on from the last whole checkpoint where there is one.

    Raises:
        ConfigError: TRL does not know a key of ``[align.trainer]``, or refuses a setting.
        StageError: the loss is not a number, an alarm stopped the run, or the disk is full.
    """
    with quiet():
        trainer = make_trainer(run)
        ensure_space(run.folder, CHECKPOINTS * checkpoint_bytes(trainer.model), f"{CHECKPOINTS} checkpoints")
        with _sinks(run) as (sinks, kept):
            watch = Watch(
                sinks,
                beta=getattr(trainer, "beta", None) if run.config.method != "orpo" else None,
                on_alarm=run.config.on_alarm,
                heard=lambda alarm: run.log("alarm", alarm.facts()),
            )
            watch.restore(kept)
            trainer.add_callback(watch.callback())
            figures = run_trainer(trainer, run.folder, label)
        watch.raise_if_stopped(label)
    return Trained(trainer.model, figures, run.folder / STEP_LOG, lambda folder: _save(trainer, folder))


@contextmanager
def _sinks(run: TrainingRun) -> Iterator[tuple[tuple[Sink, ...], list[dict[str, Any]]]]:
    """Where the main process writes steps, and the steps before the checkpoint that a run goes on from."""
    done = step_of_checkpoint(last_checkpoint(run.folder))
    if not is_main():
        yield (), [step for step in read_steps(run.folder / STEP_LOG) if step["step"] <= done]
        return
    with StepLog(run.folder / STEP_LOG, done) as steps:
        to_ledger = LedgerSink(lambda some: run.log("step", {"steps": some}))
        try:
            yield (steps, to_ledger), steps.kept
        finally:
            to_ledger.flush()


def checkpoint_bytes(model: Any) -> int:
    """What a checkpoint takes on disk: what is trained, and Adam's two averages of each weight in float32."""
    return sum(weight.numel() * (weight.element_size() + 8) for weight in model.parameters() if weight.requires_grad)


def _save(trainer: Any, folder: Path) -> None:
    """TRL's own way, which gathers sharded weights; without its pickle of settings, which names this machine."""
    with quiet():
        trainer.save_model(str(folder))
    (folder / "training_args.bin").unlink(missing_ok=True)


def make_trainer(run: TrainingRun) -> Any:
    """The trainer of a run, before its first step.

    Raises:
        ConfigError: see `train_preferences`.
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
            **_own_arguments(run, settings),
        )
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "requires" not in str(error):  # of a library that is not installed
            raise
        raise ConfigError(
            f"TRL refuses it: {error}",
            where="wardround.toml, align or align.trainer",
            advice=f"see {chosen.settings.__name__}",
        ) from error
    if run.held_out:
        trainer.add_callback(_early_stopping(run.config.patience))
    _keep_figures(trainer, run.figures)
    _say_weights(trainer, run)
    return trainer


def _say_weights(trainer: Any, run: TrainingRun) -> None:
    if run.config.method == "kto":
        weights = f"desirable_weight {trainer.desirable_weight:g}, undesirable_weight {trainer.undesirable_weight:g}"
        say(f"{class_ratio_of(run.rows).text()}; {weights}")
    collator = trainer.data_collator
    objection = getattr(collator, "weighted", False) and trainer.weights_objection()
    if objection:
        say(f"The pairs' weights do not enter the loss: {objection}")


def _keep_figures(trainer: Any, folder: Path | None) -> None:
    """Have TensorBoard's files written where they outlive the checkpoints."""
    from transformers.integrations import TensorBoardCallback

    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and folder and callback.logging_dir is None:
            callback.logging_dir = str(folder)


def trainer_settings(run: TrainingRun, chosen: Method) -> dict[str, Any]:
    """What TRL's configuration of a run is made of, under TRL's names; what the user says there comes last."""
    return {
        **common_settings(run.config, run.folder),
        "learning_rate": learning_rate(run.config),
        "beta": beta(run.config),
        **chosen.own,
        **(BY_LENGTH if _is_by_length(run) else {}),
        **(class_weights(run.rows) if run.config.method == "kto" else {}),
        **(_stopping(run.config) if run.held_out else {}),
        **run.config.trainer,
    }


def _is_by_length(run: TrainingRun) -> bool:
    """KTO reads rows in the order given, ORPO's trainer is TRL's older one; text has no length yet."""
    return run.config.method in {"dpo", "ipo"} and "prompt_ids" in next(iter(run.rows), {})


def class_weights(rows: Sequence[Row]) -> dict[str, float]:
    """The weights with which desirable and undesirable answers weigh the same, under TRL's names."""
    for_desirable, for_undesirable = class_ratio_of(rows).weights
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


def _own_arguments(run: TrainingRun, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What our trainers take beside what TRL's do, and the reference model of the methods that have one.

    TRL would load a second one from where the model's base lies, without the adapters that were merged into it; so
    where all weights are trained and nothing is computed beforehand, it gets a copy.
    """
    shared: dict[str, Any] = {"shared_prefix": run.config.shared_prefix}
    if run.config.method == "orpo":
        return shared
    shared["reference"] = run.reference
    if run.config.tuning == "lora" or settings.get("precompute_ref_log_probs"):
        return shared
    return {**shared, "ref_model": copy.deepcopy(run.model)}


def _stopping(config: AlignConfig) -> dict[str, Any]:
    """Evaluate at each checkpoint, and keep the best."""
    return {
        "eval_strategy": "steps",
        "eval_steps": config.checkpoint_steps,
        "per_device_eval_batch_size": share_of(config.batch_size),
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
        "per_device_train_batch_size": share_of(config.batch_size),
        "gradient_accumulation_steps": config.gradient_accumulation,
        "max_length": config.max_length,
        "save_strategy": "steps",
        "save_steps": config.checkpoint_steps,
        "save_total_limit": CHECKPOINTS - 1,
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
