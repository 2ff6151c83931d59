"""The stages before training: what is wrong with a run, and whether a short one works. Nothing is trained for good."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.preference.methods import method
from align.preference.runs import Row, TrainingRun, trainer_settings
from align.preflight.checks import Plan
from align.preflight.displacement import Ranking, ranked, scored
from align.preflight.estimate import Estimate, count_tokens, estimate
from align.preflight.estimate import Plan as CostPlan
from align.preflight.model_shape import shape_of
from align.preflight.report import Preflight, preflight
from align.preflight.sanity import check_sanity
from align.preflight.sanity_checks import Sanity
from align.rendering.pairs import LeftOut, one_pair_shown
from align.training import pairs_of, prepared
from align.training_set import pair_material, training_set
from ledger.records import ModelVersion
from ledger.screen import say
from ledger.workspace import Workspace
from sampling.engines.transformers import stop_tokens
from sampling.models import load_policy, load_tokenizer, source_of

LISTED = 20  # of what is left out, for people


@dataclass(frozen=True)
class PreflightReport:
    """What is known before the first step."""

    checks: Preflight
    left_out: tuple[LeftOut, ...]
    cost: Estimate
    risk: Ranking | None  # of pairs

    def text(self) -> str:
        """For people: no text of a question or an answer, ids alone."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.checks.text()
        for each in self.left_out[:LISTED]:
            yield f"left out: {each.id} {each.reason}"
        if len(self.left_out) > LISTED:
            yield f"left out: {len(self.left_out) - LISTED} more, which --json lists"
        if self.risk:
            yield self.risk.text()
        yield self.cost.text()

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {
            **self.checks.facts(),
            "left_out_ids": {each.id: each.reason for each in self.left_out},
            "displacement": self.risk.facts() if self.risk else None,
            "estimate": self.cost.facts(),
        }


@dataclass(frozen=True)
class SanityReport:
    """Whether a short run works, what one row looks like, and what the long one will take at this speed."""

    checks: Sanity
    shown: str
    cost: Estimate

    def text(self) -> str:
        """For people. It shows one question with its answers."""
        row = f"One row; in the loss is what stands between [[ and ]]:\n{self.shown}"
        return f"{self.checks.text()}\n{row}\n{self.cost.text()}"

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log; without any text of a question."""
        return {**self.checks.facts(), "estimate": self.cost.facts()}


def check_before(workspace: Workspace, policy: ModelVersion) -> PreflightReport:
    """Look at the rows, the settings and the policy of a run.

    Raises:
        StageError: there are no pairs.
        ModelError: the policy does not load.
    """
    pair_ids = pairs_of(workspace, policy)
    with workspace.stage("preflight", policy=policy.id, pairs=len(pair_ids)) as outcome:
        say(f"Loading {policy.name}")
        source = source_of(workspace, policy)
        tokenizer, model = load_tokenizer(source), load_policy(source)
        ends = stop_tokens(model.generation_config.eos_token_id, tokenizer)
        rendering = training_set(workspace, tokenizer, ends, pair_material(workspace, pair_ids)).train
        run = TrainingRun(model, tokenizer, rendering.rows, workspace.config.align, Path())
        risk = None
        if workspace.config.align.method != "kto":
            risk = ranked(rendering.ids, scored(model, rendering.rows))
        report = PreflightReport(preflight(rendering, _plan(run)), rendering.left_out, _cost(run), risk)
        outcome.update(report.facts())
    return report


def try_out(workspace: Workspace, policy: ModelVersion) -> SanityReport:
    """Train on a handful of rows, then on up to a hundred, in a folder that is removed again.

    Raises:
        StageError: there are no pairs, or the loss is not a number.
        ModelError: the policy does not load.
    """
    pair_ids = pairs_of(workspace, policy)
    with (
        workspace.stage("sanity", policy=policy.id, pairs=len(pair_ids)) as outcome,
        tempfile.TemporaryDirectory() as folder,
    ):
        run = replace(prepared(workspace, policy, pair_ids, Path(folder)), held_out=(), reference=None)
        source = source_of(workspace, policy)
        checks = check_sanity(run, lambda: load_policy(source))
        report = SanityReport(
            checks, one_pair_shown(run.tokenizer, dict(run.rows[0])), _cost(run, checks.seconds_a_row)
        )
        outcome.update(report.facts())
    return report


def _plan(run: TrainingRun) -> Plan:
    settings = trainer_settings(run, method(run.config.method))
    losses = settings.get("loss_type", "sigmoid")
    return Plan(
        method=run.config.method,
        learning_rate=float(settings["learning_rate"]),
        lora=run.config.tuning == "lora",
        batch_size=int(settings["per_device_train_batch_size"]),
        losses=(losses,) if isinstance(losses, str) else tuple(losses),
        label_smoothing=float(settings.get("label_smoothing", 0.0)),
        class_weights=(settings.get("desirable_weight", 1.0), settings.get("undesirable_weight", 1.0)),
    )


def _cost(run: TrainingRun, seconds_a_row: float | None = None) -> Estimate:
    """What the whole run takes, its time by the speed of a row where that was measured."""
    settings = trainer_settings(run, method(run.config.method))
    align = run.config
    compute = "bfloat16" if settings.get("bf16") else "float16" if settings.get("fp16") else "float32"
    plan = CostPlan(
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
    return estimate(shape_of(run.model.config), tokens, plan, speed)


def _held_as(model: Any) -> str:
    if getattr(model, "is_loaded_in_4bit", False):
        return "4bit"
    return "8bit" if getattr(model, "is_loaded_in_8bit", False) else str(model.dtype).removeprefix("torch.")


def _lengths(row: Row) -> Sequence[int]:
    """Of a row's prompt and each answer."""
    answers = [name for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in row]
    return [len(row["prompt_ids"]), *(len(row[name]) for name in answers)]
