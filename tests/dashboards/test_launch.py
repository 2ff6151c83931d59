"""Tests of dashboards/launch.py: with real processes, on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from httpx import Client
from websockets.exceptions import InvalidStatus

from dashboards import launch as launching
from dashboards.access.passwords import hashed
from dashboards.counting.kept import FOLDER
from dashboards.launch import launch
from dashboards.prerendered.kept import html_file
from ledger.errors import ConfigError, InputError, LedgerError, StageError
from ledger.store import open_ledger
from tests.dashboards.streamlit_client import shown
from tests.waiting import eventually

HERE = "127.0.0.1"
START = "import sys; from dashboards.launch import *; launch(Path(sys.argv[1]), int(sys.argv[2]))"
PASSWORD = "four words or more"
PATIENCE = 60  # seconds
PRERENDERED = 'id="prerendered"'


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
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HERE, 0)) as server:
        yield int(server.getsockname()[1])


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HERE, port)) != 0


class Launched:
    """A dashboard of its own process, that listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.process, self.stderr = process, process.stderr
        self.said = ""
        while "end it with Ctrl-C" not in self.said:
            line = self.stderr.readline()
            assert line, self.said
            self.said += line

    def children(self) -> dict[str, psutil.Process]:
        """The processes by their modules."""
        found = {}
        for each in psutil.Process(self.process.pid).children():
            try:
                line = each.cmdline()
            except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it has just ended
                continue
            found[next((name for name in ("counter", "serving") if any(name in word for word in line)), "?")] = each
        return found

    def both(self) -> list[psutil.Process]:
        """The server and the counting process."""
        return [self.child("serving"), self.child("counter")]

    def child(self, name: str, other_than: int = 0) -> psutil.Process:
        """A process, once it is there."""
        before = time.monotonic() + PATIENCE
        while time.monotonic() < before:
            found = self.children().get(name)
            if found and found.pid != other_than:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no process {name}")


@contextmanager
def launched(home: Path, port: int) -> Iterator[Launched]:
    line = [sys.executable, "-c", START, str(home), str(port)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            yield Launched(process)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def gone(*processes: psutil.Process) -> bool:
    _, alive = psutil.wait_procs(processes, PATIENCE)
    return not alive


def set_up(home: Path, *lines: str) -> None:
    (home / "wardround.toml").write_text("\n".join(["[dashboard]", *lines]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_it_is_interrupted(home: Path, port: int, number: signal.Signals) -> None:
    with launched(home, port) as dashboard:
        assert dashboard.said == f"Dashboard: http://{HERE}:{port} (end it with Ctrl-C)\n"
        with Client(base_url=f"http://{HERE}:{port}", timeout=PATIENCE) as browser:
            assert browser.get("/_stcore/health").text == "ok"
            assert "<html" in browser.get("/").text
            assert browser.get("/", headers={"host": "evil.example"}).status_code == 421
        assert "Wardround" in shown(f"http://{HERE}:{port}")
        children = dashboard.both()
        dashboard.process.send_signal(number)
        rest = dashboard.stderr.read()
        assert dashboard.process.wait(PATIENCE) == 0
        assert gone(*children)
    assert "Dashboard ended." in rest
    assert "Traceback" not in rest
    assert free(port)
    assert (home / FOLDER).stat().st_mode & 0o777 == 0o700


def test_killed_it_leaves_nothing_behind(home: Path, port: int) -> None:
    with launched(home, port) as dashboard:
        children = dashboard.both()
        dashboard.process.kill()
        assert gone(*children)
    assert free(port)


def test_a_dead_counter_is_started_again_and_takes_no_page_down(home: Path, port: int) -> None:
    with launched(home, port) as dashboard:
        counter = dashboard.child("counter")
        counter.kill()
        assert dashboard.child("counter", other_than=counter.pid).is_running()
        assert "Wardround" in shown(f"http://{HERE}:{port}")
        assert "counting ended with -9; it starts again in 1 s" in dashboard.stderr.readline()


def test_a_dead_server_is_an_error_and_leaves_no_counter_behind(home: Path, port: int) -> None:
    with launched(home, port) as dashboard:
        server, counter = dashboard.both()
        server.kill()
        rest = dashboard.stderr.read()
        assert gone(counter)
    assert "StageError: dashboard: the server ended with -9" in rest


def test_it_ends_its_processes(home: Path, port: int, capfd: pytest.CaptureFixture[str]) -> None:
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


def test_a_server_that_cannot_start_is_an_error(home: Path, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another program takes the port after it was found free."""
    monkeypatch.setattr(launching, "_check_free", lambda _config: None)
    with pytest.raises(StageError, match="the server ended with 1"):
        launch(home, taken)


def test_a_workspace_that_cannot_be_written_is_counted_elsewhere(home: Path, port: int) -> None:
    (home / "cache").write_text("a file where the folder would be")
    with launched(home, port) as dashboard:
        assert f"{home / FOLDER} cannot be written" in dashboard.said
        elsewhere = Path(dashboard.child("counter").cmdline()[-1])
        assert elsewhere.is_dir()
        assert elsewhere.stat().st_mode & 0o777 == 0o700
        assert "Wardround" in shown(f"http://{HERE}:{port}")
        dashboard.process.terminate()
        dashboard.process.wait(PATIENCE)
    assert not elsewhere.exists()


def test_beyond_this_machine_it_refuses_to_start_without_a_login(home: Path, port: int) -> None:
    set_up(home, 'host = "0.0.0.0"')
    with pytest.raises(ConfigError, match="others would reach the dashboard without logging in -> make a password"):
        launch(home, port)
    assert free(port)


def test_beyond_this_machine_the_password_is_asked_for(home: Path, port: int) -> None:
    set_up(home, 'host = "0.0.0.0"', f'password_hash = "{hashed(PASSWORD)}"', 'names = ["ward.example.org"]')
    base = f"http://{HERE}:{port}"
    with launched(home, port) as dashboard, Client(base_url=base, timeout=PATIENCE) as browser:
        assert "WARNING: without TLS" in dashboard.said
        assert f"Dashboard: http://ward.example.org:{port}" in dashboard.said
        for path in ("/_stcore/health", "/_stcore/host-config", "/static/x.js", "/media/x.csv"):
            assert browser.get(path).status_code == 401, path
        for headers in ({}, {"cookie": f"wardround-{port}=forged"}):
            with pytest.raises(InvalidStatus, match="403"):
                shown(base, **headers)
        eventually(html_file(home / FOLDER, "win_rates").exists)
        assert PRERENDERED not in browser.get("/").text
        led = browser.get("/judges?x=1", headers={"accept": "text/html"})
        assert led.headers["location"] == "/login?next=%2Fjudges%3Fx%3D1"
        form = {"password": "wrong", "next": "/judges?x=1"}
        assert browser.post("/login", data=form, headers={"origin": base}).status_code == 401
        entered = browser.post("/login", data=form | {"password": PASSWORD}, headers={"origin": base})
        assert (entered.status_code, entered.headers["location"]) == (303, "/judges?x=1")
        assert browser.get("/_stcore/health").text == "ok"
        assert "<html" in browser.get("/judges?x=1").text
        eventually(lambda: PRERENDERED in browser.get("/").text)
        cookie = f"wardround-{port}={browser.cookies[f'wardround-{port}']}"
        assert "Wardround" in shown(base, cookie)
        with pytest.raises(InvalidStatus, match="403"):
            shown(base, cookie, origin="http://evil.example")
        assert browser.get("/auth/logout").status_code == 200
        with pytest.raises(InvalidStatus, match="403"):
            shown(base, cookie)
        # However slowly this machine tries, the wait doubles until a try comes too soon.
        statuses = [browser.post("/login", data=form).status_code for _ in range(12)]
        assert statuses[:5] == [401] * 5
        assert 429 in statuses


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_over_tls(home: Path, port: int) -> None:
    made = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ward -keyout {home}/key.pem -out {home}/cert.pem"
    subprocess.run(["openssl", *made.split()], check=True, capture_output=True)
    set_up(
        home,
        *('host = "0.0.0.0"', f'password_hash = "{hashed(PASSWORD)}"'),
        *('certificate = "cert.pem"', 'certificate_key = "key.pem"'),
    )
    base = f"https://{HERE}:{port}"
    with launched(home, port) as dashboard, Client(base_url=base, verify=False, timeout=PATIENCE) as browser:
        assert "WARNING" not in dashboard.said
        assert "Dashboard: https://" in dashboard.said
        entered = browser.post("/login", data={"password": PASSWORD}, headers={"origin": base})
        assert re.match(rf"__Host-wardround-{port}=.*; Secure$", entered.headers["set-cookie"])
        cookie = f"__Host-wardround-{port}={browser.cookies[f'__Host-wardround-{port}']}"
        assert "Wardround" in shown(base, cookie)


def test_a_taken_port_is_one_line(home: Path, taken: int) -> None:
    with pytest.raises(InputError) as caught:
        launch(home, taken)
    assert str(caught.value) == f"dashboard: port {taken}: Address already in use -> choose another with --port"


def test_the_port_is_as_configured_by_default(home: Path, taken: int) -> None:
    set_up(home, f"port = {taken}")
    with pytest.raises(InputError, match=f"port {taken}: Address already in use"):
        launch(home, None)


@pytest.mark.parametrize("port", [0, -1, 65_536, 1_000_000])
def test_no_such_port(home: Path, port: int) -> None:
    with pytest.raises(InputError, match="no such port -> choose another with --port"):
        launch(home, port)


def test_another_machines_address_cannot_be_listened_on(home: Path, port: int) -> None:
    set_up(home, 'host = "192.0.2.1"', f'password_hash = "{hashed(PASSWORD)}"')
    with pytest.raises(InputError, match=r"Cannot assign requested address -> .*\[dashboard\] host"):
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
