"""How far surgeons have come with what was sent to them, all of them together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.assessor_kinds import SURGEON
from annotate.review.answers import SKIPPED, on_the_item
from annotate.review.dataset import overlap
from annotate.review.surgeons import read_surgeons
from dashboards.findings.periods import Unit, day_of, start_of, unit_of
from ledger.codec import from_row
from ledger.errors import ConfigError
from ledger.queries import utc
from ledger.records import Comparison, Queue, ReviewItem
from ledger.store import Ledger
from ledger.tables import comparisons, review_items
from ledger.workspace import Workspace

QUEUES: tuple[Queue, ...] = ("calibration", "random", "routed", "safety", "adjudicate")
LEAST_TOLD = 10  # ratings whose seconds are known, below which the configured pace says more
SEVERAL = 2  # surgeons, below whom a pace would be one person's
DAYS = 31  # bars


@dataclass(frozen=True)
class Rating:
    """One surgeon's last words on one item; who it was is known to nobody beyond this file."""

    item: str
    day: int  # on which the first answer was pulled, since the epoch
    seconds: float  # 0: not known
    skipped: bool


@dataclass(frozen=True)
class Ratings:
    """What was sent, and what came back."""

    items: Mapping[str, ReviewItem]
    sent: Mapping[str, int]  # item -> when it was written down, Unix milliseconds
    ratings: Sequence[Rating]
    surgeons: int  # who have answered
    expected: int  # who are to
    wanted: Mapping[Queue, int]  # ratings an item


@dataclass(frozen=True)
class Progress:
    """One queue.

    Attributes:
        items: sent, hidden repeats apart
        repeats: hidden repeats
        wanted: ratings that each item is to have
        by_ratings: how many items have 0, 1, 2, ... ratings, hidden repeats apart
        done: items with as many as wanted
        ratings: on all of them, repeats too
        skipped: answers that were left out by a surgeon
        open: ratings that are still wanted, repeats too
        oldest: when the oldest item without any rating was sent, UTC; None where each has one
        oldest_prompt: its question
    """

    queue: str
    items: int
    repeats: int
    wanted: int
    by_ratings: tuple[int, ...]
    done: int
    ratings: int
    skipped: int
    open: int
    oldest: str | None
    oldest_prompt: str | None


@dataclass(frozen=True)
class Daily:
    """Ratings that were pulled in one period, by queue."""

    start: str  # first day, ISO 8601
    unit: Unit
    queue: str
    ratings: int


@dataclass(frozen=True)
class Time:
    """Surgeons' minutes, all together.

    Attributes:
        spent: known, and by the configured pace where not known
        told: ratings whose time is known
        untold: others
        pace: seconds a rating that the rest is reckoned with
        measured: the pace is the mean of what was told, and not the configured one
        open: ratings that are still wanted
        needed: minutes for them
    """

    spent: float = 0.0
    told: int = 0
    untold: int = 0
    pace: float = 0.0
    measured: bool = False
    open: int = 0
    needed: float = 0.0


def ratings_in(workspace: Workspace) -> Ratings:
    """Read the items and what surgeons said of them."""
    ledger = workspace.ledger
    items, sent = {}, {}
    for row in ledger.rows(sa.select(review_items).order_by(review_items.c.row)):
        item = from_row(ReviewItem, row._mapping)
        items[item.id], sent[item.id] = item, row.at
    ratings, surgeons = _said(ledger, items)
    config = workspace.config.review
    expected = _expected(workspace, surgeons, max(config.overlap_random, config.overlap_routed, config.overlap_safety))
    wanted = {queue: overlap(queue, config, expected) for queue in QUEUES}
    return Ratings(items, sent, ratings, surgeons, expected, wanted)


def _said(ledger: Ledger, items: Mapping[str, ReviewItem]) -> tuple[list[Rating], int]:
    """The last words of each surgeon on each item, dated by the first; and how many surgeons these are."""
    row = comparisons.c
    query = sa.select(comparisons).where(row.assessor.startswith(SURGEON), row.item.is_not(None)).order_by(row.row)
    days: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], Comparison] = {}
    for found in ledger.rows(query):
        said = from_row(Comparison, found._mapping)
        item = items.get(said.item or "")
        if item is not None and on_the_item(said, item):
            key = item.id, said.assessor
            days.setdefault(key, day_of(found.at))
            last[key] = said
    ratings = [Rating(key[0], days[key], said.seconds, said.cause == SKIPPED) for key, said in last.items()]
    return ratings, len({assessor for _, assessor in last})


def _expected(workspace: Workspace, answered: int, wanted: int) -> int:
    """How many surgeons are active; without their file, as many as have answered, or as an item wants."""
    try:
        return sum(each.active for each in read_surgeons(workspace.root)) or max(answered, wanted)
    except ConfigError:
        return max(answered, wanted)


def progress(found: Ratings) -> tuple[Progress, ...]:
    """Each queue that anything was sent to."""
    queues = {item.queue for item in found.items.values()}
    return tuple(_queue(found, queue) for queue in QUEUES if queue in queues)


def _queue(found: Ratings, queue: Queue) -> Progress:
    members = [item for item in found.items.values() if item.queue == queue]
    first = [item for item in members if not item.repeat_of]
    given = Counter(each.item for each in found.ratings if not each.skipped)
    ids, wanted = {item.id for item in members}, found.wanted[queue]
    counts = Counter(given[item.id] for item in first)
    waiting = min((item for item in first if not given[item.id]), key=lambda each: found.sent[each.id], default=None)
    return Progress(
        queue=queue,
        items=len(first),
        repeats=len(members) - len(first),
        wanted=wanted,
        by_ratings=tuple(counts[number] for number in range(max(counts, default=0) + 1)),
        done=sum(given[item.id] >= wanted for item in first),
        ratings=sum(given[each] for each in ids),
        skipped=sum(each.skipped and each.item in ids for each in found.ratings),
        open=sum(max(0, wanted - given[each]) for each in ids),
        oldest=None if waiting is None else utc(found.sent[waiting.id]),
        oldest_prompt=None if waiting is None else waiting.prompt,
    )


def daily(found: Ratings) -> tuple[Daily, ...]:
    """Ratings by day, or by week or month where the days are many; the earliest first."""
    given = [each for each in found.ratings if not each.skipped]
    unit = unit_of({each.day for each in given}, DAYS)
    counted: dict[tuple[str, Queue], int] = defaultdict(int)
    for each in given:
        counted[start_of(each.day, unit), found.items[each.item].queue] += 1
    return tuple(Daily(start, unit, queue, n) for (start, queue), n in sorted(counted.items()))


def time_spent(found: Ratings, queues: Sequence[Progress], configured: float) -> Time:
    """What surgeons spent, and what the open ratings need. No pace is told where it would be one person's."""
    told = [each.seconds for each in found.ratings if each.seconds > 0]
    untold = len(found.ratings) - len(told)
    measured = len(told) >= LEAST_TOLD and found.surgeons >= SEVERAL
    pace = sum(told) / len(told) if measured else configured
    left = sum(each.open for each in queues)
    spent = (sum(told) + untold * configured) / 60
    return Time(spent, len(told), untold, pace, measured, left, left * pace / 60)
