"""Tests of dashboards/findings/reviewing.py and of what it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from annotate.review.answers import SKIPPED
from annotate.review.surgeons import SURGEONS_FILE
from dashboards.findings.reviewing import Reviewing, find_reviewing
from ledger.records import LogEntry, ReviewItem
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import contests, on_day, rated, sent

pytestmark = pytest.mark.usefixtures("two_surgeons")


def test_nothing_sent(ward: Workspace) -> None:
    assert find_reviewing(ward) == Reviewing()
    contests(ward.ledger, range(3))
    found = find_reviewing(ward)
    assert (found.queues, found.agreed) == ((), None)
    assert found.planned is not None
    assert found.planned.measured == 0


def test_sent_and_none_answered(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    with on_day(0):
        sent(ward.ledger, made[:6])
    with on_day(2):
        sent(ward.ledger, made[6:], "routed", 2)
    found = find_reviewing(ward)
    assert [(each.queue, each.items, each.wanted, each.by_ratings, each.done, each.open) for each in found.queues] == [
        ("random", 6, 2, (6,), 0, 12),
        ("routed", 4, 1, (4,), 0, 4),
    ]
    assert [each.oldest for each in found.queues] == ["2024-10-04T08:00:00+00:00", "2024-10-06T08:00:00+00:00"]
    assert (found.surgeons, found.expected, found.agreed, found.days, found.unsettled) == (0, 2, None, (), ())
    assert (found.time.open, found.time.measured, found.time.needed) == (16, False, 16)


def test_overlap_pace_and_time(ward: Workspace) -> None:
    """Of 12 items one surgeon rates 10 at 30 s, the other 6 at 90 s; two without a known time."""
    with on_day(0):
        items = sent(ward.ledger, contests(ward.ledger, range(12)))
    with on_day(1):
        rated(ward.ledger, items[:8], "s1", seconds=30.0)
        rated(ward.ledger, items[8:10], "s1", seconds=0.0)
    with on_day(2):
        rated(ward.ledger, items[:6], "s2", seconds=90.0)
    found = find_reviewing(ward)
    (queue,) = found.queues
    assert (queue.by_ratings, queue.done, queue.ratings, queue.open) == ((2, 4, 6), 6, 16, 8)
    assert queue.oldest_prompt == items[10].prompt
    assert [(each.start, each.queue, each.ratings) for each in found.days] == [
        ("2024-10-05", "random", 10),
        ("2024-10-06", "random", 6),
    ]
    pace = (8 * 30 + 6 * 90) / 14
    assert (found.time.told, found.time.untold, found.time.measured) == (14, 2, True)
    assert found.time.pace == pytest.approx(pace)
    assert found.time.spent == pytest.approx((8 * 30 + 6 * 90 + 2 * 60) / 60)
    assert found.time.needed == pytest.approx(8 * pace / 60)
    assert found.agreed is not None
    assert (found.agreed.overall.raw.estimate, found.agreed.overall.raw.n_items) == (1.0, 6)


def test_one_surgeons_pace_is_nobodys_business(ward: Workspace) -> None:
    rated(ward.ledger, sent(ward.ledger, contests(ward.ledger, range(12))), "s1", seconds=10.0)
    found = find_reviewing(ward)
    assert (found.surgeons, found.time.pace, found.time.measured) == (1, 60, False)
    assert found.agreed is not None
    assert found.agreed.overall.raw.estimate is None


def test_a_changed_answer_is_one_rating_and_a_skipped_one_none(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(3)))
    with on_day(1):
        (first,) = rated(ward.ledger, items[:1], "s1")
    with on_day(5):
        ward.ledger.append([replace(first, verdict="b", strength=0.25, supersedes=first.id)])
        (skipped,) = rated(ward.ledger, items[1:2], "s1", "invalid")
        ward.ledger.append([replace(skipped, cause=SKIPPED, supersedes=skipped.id)])
    (queue,) = find_reviewing(ward).queues
    assert (queue.by_ratings, queue.ratings, queue.skipped) == ((2, 1), 1, 1)
    assert [each.start for each in find_reviewing(ward).days] == ["2024-10-05"]


def test_repeats_are_counted_apart(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(2)), "calibration")
    again = replace(items[0], order="ba", repeat_of=items[0].id)
    ward.ledger.append([again])
    for who in ("s1", "s2"):
        rated(ward.ledger, [*items, again], who)
    found = find_reviewing(ward)
    (queue,) = found.queues
    assert (queue.items, queue.repeats, queue.by_ratings, queue.ratings, queue.open) == (2, 1, (0, 0, 2), 6, 0)
    assert found.agreed is not None
    assert (found.agreed.repeats.raw.estimate, found.agreed.repeats.raw.n_items) == (1.0, 2)


def test_disagreements_and_their_state(ward: Workspace) -> None:
    made = contests(ward.ledger, range(4))
    items = sent(ward.ledger, made)
    rated(ward.ledger, items, "s1", "a")
    rated(ward.ledger, items[:3], "s2", "b")
    third: list[ReviewItem] = sent(ward.ledger, made[:2], "adjudicate", 2)
    rated(ward.ledger, third[:1], "s1", "a")
    found = find_reviewing(ward)
    assert found.n_unsettled == {"to send": 1, "sent": 1, "settled": 1}
    assert [(each.question, each.state, each.about) for each in found.unsettled] == [
        ("Question 2?", "to send", ("preference",)),
        ("Question 1?", "sent", ("preference",)),
        ("Question 0?", "settled", ("preference",)),
    ]
    assert found.unsettled[0].prompt == made[2].prompt.id


def test_without_a_file_of_surgeons(ward: Workspace) -> None:
    (ward.root / SURGEONS_FILE).unlink()
    items = sent(ward.ledger, contests(ward.ledger, range(2)))
    assert find_reviewing(ward).expected == 2  # what [review] wants of an item
    for who in "123":
        rated(ward.ledger, items, who)
    assert find_reviewing(ward).expected == 3


def test_nobody_is_named_and_nothing_written(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(12)))
    for who in ("s1", "s2"):
        rated(ward.ledger, items, who, "a" if who == "s1" else "b")
    before = ward.ledger.count(LogEntry)
    found, form = find_reviewing(ward), TypeAdapter(Reviewing)
    written = form.dump_json(found)
    assert ward.ledger.count(LogEntry) == before
    assert form.validate_json(written) == found
    for name in (b"surgeon:", b'"s1"', b'"s2"', b"NaN"):
        assert name not in written
