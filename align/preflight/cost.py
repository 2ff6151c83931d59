"""What a run will take, from its model, its rows and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from align.preference.methods import method
from align.preference.runs import Row, TrainingRun, trainer_settings
from align.preflight.estimate import Estimate, Plan, count_tokens, estimate
from align.preflight.model_shape import shape_of


def cost_of(run: TrainingRun, seconds_a_row: float | None = None) -> Estimate | None:
    """What the whole run takes, its time by the speed of a row where that was measured.

    None for a model whose configuration does not tell its size as transformers' decoders do.
    """
    try:
        shape = shape_of(run.model.config)
    except AttributeError:
        return None
    settings = trainer_settings(run, method(run.config.method))
    align = run.config
    compute = "bfloat16" if settings.get("bf16") else "float16" if settings.get("fp16") else "float32"
    plan = Plan(
        batch_size=int(settings["per_device_train_batch_size"]),
        accumulation=int(settings["gradient_accumulation_steps"]),
        epochs=float(settings["num_train_epochs"]),
        weights=_held_as(run.model),
        compute=compute,
        lora_rank=align.lora_rank if align.tuning == "lora" else None,
        checkpointing=bool(settings.get("gradient_checkpointing")),
        reference=align.method != "orpo",
        shared_prefix=align.shared_prefix,
        answers=1 if align.method == "kto" else 2,
    )
    tokens = count_tokens([_lengths(row) for row in run.rows])
    of_a_row = (tokens.unique if plan.shared_prefix else tokens.total) / tokens.rows
    speed = None if seconds_a_row is None else seconds_a_row / of_a_row
    return estimate(shape, tokens, plan, speed)


def _held_as(model: Any) -> str:
    if getattr(model, "is_loaded_in_4bit", False):
        return "4bit"
    return "8bit" if getattr(model, "is_loaded_in_8bit", False) else str(model.dtype).removeprefix("torch.")


def _lengths(row: Row) -> Sequence[int]:
    """Of a row's prompt and each answer."""
    answers = [name for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in row]
    return [len(row["prompt_ids"]), *(len(row[name]) for name in answers)]
