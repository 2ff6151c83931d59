"""A judge over time: the same figures for each period, so that a drift is seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotate.bootstrap import Estimate, numbered, ratio_of_sums
from annotate.examining import Others, judged_contests
from annotate.passport_biases import order_effects
from annotate.passport_columns import Columns, Resampling, columns_of
from annotate.passport_contests import JudgedContest
from annotate.passport_reliability import SurgeonAgreement, invalid_share, surgeon_agreement
from dashboards.findings.judge_sample import PROMPTS_A_PERIOD, Asked, Said, Scan, first_days, said_on
from dashboards.findings.periods import Unit, start_of
from ledger.records import Comparison
from ledger.workspace import Workspace

BY = Resampling()


@dataclass(frozen=True)
class Period:
    """What a judge did in one period by one rubric version; a contest belongs to the period of its first verdict.

    Attributes:
        start: the first day, ISO 8601
        rubric: its version; another version is another judge, so that no period is of two
        n_contests: that the figures are of
        n_prompts: in the period
        n_sampled: of them, those that the figures are of; surgeons' is of all prompts that surgeons rated
        flips: share of the contests asked in both orders whose verdict changes with the order
        first_place: share of the decided verdicts that are for the answer shown first, less a half
        invalid: share of the verdicts
        unclear: share of the contests that flip or have no valid verdict
        surgeons: agreement with them
    """

    start: str
    rubric: str
    n_contests: int
    n_prompts: int
    n_sampled: int
    flips: Estimate
    first_place: Estimate
    invalid: Estimate
    unclear: Estimate
    surgeons: SurgeonAgreement


@dataclass(frozen=True)
class Source:
    """What all periods are found from."""

    workspace: Workspace
    scan: Scan
    others: Others


def periods_of(source: Source, asked: Asked, unit: Unit, rated: Sequence[Said]) -> list[Period]:
    """One judge's periods by one rubric, the earliest first; ``rated``: what it said where surgeons spoke."""
    workspace, scan, others = source.workspace, source.scan, source.others
    prompts: dict[str, set[int]] = defaultdict(set)
    for day, tally in scan.days[asked].items():
        prompts[start_of(day, unit)] |= tally.prompts
    by_surgeons = by_period([each for each in rated if each.comparison.rubric == asked.rubric], unit)
    found = []
    for start, numbers in sorted(prompts.items()):
        chosen = scan.sampled(numbers, PROMPTS_A_PERIOD)
        said = by_period(said_on(workspace.ledger, chosen, [asked], scan.derived), unit).get(start, [])
        if not said:  # nothing but what had failed before
            continue
        contests = judged_contests(workspace, asked.judge, said, others)
        seen = judged_contests(workspace, asked.judge, by_surgeons.get(start, []), others)
        found.append(_period(start, asked.rubric, (len(numbers), len(chosen)), contests, columns_of(seen)))
    return found


def _period(
    start: str, rubric: str, prompts: tuple[int, int], contests: Sequence[JudgedContest], rated: Columns
) -> Period:
    columns = columns_of(contests)
    order = order_effects(columns, BY)
    return Period(
        start=start,
        rubric=rubric,
        n_contests=len(contests),
        n_prompts=prompts[0],
        n_sampled=prompts[1],
        flips=order.consistency.complement(),
        first_place=order.bias,
        invalid=invalid_share(contests, columns.prompts, BY),
        unclear=unclear_share(contests),
        surgeons=surgeon_agreement(rated, BY),
    )


def by_period(said: Sequence[Said], unit: Unit) -> Mapping[str, list[Comparison]]:
    """Comparisons by the period in which their contest was first judged."""
    days = first_days(said)
    found: dict[str, list[Comparison]] = defaultdict(list)
    for each, _ in said:
        found[start_of(days[each.a, each.b, each.rubric], unit)].append(each)
    return found


def unclear_share(contests: Sequence[JudgedContest]) -> Estimate:
    """The share of contests that were paid for and left for a surgeon: flipped, or without a valid verdict."""
    unclear = np.array([each.flipped or each.verdict is None for each in contests], dtype=float)
    return BY.of(ratio_of_sums(unclear, np.ones(len(contests))), numbered([each.prompt for each in contests]))
