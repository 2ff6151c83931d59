"""Whose win rates can be shown: judges, their panel and metrics; surgeons are never shown one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.assessor_kinds import SURGEON
from annotate.assessors import PANEL, judge_names, leading_assessor
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from ledger.config import JudgeConfig
from ledger.store import Ledger
from ledger.tables import comparisons, prompts


@dataclass(frozen=True)
class Met:
    """Two models that an assessor compared on held-out prompts, in one order or the other."""

    a: str
    b: str
    assessor: str


def who_met(ledger: Ledger) -> tuple[Met, ...]:
    """Every two models that were compared on held-out prompts, by each assessor."""
    row = comparisons.c
    held_out = sa.select(prompts.c.id).where(prompts.c.split == "eval")
    query = sa.select(row.model_a, row.model_b, row.assessor).where(
        row.prompt.in_(held_out), row.model_a != row.model_b
    )
    return tuple(Met(each.model_a, each.model_b, each.assessor) for each in ledger.rows(query.distinct()))


def shown_assessors(met: Sequence[Met], config: JudgeConfig) -> tuple[str, ...]:
    """The configured assessor first. The answer key counts along with each, and is shown where it is alone."""
    found = sorted({each.assessor for each in met if not each.assessor.startswith(SURGEON)})
    judging = [name for name in found if name != KEY_ASSESSOR] or found
    leading = leading_assessor(config)
    if leading == PANEL and not set(judge_names(config)).isdisjoint(found):
        judging = [PANEL, *judging]
    return tuple(sorted(judging, key=lambda name: name != leading))


def rated_by_surgeons(met: Sequence[Met]) -> frozenset[frozenset[str]]:
    """Every two models of which surgeons compared answers."""
    return frozenset(frozenset((each.a, each.b)) for each in met if each.assessor.startswith(SURGEON))
