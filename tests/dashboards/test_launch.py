"""Tests of dashboards/launch.py: with a real server, on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.launch import HOST, OPTIONS, command, launch
from ledger.errors import ConfigError, InputError, LedgerError, StageError
from ledger.store import open_ledger

START = "from dashboards.launch import *; launch(Path(sys.argv[1]), int(sys.argv[2]))"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with an empty ledger."""
    (tmp_path / "wardround.toml").write_text("")
    open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}").engine.dispose()
    return tmp_path


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HOST, 0)) as server:
        yield int(server.getsockname()[1])


def fetched(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=30) as answer:
        content: bytes = answer.read()
        return content


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_it_is_interrupted(home: Path, port: int, number: signal.Signals) -> None:
    line = [sys.executable, "-c", START, str(home), str(port)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"Dashboard: http://{HOST}:{port} (end it with Ctrl-C)\n"
        assert fetched(port, "/_stcore/health") == b"ok"
        assert b"<html" in fetched(port, "/")
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(30) == 0
    assert "Dashboard ended." in rest
    assert "Traceback" not in rest
    assert free(port)


def test_it_ends_its_server(home: Path, port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """In this process, whose handlers are as they were afterwards."""
    before = signal.getsignal(signal.SIGTERM)

    def interrupt_when_up() -> None:
        while free(port):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=interrupt_when_up)
    watcher.start()
    launch(home, port)
    watcher.join()
    assert signal.getsignal(signal.SIGTERM) == before
    assert free(port)
    assert "Dashboard ended." in capfd.readouterr().err


def test_a_server_that_ends_by_itself_is_an_error(home: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIONS, "no.such.option", "1")
    with pytest.raises(StageError, match="Streamlit ended with 2"):
        launch(home, port)


def test_a_taken_port_is_one_line(home: Path, taken: int) -> None:
    with pytest.raises(InputError) as caught:
        launch(home, taken)
    assert str(caught.value) == f"dashboard: port {taken}: Address already in use -> choose another with --port"


def test_the_port_is_as_configured_by_default(home: Path, taken: int) -> None:
    (home / "wardround.toml").write_text(f"[dashboard]\nport = {taken}\n")
    with pytest.raises(InputError, match=f"port {taken}: Address already in use"):
        launch(home, None)


@pytest.mark.parametrize("port", [0, -1, 65_536, 1_000_000])
def test_no_such_port(home: Path, port: int) -> None:
    with pytest.raises(InputError, match="no such port -> choose another with --port"):
        launch(home, port)


def test_what_cannot_be_opened_is_one_line(tmp_path: Path, port: int) -> None:
    with pytest.raises(InputError, match="no such folder"):
        launch(tmp_path / "nowhere", port)
    with pytest.raises(ConfigError, match="no such configuration"):
        launch(tmp_path, port)
    (tmp_path / "wardround.toml").write_text("")
    with pytest.raises(LedgerError, match="no ledger here"):
        launch(tmp_path, port)
    (tmp_path / "ledger.db").write_text("This is not an SQLite database, however long it is made." * 20)
    with pytest.raises(LedgerError, match="not a database") as caught:
        launch(tmp_path, port)
    assert "\n" not in str(caught.value)


def test_nothing_leaves_the_machine() -> None:
    line = command(8501)
    assert f"--server.address={HOST}" in line
    assert "--browser.gatherUsageStats=false" in line
    assert "--server.fileWatcherType=none" in line
    assert "--server.allowedHosts=localhost" in line
