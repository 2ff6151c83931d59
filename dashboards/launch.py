"""Start the dashboard: a process that serves the pages, and one that counts what they show."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dashboards.access.places import is_loopback
from dashboards.access.rules import check_access
from dashboards.counting.place import counts_folder
from dashboards.processes import Kept, end, start
from ledger.config import DashboardConfig
from ledger.errors import InputError, StageError
from ledger.screen import say
from ledger.workspace import open_workspace

WORKSPACE_VARIABLE = "WARDROUND_WORKSPACE"
COUNTS_VARIABLE = "WARDROUND_DASHBOARD_COUNTS"  # the folder with what the counting process keeps
LOGIN_VARIABLE = "WARDROUND_DASHBOARD_LOGIN"  # not empty: readers have logged in, and may log out (`st.logout()`)
APP = Path(__file__).parent / "app.py"
LOOK_AGAIN = 0.2  # seconds
ALL = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104 - where to knock


def launch(workspace: Path, port: int | None) -> None:
    """Serve the dashboard until Ctrl-C.

    Raises:
        InputError: there is no such folder, or the port cannot be used.
        ConfigError: the configuration cannot be used, or others would get in without logging in.
        LedgerError: there is no ledger, or it does not answer.
        StageError: the server ends by itself.
    """
    with open_workspace(workspace, create=False) as opened:
        config = opened.config.dashboard
    if port is not None:
        config = config.model_copy(update={"port": port})
    warnings = check_access(config, workspace, os.environ)
    _check_free(config)
    for warning in warnings:
        say(warning)
    with _ended_by_signals(), counts_folder(workspace) as counts:
        _run(workspace.resolve(), counts, config)


def _run(root: Path, counts: Path, config: DashboardConfig) -> None:
    """Serve and count until interrupted."""
    environment = {WORKSPACE_VARIABLE: str(root), COUNTS_VARIABLE: str(counts)}
    server = start("dashboards.serving", str(config.port), environment=environment)
    counting: Kept | None = None
    try:
        if _opens(server, config):
            say(f"Dashboard: {_url(config)} (end it with Ctrl-C)")
        line = ("dashboards.counting.counter", str(root), str(counts))
        counting = Kept("counting", lambda: start(*line, environment=environment, priority="idle"))
        while server.poll() is None:
            counting.look()
            time.sleep(LOOK_AGAIN)
        raise StageError(
            f"the server ended with {server.returncode}", where="dashboard", advice="see its message above"
        )
    except KeyboardInterrupt:
        say("Dashboard ended.")
    finally:
        with _undisturbed():
            end(server, *(counting.running if counting else ()))


def _check_free(config: DashboardConfig) -> None:
    port, advice = config.port, "choose another with --port"
    if not 0 < port < 65_536:
        raise InputError(f"port {port}: there is no such port", where="dashboard", advice=advice)
    host = "127.0.0.1" if config.host == "localhost" else config.host
    try:
        with socket.socket(_family(host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed is free
            probe.bind((host, port))
    except socket.gaierror as error:
        advice = "name an address of this machine in [dashboard] host"
        raise InputError(f"{host}: {error.strerror}", where="dashboard", advice=advice) from error
    except OSError as error:
        if not is_loopback(host):
            advice += ", or an address of this machine in [dashboard] host"
        raise InputError(f"port {port}: {error.strerror}", where="dashboard", advice=advice) from error


def _opens(server: subprocess.Popen[bytes], config: DashboardConfig) -> bool:
    """Wait until the server listens; false if it ends before."""
    host = ALL.get(config.host, config.host)
    while server.poll() is None:
        with socket.socket(_family(host)) as probe:
            if probe.connect_ex((host, config.port)) == 0:
                return True
        time.sleep(0.05)
    return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _url(config: DashboardConfig) -> str:
    """What to open in the browser."""
    scheme = "https" if config.certificate or config.proxy else "http"
    if config.proxy and config.names:
        return f"{scheme}://{config.names[0]}"
    host = config.host if config.host not in ("0.0.0.0", "::") else socket.gethostname()  # noqa: S104
    named = config.names[0] if config.names else host
    return f"{scheme}://{f'[{named}]' if ':' in named else named}:{config.port}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the terminal's closing and a polite kill end the processes too, as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No second Ctrl-C keeps us from ending what we started."""
    with _handled(lambda _number, _frame: None, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
