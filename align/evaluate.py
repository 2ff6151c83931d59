"""How a model fares against another on held-out prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from align.earlier_round import earlier_model
from align.gate.registration import register
from align.human_and_judge import HumanAndJudge, human_and_judge
from align.length_control import LengthControlled, length_controlled
from align.length_evidence import length_evidence
from align.paired_rounds import PairedDifference, paired_difference
from align.probes.report import ProbeReport, probe_report
from align.probes.stage import Probed, probe
from align.probes.versions import probed_versions
from align.resampling import Resampling
from align.scores import Scores, scores_between
from align.winrate import WinRate, win_rate, win_rates_by
from annotate.assessor_kinds import SURGEON
from annotate.assessors import judge_names, leading_assessor
from annotate.comparing import compare
from annotate.settled_contests import SettledContests
from annotate.win_table import settled_contests
from ledger.config import EvaluateConfig
from ledger.errors import InputError, StageError
from ledger.queries import either_way
from ledger.records import Comparison, ModelVersion, Prompt
from ledger.store import Ledger
from ledger.tables import comparisons, prompts
from ledger.workspace import Workspace
from sampling.sample import sample_for


@dataclass(frozen=True)
class EarlierRound:
    """The round before, against the same opponent, and how much the model is ahead of it."""

    model: str
    name: str
    paired: PairedDifference


@dataclass(frozen=True)
class Evaluation:
    """One model against another on the held-out prompts."""

    model: str
    opponent: str
    assessor: str
    overall: WinRate
    by_mode: Mapping[str, WinRate]
    by_kind: Mapping[str, WinRate]
    by_topic: Mapping[str, WinRate]
    length_controlled: LengthControlled | None = None  # None: too few prompts
    earlier: EarlierRound | None = None  # None: there is no earlier round with a verdict on the same prompts
    with_surgeons: HumanAndJudge | None = None  # None: surgeons have rated none of these answers
    probes: ProbeReport | None = None  # None: not asked

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"{self.overall.text()}, by {self.assessor}"]
        if self.length_controlled:
            lines.append(f"  length-controlled: {self.length_controlled.text()}")
        if self.earlier:
            lines.append(f"  ahead of {self.earlier.name}, the round before: {self.earlier.paired.text()}")
        if self.with_surgeons:
            lines += [f"  {line}" for line in self.with_surgeons.text().splitlines()]
        if self.probes:
            lines += [f"  {line}" for line in self.probes.text().splitlines()]
        return "\n".join(lines)


def evaluate(workspace: Workspace, model: ModelVersion, opponent: ModelVersion, *, probes: bool = True) -> Evaluation:
    """Sample both on the held-out prompts and compare them, ask the probes, as far as that is not done yet; then count.

    The rules of the gate are written down before anything is asked.

    Raises:
        InputError: a model is not compared with itself, or a probe set cannot be read.
        StageError: there are no held-out prompts, or no valid comparison.
        BudgetError: the judges' budget ended before all was compared.
    """
    if probes:
        return evaluated(workspace, model, opponent).evaluation
    return _compared(workspace, model, opponent)


@dataclass(frozen=True)
class Evaluated:
    """An evaluation, and the probes prompt by prompt."""

    evaluation: Evaluation
    probed: Probed


def evaluated(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Evaluated:
    """The same, for whoever needs each prompt's figures.

    Raises:
        WardroundError: see `evaluate`.
    """
    found = _compared(workspace, model, opponent)
    probed = probe(workspace, probed_versions(workspace, model, opponent))
    report = probe_report(probed, model, opponent, workspace.config.evaluate)
    return Evaluated(replace(found, probes=report), probed)


def _compared(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Evaluation:
    _are_two(model, opponent)
    register(workspace, model, opponent)
    for each in (opponent, model):
        sample_for(workspace, each, "eval")
    compare(workspace, model, opponent).whole()
    return counted(workspace, model, opponent)


def counted(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Evaluation:
    """The win rates that the ledger holds, by the configured assessor (and the key, where that decided).

    Raises:
        InputError: a model is not compared with itself.
        StageError: there is no valid comparison.
    """
    _are_two(model, opponent)
    ledger, config = workspace.ledger, workspace.config.evaluate
    assessor = leading_assessor(workspace.config.judge)
    row = comparisons.c
    settled = held_out_contests(workspace, sa.or_(row.model_a == opponent.id, row.model_b == opponent.id))
    scores = scores_between(settled, model.id, opponent.id)
    resampling = resampling_of(config)
    overall = win_rate(scores, **resampling)
    if overall is None:
        raise StageError(
            f"no valid comparison of {model.name} with {opponent.name} on held-out prompts",
            where="ledger",
            advice="`wardround log` shows the causes of invalid verdicts",
        )
    asked = held_out(ledger)
    evidence = length_evidence(ledger, settled, model.id, opponent.id)
    return Evaluation(
        model=model.id,
        opponent=opponent.id,
        assessor=assessor,
        overall=overall,
        by_mode=win_rates_by(scores, {key: prompt.mode for key, prompt in asked.items()}, **resampling),
        by_kind=win_rates_by(scores, {key: prompt.kind for key, prompt in asked.items()}, **resampling),
        by_topic=win_rates_by(scores, {key: prompt.topic for key, prompt in asked.items()}, **resampling),
        length_controlled=length_controlled(evidence, confidence=config.confidence) if evidence else None,
        earlier=_earlier(workspace, settled, model, opponent, scores),
        with_surgeons=with_surgeons(workspace, model, opponent),
    )


def _are_two(model: ModelVersion, opponent: ModelVersion) -> None:
    if model.id == opponent.id:
        raise InputError("a model is not compared with itself", where=model.name, advice="name two models")


def held_out(ledger: Ledger) -> dict[str, Prompt]:
    """The held-out prompts, by id."""
    return {prompt.id: prompt for prompt in ledger.read(Prompt, prompts.c.split == "eval")}


def held_out_contests(
    workspace: Workspace, *where: sa.ColumnElement[bool], assessor: str | None = None
) -> SettledContests:
    """The contests on held-out prompts, settled by one assessor, the configured one by default, and the key."""
    judging = workspace.config.judge
    asked = comparisons.c.prompt.in_(sa.select(prompts.c.id).where(prompts.c.split == "eval"))
    deciding = assessor or leading_assessor(judging)
    return settled_contests(workspace.ledger, deciding, judge_names(judging), asked, *where)


def resampling_of(config: EvaluateConfig) -> Resampling:
    """How intervals are made, as configured."""
    return {"resamples": config.resamples, "confidence": config.confidence}


def with_surgeons(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> HumanAndJudge | None:
    """What surgeons and the judge say together; None where surgeons have rated none of these answers."""
    row = comparisons.c
    asked = (sa.or_(*either_way(model.id, opponent.id)), row.assessor.startswith(SURGEON))
    if not workspace.ledger.count(Comparison, *asked):
        return None
    found = human_and_judge(workspace, model, opponent)
    return found if found.n_ratings else None


def _earlier(
    workspace: Workspace, settled: SettledContests, model: ModelVersion, opponent: ModelVersion, ours: Scores
) -> EarlierRound | None:
    before = earlier_model(workspace.ledger, model.id, opponent.id)
    if before is None:
        return None
    paired = paired_difference(
        ours, scores_between(settled, before.id, opponent.id), **resampling_of(workspace.config.evaluate)
    )
    return EarlierRound(before.id, before.name, paired) if paired else None
