"""What judges said, as much of it as is needed: all, or what was said on a sample of prompts where that is very much.

A passport is computed from contests, one Python object each. On a million comparisons that would take minutes and
gigabytes, so from `PROMPTS` prompts on it is of a simple random sample of prompts without replacement. Which prompts
these are depends on their ids alone: figures do not jump when the ledger grows. Whatever surgeons rated is read apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from annotate.assessor_kinds import JUDGE, METRIC
from annotate.bootstrap import IntArray
from annotate.examining import asked_for
from annotate.mcq import ASSESSOR as KEY
from annotate.safety_rating import CRITERIA as SAFETY
from annotate.safety_rules import ASSESSOR as SAFETY_RULES
from dashboards.findings.periods import DAY
from ledger.codec import from_row
from ledger.queries import standing, superseded
from ledger.records import Comparison, digest
from ledger.store import Ledger, uncollected
from ledger.tables import comparisons, probes, ratings

PROMPTS = 4_000  # for a passport: a rate's interval is then 3 points wide at most
PROMPTS_A_PERIOD = 1_000  # 6 points
RATED = 20_000  # prompts that surgeons rated: all there will ever be, but a bound all the same
AT_ONCE = 500  # prompts
HASH_DIGITS = 15  # hex digits, which fit 64 bits


class Asked(NamedTuple):
    """One judge by one rubric version."""

    judge: str
    rubric: str


class Said(NamedTuple):
    """A comparison, and when it was written down."""

    comparison: Comparison
    day: int  # since the epoch


@dataclass
class DayTally:
    """What one judge said by one rubric on one day."""

    comparisons: int = 0
    tokens: int = 0
    cost: float = 0.0
    prompts: set[int] = field(default_factory=set)  # by number


@dataclass
class Scan:
    """What judges were asked, counted in one pass."""

    prompts: dict[str, int] = field(default_factory=dict)  # id -> number
    days: dict[Asked, dict[int, DayTally]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(DayTally)))
    derived: frozenset[Asked] = frozenset()  # their comparisons are made of points that they gave

    @cached_property
    def places(self) -> IntArray:
        """A random place for each prompt, fixed by its id."""
        hashed = (int(digest(["passport", prompt])[:HASH_DIGITS], 16) for prompt in self.prompts)
        return np.fromiter(hashed, np.int64, len(self.prompts))

    @cached_property
    def ids(self) -> Sequence[str]:
        """The prompts' ids, by number."""
        return list(self.prompts)

    def sampled(self, among: Collection[int], most: int) -> list[str]:
        """A simple random sample of prompts, or all of them."""
        numbers = np.fromiter(among, np.int64, len(among))
        first = numbers[np.argsort(self.places[numbers], kind="stable")][:most]
        return [self.ids[each] for each in first.tolist()]


def scanned(ledger: Ledger) -> Scan:
    """Count what judges and metrics were asked, as it stands.

    The answer key was asked for no opinion, and answers to safety probes have a page of their own.
    """
    scan = Scan(derived=_derived(ledger))
    row = comparisons.c
    day = (row.at // DAY).label("day")
    totals = (sa.func.count(), sa.func.sum(row.tokens), sa.func.sum(row.cost))
    key = (row.assessor, row.rubric, day, row.prompt)
    query = sa.select(*key, *totals).where(_by_judges(), _asked(scan.derived), row.id.not_in(superseded()))
    with uncollected():
        rows: Iterator[Any] = ledger.rows(query.group_by(*key))
        for judge, rubric, when, prompt, n, tokens, cost in rows:
            tally = scan.days[Asked(judge, rubric)][int(when)]
            tally.comparisons += n
            tally.tokens += int(tokens)
            tally.cost += cost
            tally.prompts.add(scan.prompts.setdefault(prompt, len(scan.prompts)))
    return scan


def said_on(ledger: Ledger, prompts: Sequence[str], asked: Collection[Asked], derived: Collection[Asked]) -> list[Said]:
    """What one judge said on these prompts by these rubrics, as it stands, in the order in which it was written."""
    row = comparisons.c
    by = {each.judge for each in asked}, {each.rubric for each in asked}
    said: list[Said] = []
    with uncollected():
        for start in range(0, len(prompts), AT_ONCE):
            some = row.prompt.in_(prompts[start : start + AT_ONCE])
            of_judge = (row.assessor.in_(by[0]), row.rubric.in_(by[1]), _asked(derived), standing())
            query = sa.select(comparisons).where(some, *of_judge).order_by(row.row)
            said += [Said(from_row(Comparison, each._mapping), each.at // DAY) for each in ledger.rows(query)]
    return said


def first_days(said: Sequence[Said]) -> Mapping[tuple[str, str, str], int]:
    """The day on which each contest was first judged, by its answers and rubric."""
    found: dict[tuple[str, str, str], int] = {}
    for each, day in said:
        key = each.a, each.b, each.rubric
        found[key] = min(day, found.get(key, day))
    return found


def _by_judges() -> sa.ColumnElement[bool]:
    who = comparisons.c.assessor
    return sa.or_(who.startswith(JUDGE), sa.and_(who.startswith(METRIC), who.not_in((KEY, SAFETY_RULES))))


def _asked(derived: Collection[Asked]) -> sa.ColumnElement[bool]:
    """Condition: a verdict of its own, or made of its own points."""
    return sa.or_(asked_for(), *map(_made_of_points, derived))


def _made_of_points(asked: Asked) -> sa.ColumnElement[bool]:
    """Condition: it is by this judge and these criteria; by the safety criteria, on what is no probe."""
    row = comparisons.c
    made = sa.and_(row.assessor == asked.judge, row.rubric == asked.rubric)
    # Their name alone would not do: a workspace's own criteria, by which its judges rate all answers, may have it too.
    safety = asked.rubric.startswith(f"{SAFETY}@")
    return sa.and_(made, row.prompt.not_in(sa.select(probes.c.prompt))) if safety else made


def _derived(ledger: Ledger) -> frozenset[Asked]:
    rows: Iterator[Any] = ledger.rows(sa.select(ratings.c.assessor, ratings.c.rubric).distinct())
    return frozenset(Asked(judge, rubric) for judge, rubric in rows if judge.startswith(JUDGE))
