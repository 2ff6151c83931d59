from __future__ import annotations

import pytest

from dashboards.access import limits
from dashboards.access.limits import ADDRESS, ALL, Limits


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_five_tries_are_free_and_then_the_wait_doubles_up_to_15_minutes(clock: Clock) -> None:
    tried = Limits(clock)
    assert [tried.begin("192.0.2.1") for _ in range(5)] == [0.0] * 5
    waits = []
    for _ in range(13):
        waits.append(tried.begin("192.0.2.1"))
        clock.now += waits[-1]
        assert tried.begin("192.0.2.1") == 0.0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_a_try_that_has_to_wait_does_not_lengthen_the_wait(clock: Clock) -> None:
    tried = Limits(clock)
    for _ in range(7):
        clock.now += tried.begin("192.0.2.1")
        tried.begin("192.0.2.1")
    before = tried.begin("192.0.2.1")
    assert before > 0
    assert [tried.begin("192.0.2.1") for _ in range(100)] == [before] * 100
    clock.now += before / 2
    assert tried.begin("192.0.2.1") == before / 2


def test_each_address_waits_for_itself(clock: Clock) -> None:
    tried = Limits(clock)
    for _ in range(6):
        tried.begin("192.0.2.1")
    assert tried.begin("192.0.2.1") == 1.0
    assert tried.begin("192.0.2.2") == 0.0


def test_a_household_of_ipv6_is_one_address(clock: Clock) -> None:
    tried = Limits(clock)
    for last in range(5):
        assert tried.begin(f"2001:db8:1:20{last}::1") == 0.0
    assert tried.begin("2001:db8:1:200:ffff::1") == 1.0
    assert tried.begin("2001:db8:1:2ff::1") == 1.0
    assert tried.begin("2001:db8:1:300::1") == 0.0


def test_an_ipv4_address_is_the_same_within_ipv6(clock: Clock) -> None:
    tried = Limits(clock)
    for _ in range(5):
        tried.begin("::ffff:192.0.2.1")
    assert tried.begin("192.0.2.1") == 1.0
    assert tried.begin("::ffff:192.0.2.2") == 0.0


def test_success_forgives(clock: Clock) -> None:
    tried = Limits(clock)
    for _ in range(5):
        tried.begin("192.0.2.1")
    tried.succeeded("192.0.2.1")
    assert [tried.begin("192.0.2.1") for _ in range(5)] == [0.0] * 5


def test_an_hour_of_silence_forgives(clock: Clock) -> None:
    tried = Limits(clock)
    for _ in range(5):
        tried.begin("192.0.2.1")
    clock.now += ADDRESS.forget + 1
    assert [tried.begin("192.0.2.1") for _ in range(5)] == [0.0] * 5
    assert tried.begin("192.0.2.1") == 1.0


def test_many_addresses_wait_together_and_who_was_in_before_does_not(clock: Clock) -> None:
    tried = Limits(clock)
    tried.begin("192.0.2.1")
    tried.succeeded("192.0.2.1")
    for number in range(ALL.free):
        assert tried.begin(f"198.51.{number}.1") == 0.0
    waits = []
    for number in range(10):
        waits.append(tried.begin(f"203.0.{number}.1"))
        clock.now += waits[-1]
        assert tried.begin(f"203.0.{number}.2") == 0.0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert tried.begin("203.0.113.1") > 0
    assert tried.begin("192.0.2.1") == 0.0


def test_memory_stays_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_ADDRESSES", 3)
    tried = Limits(clock)
    for number in range(50):
        clock.now += 100
        tried.begin(f"192.0.2.{number}")
    assert len(tried._tries) == 3
