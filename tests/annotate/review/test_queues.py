"""Which contests are sent to which queue of surgeons, and with what chance."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.review.draws import Key
from annotate.review.queues import LEAST_DOUBT, ORDER, Reviewable, Selected, repeats_of, select, sizes_of
from ledger.config import ReviewConfig
from ledger.records import Queue
from tests.annotate.review.contests import DRAWS, NOTHING, mixed, pushes, reviewable, unbiased


@pytest.fixture(scope="module")
def many() -> list[list[Selected]]:
    """Pushes that fill every queue from the same 40 contests."""
    return pushes(mixed(40), {"calibration": 5, "random": 8, "safety": 3, "routed": 8})


sizes_drawn = st.fixed_dictionaries({queue: st.integers(0, 12) for queue in ORDER})
known = st.builds(
    lambda i, flipped, disagree, strength, safety: reviewable(
        i, flipped=flipped, disagree=disagree, strength=strength, safety=safety
    ),
    st.integers(0, 40),
    st.booleans(),
    st.booleans(),
    st.none() | st.floats(0, 1),
    st.booleans(),
)
contests_drawn = st.lists(known, max_size=30, unique_by=lambda each: each.key)


@given(contests_drawn, sizes_drawn, st.sets(st.integers(0, 40)), st.sampled_from(ORDER))
def test_each_queue_gets_its_size_or_all_there_is_and_nothing_twice(
    contests: list[Reviewable], sizes: dict[Queue, int], before: set[int], queue: Queue
) -> None:
    taken: dict[Queue, set[Key]] = {queue: {(f"a{i}", f"b{i}") for i in before}}
    selected = select(contests, taken, sizes, "seed")
    drawn = {each: [s.contest.key for s in selected if s.queue == each] for each in ORDER}
    assert len({s.contest.key for s in selected}) == len(selected)
    assert not set(drawn[queue]) & taken[queue]
    assert all(0 < s.selection_probability <= 1 for s in selected)
    earlier: set[Key] = set()
    for each in ORDER:
        could = {c.key for c in contests if each != "safety" or c.safety} - earlier - taken.get(each, set())
        if each == "calibration" and taken.get(each):
            could = set()
        assert set(drawn[each]) <= could
        assert len(drawn[each]) == min(sizes[each], len(could))
        earlier |= set(drawn[each])


def test_every_contest_is_sent_as_often_as_said() -> None:
    contests = mixed(12)
    for queue in ORDER:
        drawn = pushes(contests, {queue: 2})
        seen = Counter(each.contest.key for push in drawn for each in push)
        said = {each.contest.key: each.selection_probability for push in drawn for each in push}
        assert sum(said.values()) == pytest.approx(2)
        for contest in contests:
            p = said.get(contest.key, 0)
            assert abs(seen[contest.key] - DRAWS * p) <= 4.5 * math.sqrt(DRAWS * p * (1 - p)), (queue, contest)


def test_doubt_decides_how_likely_a_contest_is_routed() -> None:
    contests = [
        reviewable(1, flipped=True, strength=0.99),
        reviewable(2, disagree=True, strength=0.01),
        reviewable(3, strength=None),
        reviewable(4, strength=0.5),
        reviewable(5, strength=0.75),
        reviewable(6, strength=0.1),
        reviewable(7, strength=1.0),
        reviewable(8, strength=0.0),
    ]
    expected = [1, 1, 1, 1, 0.5, 0.2, LEAST_DOUBT, LEAST_DOUBT]
    assert [each.doubt for each in contests] == pytest.approx(expected)
    said = {s.contest.prompt: s.selection_probability for push in pushes(contests, {"routed": 1}, 400) for s in push}
    assert said == pytest.approx({f"p{i}": doubt / sum(expected) for i, doubt in enumerate(expected, start=1)})


def test_the_reason_is_said_in_plain_words() -> None:
    contests = {
        "judge flipped": reviewable(1, flipped=True),
        "judges disagree": reviewable(2, disagree=True),
        "judge flipped, judges disagree": reviewable(3, flipped=True, disagree=True),
        "not judged": reviewable(4, strength=None),
        "low strength": reviewable(5, strength=0.6),
        "spot check of a clear verdict": reviewable(6, strength=0.95),
    }
    routed = {s.contest: s.why for s in select(list(contests.values()), NOTHING, {"routed": 6}, "seed")}
    assert routed == {contest: why for why, contest in contests.items()}
    one = [reviewable(1, safety=True)]
    assert [select(one, NOTHING, {queue: 1}, "seed")[0].why for queue in ("calibration", "random", "safety")] == [
        "rated by everyone",
        "random sample",
        "safety probe or possible harm",
    ]


def test_routing_gives_an_unbiased_mean_though_it_prefers_doubt() -> None:
    contests = mixed(40)
    y = {each.key: each.doubt**2 + (3 if each.flipped else 0) for each in contests}  # what doubt goes along with
    drawn = pushes(contests, {"routed": 8})
    weighted = [sum(y[s.contest.key] / s.selection_probability for s in push) / 40 for push in drawn]
    plain = [fmean(y[s.contest.key] for s in push) for push in drawn]
    assert unbiased(weighted, fmean(y.values()))
    assert not unbiased(plain, fmean(y.values()))  # the test would see a wrong weight


def test_the_random_queue_has_an_unbiased_mean_beside_the_other_queues(many: list[list[Selected]]) -> None:
    y = {each.key: float(each.safety) + each.doubt for each in mixed(40)}
    means = [fmean(y[s.contest.key] for s in push if s.queue == "random") for push in many]
    assert unbiased(means, fmean(y.values()))


@pytest.mark.parametrize("queue", ["random", "safety", "routed"])
def test_a_queue_with_what_was_drawn_before_it_gives_an_unbiased_total(
    queue: Queue, many: list[list[Selected]]
) -> None:
    contests = mixed(40)
    frame = {each.key for each in contests if queue != "safety" or each.safety}
    y = {each.key: float(each.safety) + each.doubt for each in contests}
    before = ORDER[: ORDER.index(queue)]
    totals = []
    for push in many:
        own = sum(y[s.contest.key] / s.selection_probability for s in push if s.queue == queue)
        totals.append(own + sum(y[s.contest.key] for s in push if s.queue in before and s.contest.key in frame))
    assert unbiased(totals, sum(y[key] for key in frame))


def test_a_push_computed_twice_is_the_same_and_the_next_is_another() -> None:
    contests = mixed(60)
    sizes: dict[Queue, int] = dict.fromkeys(ORDER, 5)
    once = select(contests, NOTHING, sizes, "0, push 1")
    assert select(contests[::-1], NOTHING, sizes, "0, push 1") == once
    assert select(contests, NOTHING, sizes, "0, push 2") != once


def test_queues_are_drawn_independently() -> None:
    contests = [reviewable(i, safety=True) for i in range(20)]
    first = {queue: select(contests, NOTHING, {queue: 20}, "seed") for queue in ("random", "safety")}
    assert [s.contest for s in first["random"]] != [s.contest for s in first["safety"]]


def test_a_contest_may_come_again_in_another_queue_of_a_later_push() -> None:
    one = [reviewable(1)]
    sent: dict[Queue, set[Key]] = {"random": {("a1", "b1")}}
    assert select(one, sent, {"random": 1}, "seed") == []
    assert [each.queue for each in select(one, sent, {"random": 1, "routed": 1}, "seed")] == ["routed"]


def test_calibration_is_sent_once_only() -> None:
    contests = mixed(10)
    assert len(select(contests, NOTHING, {"calibration": 3}, "seed")) == 3
    assert select(contests, {"calibration": {("x", "y")}}, {"calibration": 3}, "seed") == []


def test_a_contest_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        select([reviewable(1), reviewable(1, flipped=True)], NOTHING, {}, "seed")


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan])
def test_a_strength_is_a_probability(strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        reviewable(1, strength=strength)


def test_answers_are_in_canonical_order() -> None:
    with pytest.raises(ValueError, match="order"):
        Reviewable("p", "b", "a", "exam", "", False, False, None, False)


def test_the_minutes_buy_what_the_configuration_says() -> None:
    config = ReviewConfig()  # 120 ratings: half of them at 2 an item, 0.35 at 1, 0.15 at 2
    assert sizes_of(config, 3, first=False) == {"calibration": 0, "random": 30, "safety": 9, "routed": 42}
    # 3 surgeons rate 10 + 2 items: 84 are left.
    assert sizes_of(config, 3, first=True) == {"calibration": 10, "random": 21, "safety": 6, "routed": 29}


def test_rounding_costs_no_item() -> None:
    config = ReviewConfig(minutes=100, random=0.29, routed=0.56, safety=0.15, overlap_random=1)
    assert 100 * 0.29 < 29
    assert sizes_of(config, 3, first=False)["random"] == 29


def test_one_surgeon_cannot_overlap_and_none_rates_nothing() -> None:
    assert sizes_of(ReviewConfig(), 1, first=False) == {"calibration": 0, "random": 60, "safety": 18, "routed": 42}
    assert sizes_of(ReviewConfig(), 0, first=True) == dict.fromkeys(ORDER, 0)


def test_calibration_takes_no_more_than_the_minutes() -> None:
    config = ReviewConfig(minutes=10, calibration=20, repeats=0.5)
    assert sizes_of(config, 2, first=True) == {"calibration": 3, "random": 0, "safety": 0, "routed": 0}
    assert sizes_of(config, 20, first=True)["calibration"] == 0


settings_drawn = st.builds(
    lambda minutes, seconds, random, safety, overlaps, calibration, repeats: ReviewConfig(
        minutes=minutes,
        seconds_per_rating=seconds,
        random=random,
        routed=(1 - random) * (1 - safety),
        safety=(1 - random) * safety,
        overlap_random=overlaps[0],
        overlap_routed=overlaps[1],
        overlap_safety=overlaps[2],
        calibration=calibration,
        repeats=repeats,
    ),
    st.integers(1, 600),
    st.integers(1, 300),
    st.floats(0, 1),
    st.floats(0, 1),
    st.tuples(*[st.integers(1, 5)] * 3),
    st.integers(0, 30),
    st.floats(0, 1),
)


@given(settings_drawn, st.integers(0, 12), st.booleans())
def test_the_minutes_are_used_and_never_overspent(config: ReviewConfig, surgeons: int, first: bool) -> None:
    sizes = sizes_of(config, surgeons, first)
    assert min(sizes.values()) >= 0
    assert sizes["calibration"] <= config.calibration * first
    overlaps = {
        "random": config.overlap_random,
        "safety": config.overlap_safety,
        "routed": config.overlap_routed,
        "calibration": surgeons,
    }
    each = {queue: min(overlap, surgeons) for queue, overlap in overlaps.items()}
    cost = sum(sizes[queue] * each[queue] for queue in ORDER)
    cost += surgeons * repeats_of(sizes["calibration"], config.repeats)
    ratings = config.minutes * 60 // config.seconds_per_rating
    assert cost <= ratings
    if surgeons:
        assert ratings - cost < each["random"] + each["safety"] + each["routed"]  # less than an item of each is left


@pytest.mark.parametrize(("items", "share", "again"), [(10, 0.2, 2), (10, 0, 0), (3, 0.1, 1), (0, 0.5, 0), (4, 1, 4)])
def test_a_share_of_the_calibration_items_is_repeated(items: int, share: float, again: int) -> None:
    assert repeats_of(items, share) == again


@pytest.mark.parametrize(
    ("known", "confidence", "doubt"),
    [
        ({}, 0.9, pytest.approx(0.2)),
        ({"strength": 0.1}, 0.9, pytest.approx(0.2)),
        ({"certified": True}, 0.9, LEAST_DOUBT),
        ({"strength": 0.5}, None, 1.0),
        ({"strength": None}, None, 1.0),
        ({"flipped": True}, None, 1.0),
        ({"disagree": True}, None, 1.0),
    ],
)
def test_what_a_judge_may_decide_alone_is_a_spot_check(
    known: dict[str, Any], confidence: float | None, doubt: float
) -> None:
    contest = reviewable(1, **known)
    assert contest.confidence == confidence if confidence else math.isnan(contest.confidence)
    assert contest.doubt == doubt
