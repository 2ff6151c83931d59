"""What must be as it should beside the figures: the judge's passport, training's alarms, contamination, the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from align.gate.evidence import Condition
from align.gate.registration import STAGE, Registration, rules_of
from align.probes.areas import HARMS, OVER_REFUSALS
from align.probes.measuring import Measures
from align.run_log import RUN, run_key
from annotate.assessors import configured_judges
from annotate.contamination import contaminated_prompts
from annotate.examining import judge_passports
from annotate.passport import Passport
from ledger.config import GateConfig
from ledger.errors import StageError
from ledger.queries import every
from ledger.records import ModelVersion
from ledger.store import Ledger
from ledger.tables import models, pairs, training_pairs
from ledger.workspace import Workspace

CLOSED = "alarm closed"  # event of the gate's stage
MOST_SHOWN = 3
LEAST_RATED = 20  # contests that surgeons decided, below which agreement says little


def rules_unchanged(workspace: Workspace, registration: Registration) -> Condition:
    """Are the rules those that were written down before the evaluation began?"""
    changes = registration.changes(rules_of(workspace))
    name = "rules as registered"
    if changes:
        more = f" and {len(changes) - MOST_SHOWN} more" if len(changes) > MOST_SHOWN else ""
        said = f"changed since they were registered at {registration.at}: {'; '.join(changes[:MOST_SHOWN])}{more}"
        advice = "put them back, or evaluate the next model by the new ones"
        return Condition(name, False, said, advice)
    late = f", when {registration.answers} of its answers were there already" if registration.answers else ""
    return Condition(name, True, f"{registration.hash[:12]}, registered at {registration.at}{late}")


def passports_good(workspace: Workspace) -> list[Condition]:
    """Is each configured judge good enough? The reference metric and the answer key have no passport."""
    judges = configured_judges(workspace)
    if not judges:
        return [Condition("judge's passport", None, "no judge is configured: metric:reference, which has no passport")]
    try:
        found = {each.assessor: each for each in judge_passports(workspace).reports}
    except StageError as error:
        return [Condition("judge's passport", False, error.what, error.advice)]
    return [passport_good(judge.name, found.get(judge.name), workspace.config.gate) for judge in judges]


def passport_good(name: str, passport: Passport | None, rules: GateConfig) -> Condition:
    """Is one judge good enough by the gate's rules? None: it has no passport."""
    title = f"passport of {name}"
    if passport is None:
        return Condition(title, False, "it has judged nothing by this rubric yet", "run `wardround judge`")
    figures, faults = [], []
    consistency, invalid, agreement = passport.order.consistency, passport.invalid, passport.surgeons.raw
    if consistency.estimate is not None:
        flips = 1 - consistency.estimate
        figures.append(f"{flips:.0%} flips")
        faults += [f"more than {rules.judge_flips:.0%} of its verdicts flip"] if flips > rules.judge_flips else []
    if invalid.estimate is not None:
        figures.append(f"{invalid.estimate:.1%} invalid")
        faults += [f"more than {rules.judge_invalid:.0%} invalid"] if invalid.estimate > rules.judge_invalid else []
    if agreement.estimate is not None and agreement.n_items >= LEAST_RATED:
        figures.append(f"agrees with surgeons on {agreement.estimate:.0%} of {agreement.n_items}")
        low = agreement.estimate < rules.judge_agreement
        faults += [f"agrees with surgeons on less than {rules.judge_agreement:.0%}"] if low else []
    said = ", ".join(figures) or "nothing is known of it"
    return Condition(title, not faults, f"{said}: {'; '.join(faults)}" if faults else said, PASSPORT_ADVICE)


PASSPORT_ADVICE = "`wardround judge --passport` says more; take another judge or rubric, or ask surgeons"


def alarms_closed(ledger: Ledger, model: ModelVersion) -> Condition:
    """Is no alarm of the training left open?"""
    left = dict.fromkeys(each["kind"] for each in open_alarms(ledger, model))
    if left:
        advice = "look at the run, then `wardround gate --close-alarm KIND --reason TEXT`, or train again"
        return Condition("no open alarm", False, f"training raised {', '.join(left)}", advice)
    raised = {each["kind"] for each in _alarms(ledger, model)}
    return Condition("no open alarm", True, f"{len(raised)} raised, all closed" if raised else "none was raised")


def open_alarms(ledger: Ledger, model: ModelVersion) -> list[Mapping[str, Any]]:
    """The alarms that the training of a model raised, as it logged them, but for those that were closed."""
    closed = {done.detail["kind"] for done in every(ledger, STAGE, CLOSED) if done.detail["model"] == model.id}
    return [each for each in _alarms(ledger, model) if each["kind"] not in closed]


def _alarms(ledger: Ledger, model: ModelVersion) -> Iterator[Mapping[str, Any]]:
    run = run_key(model)
    return (done.detail for done in every(ledger, RUN, "alarm") if done.detail["training"] == run)


def no_contamination(workspace: Workspace, model: ModelVersion) -> Condition:
    """Was neither the model nor any that it comes from trained on a near-duplicate of a held-out question or probe?"""
    near = contaminated_prompts(workspace)
    learnt = _learnt_prompts(workspace.ledger, model)
    found = sorted(near & learnt)
    if found:
        said = f"{len(found)} of the {len(learnt)} questions it learnt from are near-duplicates of held-out ones"
        return Condition("no contamination", False, said, "build the pairs again and train anew: they leave these out")
    return Condition(
        "no contamination", True, f"none of the {len(learnt)} questions it learnt from is near a held-out one"
    )


def safety_rated(measures: Measures, most: float) -> Condition:
    """Could nearly all answers to safety probes be rated? Those that could not may be the worst."""
    axes = [measures.axes[name] for name in (HARMS, OVER_REFUSALS) if name in measures.axes]
    asked = sum(len(axis.modes) for axis in axes)
    if not asked:
        return Condition("safety rated", None, "no safety probe was asked")
    unrated = sum(len(axis.invalid) for axis in axes)
    said = f"{asked - unrated} of {asked} answers to safety probes are rated"
    advice = "`wardround log --stage safety` shows the run; evaluate again to rate the rest, or take another judge"
    return Condition("safety rated", unrated <= most * asked, said, advice)


def _learnt_prompts(ledger: Ledger, model: ModelVersion) -> set[str]:
    """The questions of the pairs of a model and of all its ancestors."""
    parents = {row.id: row.parent for row in ledger.rows(sa.select(models.c.id, models.c.parent))}
    learnt: set[str] = set()
    current: str | None = model.id
    while current is not None:
        query = sa.select(pairs.c.prompt).join(training_pairs, training_pairs.c.pair == pairs.c.id)
        learnt |= {row.prompt for row in ledger.rows(query.where(training_pairs.c.model == current))}
        current = parents.get(current)
    return learnt
