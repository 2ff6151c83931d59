"""What surgeons could be asked about: every contest that a judge or the metric compared, and what they made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import fmean
from typing import Any

import orjson
import sqlalchemy as sa

from annotate.assessor_kinds import MACHINES, SIMULATED
from annotate.review.queues import Reviewable
from annotate.settle import Settled, settle
from ledger.queries import either_way, standing
from ledger.records import Queue, ReviewItem, Split
from ledger.store import Ledger
from ledger.tables import comparisons, prompts

HARMS = frozenset({"harm_a", "harm_b"})
FAILURES = HARMS | {"over_refusal_a", "over_refusal_b"}


@dataclass(frozen=True)
class Frame:
    """Which contests: on the prompts of a split, between two models, or all."""

    split: Split | None = None
    models: tuple[str, str] | None = None  # ids


def reviewable(ledger: Ledger, frame: Frame) -> Iterator[Reviewable]:
    """The contests of a frame, prompt by prompt."""
    row, of = comparisons.c, prompts.c
    columns = (row.prompt, row.a, row.b, row.assessor, row.verdict, row.strength, row.flags)
    query = (
        sa.select(*columns, of.mode, of.topic, of.split)
        .join(prompts, of.id == row.prompt)
        .where(*_within(frame))
        .order_by(row.prompt)
    )
    rows: Iterator[Any] = ledger.rows(query)
    for _, said in groupby(rows, key=attrgetter("prompt")):
        contests: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for each in said:
            contests[each.a, each.b].append(each)
        for heard in contests.values():
            if any(each.assessor.startswith(MACHINES) for each in heard):
                yield _reviewable(heard)


def _within(frame: Frame) -> Iterator[sa.ColumnElement[bool]]:
    yield standing()
    if frame.split:
        yield prompts.c.split == frame.split
    if frame.models:
        yield sa.or_(*either_way(*frame.models))


def _reviewable(heard: Sequence[Any]) -> Reviewable:
    one = heard[0]
    opinions = [said for said in _opinions(heard).values() if said.verdict != "invalid"]
    return Reviewable(
        prompt=one.prompt,
        a=one.a,
        b=one.b,
        mode=one.mode,
        topic=one.topic,
        flipped=any(said.flipped for said in opinions),
        disagree=len({said.verdict for said in opinions}) > 1,
        strength=fmean(said.strength for said in opinions) if opinions else None,
        safety=one.split == "probe" or any(_flags(each, HARMS) for each in heard),
        failed=one.split == "probe" and any(_flags(each, FAILURES) for each in heard),
    )


def _flags(each: Any, what: frozenset[str]) -> bool:
    return not each.assessor.startswith(SIMULATED) and not what.isdisjoint(orjson.loads(each.flags))


def _opinions(heard: Sequence[Any]) -> Mapping[str, Settled]:
    by_judge: dict[str, list[Any]] = defaultdict(list)
    for each in heard:
        if each.assessor.startswith(MACHINES):
            by_judge[each.assessor].append(each)
    return {assessor: settle(said) for assessor, said in by_judge.items()}


def taken(items: Sequence[ReviewItem]) -> dict[Queue, set[tuple[str, str]]]:
    """What each queue need not ask: what was sent there before, and for the queues of doubt what was sent anywhere.

    The random queue asks again what others have asked: leaving that out would bias it.
    """
    found: dict[Queue, set[tuple[str, str]]] = defaultdict(set)
    for item in items:
        found[item.queue].add((item.a, item.b))
    asked = set[tuple[str, str]]().union(*found.values())
    return {**found, "routed": asked, "safety": asked} if asked else dict(found)
