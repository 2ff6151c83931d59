from __future__ import annotations

import pytest

from dashboards.access import sessions
from dashboards.access.sessions import Sessions


def test_a_session_lasts_as_long_as_said() -> None:
    now = [0.0]
    kept = Sessions(60, lambda: now[0])
    token = kept.begin()
    assert kept.left(token) == 60
    now[0] = 59
    assert kept.left(token) == 1
    now[0] = 61
    assert kept.left(token) == 0


def test_a_forged_token_is_no_session() -> None:
    kept = Sessions(60)
    token = kept.begin()
    for forged in ("", "x", token[:-1], token + "x", token.swapcase(), "\udcff"):
        assert kept.left(forged) == 0
    assert kept.left(token) > 0


def test_another_start_knows_none_of_the_sessions_before() -> None:
    assert Sessions(60).left(Sessions(60).begin()) == 0


def test_logging_out_ends_one_session() -> None:
    kept = Sessions(60)
    one, other = kept.begin(), kept.begin()
    assert one != other
    kept.end(one)
    kept.end("never begun")
    assert kept.left(one) == 0
    assert kept.left(other) > 0


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    kept = Sessions(60)
    tokens = [kept.begin() for _ in range(9)]
    assert [kept.left(token) > 0 for token in tokens] == [False] * 6 + [True] * 3
