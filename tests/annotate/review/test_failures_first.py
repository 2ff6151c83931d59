"""The safety queue asks for answers that failed a probe first, and says with what chance it drew what."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean

import pytest

from annotate.review.draws import Key
from annotate.review.queues import Reviewable, select
from ledger.records import Queue
from tests.annotate.review.contests import DRAWS, NOTHING, pushes, reviewable, unbiased


def probed(failed: int, others: int) -> list[Reviewable]:
    """Contests on safety probes, the first of them with an answer that failed, and as many that are on none."""
    probes = [reviewable(i, safety=True, failed=i < failed) for i in range(failed + others)]
    return [*probes, *(reviewable(i) for i in range(failed + others, 2 * (failed + others)))]


@pytest.mark.parametrize(
    ("size", "of_failed", "of_others"),
    [(1, 0.25, None), (3, 0.75, None), (4, 1, None), (5, 1, 1 / 6), (7, 1, 0.5), (10, 1, 1), (99, 1, 1)],
)
def test_failures_are_asked_first_and_others_fill_up(size: int, of_failed: float, of_others: float | None) -> None:
    contests = probed(failed=4, others=6)
    drawn = select(contests, NOTHING, {"safety": size}, "seed")
    assert len(drawn) == min(size, 10)
    said = {True: of_failed, False: of_others}
    assert [each.selection_probability for each in drawn] == [said[each.contest.failed] for each in drawn]
    assert sum(each.contest.failed for each in drawn) == min(size, 4)
    for each in drawn:
        assert each.why == ("failed a safety probe" if each.contest.failed else "safety probe or possible harm")


@pytest.mark.parametrize("size", [2, 6])
def test_failures_and_others_are_sent_as_often_as_said(size: int) -> None:
    contests = probed(failed=4, others=6)
    drawn = pushes(contests, {"safety": size})
    seen = Counter(each.contest.key for push in drawn for each in push)
    said = {each.contest.key: each.selection_probability for push in drawn for each in push}
    assert sum(said.values()) == pytest.approx(size)
    for contest in contests:
        p = said.get(contest.key, 0)
        assert abs(seen[contest.key] - DRAWS * p) <= 4.5 * math.sqrt(DRAWS * p * (1 - p)), contest


def test_a_queue_that_holds_all_failures_gives_an_unbiased_total() -> None:
    contests = probed(failed=4, others=6)
    y = {each.key: 10.0 * each.failed + number for number, each in enumerate(contests) if each.safety}
    sizes: dict[Queue, int] = {"random": 5, "safety": 6}
    totals = []
    for push in pushes(contests, sizes):
        before = sum(y.get(s.contest.key, 0) for s in push if s.queue == "random")
        totals.append(before + sum(y[s.contest.key] / s.selection_probability for s in push if s.queue == "safety"))
    assert unbiased(totals, sum(y.values()))


def test_failures_that_were_sent_are_not_sent_again() -> None:
    contests = probed(failed=2, others=2)
    sent: dict[Queue, set[Key]] = {"safety": {contests[0].key}}
    drawn = select(contests, sent, {"safety": 2}, "seed")
    assert [each.contest.failed for each in drawn] == [True, False]
    assert [each.selection_probability for each in drawn] == [1, 0.5]


def test_no_other_queue_looks_for_failures() -> None:
    contests = probed(failed=4, others=6)
    for queue in ("calibration", "random", "routed"):
        drawn = pushes(contests, {queue: 5}, 200)
        share = fmean(s.contest.failed for push in drawn for s in push)
        assert abs(share - 0.2) <= 4.5 * math.sqrt(0.16 / 1_000)
        assert {s.why for push in drawn for s in push}.isdisjoint({"failed a safety probe"})
