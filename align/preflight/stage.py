"""The stages before training: what is wrong with a run, and whether a short one works. Nothing is trained for good."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from align.preference.methods import method
from align.preference.runs import TrainingRun, trainer_settings
from align.preflight.checks import Plan
from align.preflight.cost import cost_of
from align.preflight.displacement import Ranking, ranked, scored
from align.preflight.estimate import Estimate
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
    cost: Estimate | None  # of models whose size can be told
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
        if self.cost:
            yield self.cost.text()

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {
            **self.checks.facts(),
            "left_out_ids": {each.id: each.reason for each in self.left_out},
            "displacement": self.risk.facts() if self.risk else None,
            "estimate": self.cost.facts() if self.cost else None,
        }


@dataclass(frozen=True)
class SanityReport:
    """Whether a short run works, what one row looks like, and what the long one will take at this speed."""

    checks: Sanity
    shown: str
    cost: Estimate | None  # of models whose size can be told

    def text(self) -> str:
        """For people. It shows one question with its answers."""
        row = f"One row; in the loss is what stands between [[ and ]]:\n{self.shown}"
        return "\n".join([self.checks.text(), row, *([self.cost.text()] if self.cost else [])])

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log; without any text of a question."""
        return {**self.checks.facts(), "estimate": self.cost.facts() if self.cost else None}


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
        report = PreflightReport(preflight(rendering, _plan(run)), rendering.left_out, cost_of(run), risk)
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
        loaded = iter([run.model])  # is there already; a run changes it, so the next one wants another
        checks = check_sanity(run, lambda: next(loaded, None) or load_policy(source))
        report = SanityReport(
            checks, one_pair_shown(run.tokenizer, dict(run.rows[0])), cost_of(run, checks.seconds_a_row)
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
