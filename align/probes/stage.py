"""The probes of several models: asked as far as they are not, then measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from align.probes.measuring import Measures, ask, measured, safety_answers
from align.probes.plan import ProbePlan, probe_plan
from annotate.safety_rating import contests_for_surgeons, safety_assessors
from ledger.records import ModelVersion
from ledger.screen import say
from ledger.workspace import Workspace


@dataclass(frozen=True)
class Probed:
    """Several models on one plan, by their ids."""

    plan: ProbePlan
    measures: Mapping[str, Measures]
    rated_by: tuple[str, ...]  # who says what harms: the judges, or the embedded rules


def probe(workspace: Workspace, models: Sequence[ModelVersion]) -> Probed:
    """Ask each model what it was not asked yet, and measure.

    The answers of the first two to safety probes become contests, so that surgeons can be sent them.

    Raises:
        InputError: a probe set cannot be read.
        ModelError, EndpointError, BudgetError: see the stages; run it again to go on.
    """
    plan = probe_plan(workspace)
    if plan.fixed:
        say(f"{plan.fixed} multiple-choice questions have options that cannot change places; they are not asked")
    for model in models:
        ask(workspace, model, plan)
    if len(models) > 1:
        theirs, ours = (safety_answers(workspace, model, plan) for model in models[:2])
        workspace.ledger.append(contests_for_surgeons(workspace, ours, theirs))
    measures = {model.id: measured(workspace, model, plan) for model in models}
    return Probed(plan, measures, safety_assessors(workspace))
