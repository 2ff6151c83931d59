"""The judge stage: candidate answers from the ledger, compared by whoever is configured, back into it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from annotate.asking import Run, ask_judges, passes
from annotate.assessor_kinds import JUDGE
from annotate.assessors import Judge, configured_assessors
from annotate.budget import Budget, limits_of
from annotate.docket import Docket
from annotate.dry_run import estimate_judging
from annotate.estimate import DryRun
from annotate.judge_report import JudgeReport
from annotate.panel import own_family, policy_names
from annotate.reference import compare_with_reference
from annotate.scope import Scope, answered_prompts, scope_between, scope_within
from ledger.records import ModelVersion, Prompt, Split
from ledger.screen import Advance, progress, say
from ledger.workspace import Workspace

MEASURED_AT_ONCE = 1_000


def compare(
    workspace: Workspace, model: ModelVersion, opponent: ModelVersion | None = None, split: Split | None = None
) -> JudgeReport:
    """Compare one model's answers among themselves, or with those of an ``opponent``.

    Args:
        workspace: where.
        model: whose answers.
        opponent: with whose; None: with its own, as `[judge] contests` says. Else as `[evaluate] contests` says.
        split: to which prompts; by default "train" among themselves, and "eval" against an opponent.

    Raises:
        StageError: one of them has no answers there.
        EndpointError: a judge's server refuses or cannot be reached.
    """
    return _compare(workspace, _scope(workspace, model, opponent, split))


def dry_run(
    workspace: Workspace, model: ModelVersion, opponent: ModelVersion | None = None, split: Split | None = None
) -> DryRun:
    """What `compare` would cost; nothing is asked or written.

    Raises:
        StageError: no judge is configured, or there are no answers.
        ConfigError: a judge's address cannot be used, or its key is not set.
    """
    return estimate_judging(workspace, _scope(workspace, model, opponent, split))


def _scope(workspace: Workspace, model: ModelVersion, opponent: ModelVersion | None, split: Split | None) -> Scope:
    config = workspace.config
    if opponent is None:
        return scope_within(model, split or "train", config.judge)
    return scope_between(model, opponent, split or "eval", config.evaluate)


def _compare(workspace: Workspace, scope: Scope) -> JudgeReport:
    ledger = workspace.ledger
    answered = answered_prompts(ledger, scope)
    assessors = configured_assessors(workspace)
    names = [each.name for each in assessors]
    _warn_of_own_family(workspace, names)
    report = JudgeReport({})
    with workspace.stage("judge", assessors=names, models=list(scope.models), split=scope.split) as outcome:
        judges = [each for each in assessors if isinstance(each, Judge)]
        steps = len(answered) * sum(passes(each, scope) for each in judges) or len(answered)
        with progress(f"Judging by {', '.join(names)}", steps) as advance:
            if judges:
                budget = Budget(limits_of(workspace.config.judge))
                asyncio.run(ask_judges(Run(workspace, judges, scope, answered, report, advance, budget)))
            else:
                _measure(Docket(ledger, scope, assessors[0], report), answered, advance)
        outcome.update(report.facts())
    return report


def _measure(docket: Docket, answered: Sequence[Prompt], advance: Advance) -> None:
    todo = docket.work(answered, advance)
    while batch := list(islice(todo, MEASURED_AT_ONCE)):
        margin = docket.assessor.config.tie_margin
        docket.enter([compare_with_reference(work.contest, margin) for work in batch])


def _warn_of_own_family(workspace: Workspace, assessors: Sequence[str]) -> None:
    policy = policy_names(workspace.root, workspace.config.model)
    for name in assessors:
        if name.startswith(JUDGE) and (warning := own_family(name.removeprefix(JUDGE), policy)):
            say(warning)
