from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from dashboards.access.passwords import matches
from dashboards.cli import dashboard
from ledger.config import parse_config
from ledger.errors import InputError

PASSWORD = "four words or more"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    given = iter(lines)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(given))


def made(capsys: pytest.CaptureFixture[str]) -> str:
    """The hash that was printed, as the configuration reads it."""
    printed, said = capsys.readouterr()
    assert PASSWORD not in printed + said
    assert "[dashboard]" in said
    return parse_config(f"[dashboard]\n{printed}").dashboard.password_hash


def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed(monkeypatch, PASSWORD, PASSWORD)
    dashboard(set_password=True)
    assert matches(PASSWORD, made(capsys))


def test_two_that_differ_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD, PASSWORD + "s")
    with pytest.raises(InputError, match="the two differ"):
        dashboard(set_password=True)


@pytest.mark.parametrize("line", [PASSWORD, PASSWORD + "\n", PASSWORD + "\r\nmore\n"])
def test_where_nobody_can_be_asked_one_line_is_read(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(line))
    dashboard(Path("no/such/workspace"), set_password=True)
    assert matches(PASSWORD, made(capsys))


def test_a_short_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    with pytest.raises(InputError, match="fewer than 12"):
        dashboard(set_password=True)
