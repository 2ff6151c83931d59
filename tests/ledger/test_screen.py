from __future__ import annotations

import json
import os
import sys

import pytest

from ledger.screen import progress, result, say


def test_notices_and_results_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    say("on the way")
    result("for people", {"for": "machines"}, as_json=False)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("for people\n", "on the way\n")


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    result("for people", {"b": ["é\n"], "a": None}, as_json=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"b": ["é\n"], "a": None}


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Judging", 3, done=1) as advance:
        advance(1)
        advance(1)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["Judging: 1/3 (0 s)", "Judging: 3/3 (0 s)"]


def test_long_work_shows_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.screen.PLAIN_SECONDS", 0.0)
    with progress("Judging", 2) as advance:
        advance(1)
    assert "Judging: 1/2 (0 s)" in capsys.readouterr().err.splitlines()


def test_nothing_to_do_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Judging", 0) as advance:
        advance(1)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress("Judging", 2) as advance:
            advance(2)
        drawn = ""
        while "2/2" not in drawn:  # the bar is drawn in pieces; without it the suite's time limit ends this
            drawn += os.read(master, 65_536).decode()
    os.close(master)
    assert "Judging" in drawn
