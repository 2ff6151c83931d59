"""All that a decision rests on, from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

import sqlalchemy as sa

from align.evaluate import Evaluated, Evaluation, held_out, held_out_contests
from align.gate.conditions import alarms_closed, no_contamination, passports_good, rules_unchanged, safety_rated
from align.gate.evidence import AxisGuard, Evidence, Guard, LengthGuard, ShareGuard, Superiority, Watched
from align.gate.registration import Registration
from align.prediction_powered import LEAST_PROMPTS
from align.probes.areas import ACCURACY, FORGETTING, FORGOTTEN, HARMS, OVER_REFUSALS, UNREADABLE
from align.probes.measuring import Measures
from align.scores import scores_between
from ledger.config import GateConfig, Margin, ReviewConfig
from ledger.queries import either_way
from ledger.records import ModelVersion
from ledger.workspace import Workspace
from sampling.prompts import MODES

PROBES_ADVICE = 'name the set in probes.sets, or set the margin to "off"'
EXAM_ADVICE = 'import multiple-choice questions with `--split probe`, or set gate.exam_accuracy to "off"'
MINUTE = 60


def gather(
    workspace: Workspace,
    model: ModelVersion,
    opponent: ModelVersion,
    found: Evaluated,
    registration: Registration,
) -> Evidence:
    """The evidence on a model that was evaluated against the policy that it came from."""
    config, rules = workspace.config.evaluate, workspace.config.gate
    evaluation = found.evaluation
    before, after = (found.probed.measures[each.id] for each in (opponent, model))
    return Evidence(
        superiority=superiority(workspace, evaluation),
        guards=(*_share_guards(workspace, model, opponent), *_guards(workspace, before, after)),
        watched=tuple(_watched(before, after, margins(rules))),
        conditions=(
            rules_unchanged(workspace, registration),
            *passports_good(workspace),
            alarms_closed(workspace.ledger, model),
            no_contamination(workspace, model),
            safety_rated(after, rules.judge_invalid),
        ),
        superiority_advice=_superiority_advice(workspace.config.review, evaluation),
        resamples=config.resamples,
        confidence=config.confidence,
    )


def superiority(workspace: Workspace, evaluation: Evaluation) -> Superiority | None:
    """The win rate to go by: surgeons' with the judge's where surgeons have rated, else the judge's.

    None where surgeons have rated too little to say.
    """
    config, rules = workspace.config, workspace.config.gate
    found = evaluation.with_surgeons
    if found is None:
        rate = evaluation.overall
        return Superiority(
            rate=rate.win_rate,
            low=rate.low,
            high=rate.high,
            n_prompts=rate.n_prompts,
            least_prompts=config.evaluate.least_prompts,
            by=evaluation.assessor,
            bar=rules.win_rate,
        )
    for by, rated in ((f"surgeons and {found.assessor}", found.together), ("surgeons", found.surgeons)):
        if rated.estimate is not None and rated.low is not None and rated.high is not None:
            return Superiority(
                rate=rated.estimate,
                low=rated.low,
                high=rated.high,
                n_prompts=rated.n_prompts,
                least_prompts=0,  # few ratings have a rule of their own: `prediction_powered.LEAST_PROMPTS`
                by=by,
                bar=rules.win_rate,
                minutes_per_prompt=minutes_per_prompt(config.review),
            )
    return None


def _superiority_advice(review: ReviewConfig, evaluation: Evaluation) -> str:
    """What to do where surgeons have rated too little to say."""
    if evaluation.with_surgeons is None:
        return "run `wardround evaluate`"
    together = evaluation.with_surgeons.together
    left = max(LEAST_PROMPTS - together.n_prompts, 0)
    minutes = (
        f"{ceil(left * minutes_per_prompt(review))} more minutes of surgeons give the least number; " if left else ""
    )
    return f"{together.refused or 'too few ratings'}: {minutes}`wardround plan` says how many a difference takes"


def minutes_per_prompt(review: ReviewConfig) -> float:
    """Of all surgeons' time, for one more prompt of the random queue."""
    return review.overlap_random * review.seconds_per_rating / MINUTE


def _share_guards(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Iterator[Guard]:
    """The win rate of each mode: what is won in one must not be lost in the other."""
    margin = workspace.config.gate.win_rate_by_mode
    if margin == "off":
        return
    settled = held_out_contests(workspace, sa.or_(*either_way(model.id, opponent.id)))
    shares = scores_between(settled, model.id, opponent.id).shares
    modes = {key: prompt.mode for key, prompt in held_out(workspace.ledger).items()}
    for mode in MODES:
        own = {prompt: share for prompt, share in shares.items() if modes[prompt] == mode}
        yield ShareGuard(f"win rate, {mode}", margin, own, asked=bool(own))


def _guards(workspace: Workspace, before: Measures, after: Measures) -> Iterator[Guard]:
    rules = workspace.config.gate
    if rules.exam_accuracy != "off":
        yield from _exam_guards(rules.exam_accuracy, before, after)
    for name, margin in margins(rules).items():
        if margin != "off" and name != ACCURACY:
            yield AxisGuard(name, margin, before.axes.get(name), after.axes.get(name), advice=PROBES_ADVICE)
    if rules.length != "off":
        yield LengthGuard("length of answers", rules.length, before.words, after.words)


def _exam_guards(margin: float, before: Measures, after: Measures) -> Iterator[Guard]:
    old, new = before.axes.get(ACCURACY), after.axes.get(ACCURACY)
    if old is None or new is None:
        yield AxisGuard(ACCURACY, margin, old, new, advice=EXAM_ADVICE)
        return
    for mode in MODES:
        own = new.of_mode(mode)
        yield AxisGuard(own.name, margin, old.of_mode(mode), own, asked=bool(own.modes))


def margins(rules: GateConfig) -> dict[str, Margin]:
    """The margin of each axis that has one; everything else is watched."""
    return {
        ACCURACY: rules.exam_accuracy,
        HARMS: rules.harm,
        OVER_REFUSALS: rules.over_refusal,
        FORGOTTEN: rules.forgetting,
        UNREADABLE: rules.invalid,
    }


def _watched(before: Measures, after: Measures, guarded: Mapping[str, Margin]) -> Iterator[Watched]:
    """What no margin guards: each area by itself, and everything by mode."""
    for name, new in after.axes.items():
        old = before.axes.get(name)
        if old is None or guarded.get(name) == "off":
            continue
        if name not in guarded:
            yield Watched(name, old, new)
        if name not in (ACCURACY, *FORGETTING):
            modes = [mode for mode in MODES if new.of_mode(mode).modes]
            for mode in modes if len(modes) > 1 else []:
                yield Watched(f"{name}, {mode}", old.of_mode(mode), new.of_mode(mode))
