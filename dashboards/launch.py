"""Start the dashboard: Streamlit as a process of its own, on this machine's loopback address alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ledger.errors import InputError, StageError
from ledger.screen import say
from ledger.workspace import open_workspace

HOST = "127.0.0.1"
WORKSPACE_VARIABLE = "WARDROUND_WORKSPACE"
APP = Path(__file__).parent / "app.py"
PATIENCE = 10.0  # seconds that the server has for ending

OPTIONS = {
    "server.address": HOST,
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # a traceback goes to the terminal
    "client.showErrorLinks": "false",  # no search engine is offered the error
    "logger.hideWelcomeMessage": "true",
    "logger.level": "warning",
    "theme.light.primaryColor": "#1f6fad",
    "theme.dark.primaryColor": "#4c9bd6",
}
ALLOWED_HOSTS = (HOST, "localhost")  # no page of another name may talk to it (DNS rebinding)


def launch(workspace: Path, port: int | None) -> None:
    """Serve the dashboard until Ctrl-C.

    Raises:
        InputError: there is no such folder, or the port cannot be used.
        ConfigError: the configuration cannot be used.
        LedgerError: there is no ledger, or it does not answer.
        StageError: Streamlit ends by itself.
    """
    with open_workspace(workspace, create=False) as opened:
        chosen = opened.config.dashboard.port if port is None else port
    _check_free(chosen)
    environment = {**os.environ, WORKSPACE_VARIABLE: str(workspace.resolve())}
    with _ended_by_signals(), _served(command(chosen), environment) as server:
        if _opens(server, chosen):
            say(f"Dashboard: http://{HOST}:{chosen} (end it with Ctrl-C)")
        server.wait()
        raise StageError(f"Streamlit ended with {server.returncode}", where="dashboard", advice="see its message above")


def command(port: int) -> list[str]:
    """The command line that serves the dashboard."""
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    hosts = [f"--server.allowedHosts={host}" for host in ALLOWED_HOSTS]
    return [sys.executable, "-m", "streamlit", "run", str(APP), f"--server.port={port}", *options, *hosts]


def _check_free(port: int) -> None:
    advice = "choose another with --port"
    if not 0 < port < 65_536:
        raise InputError(f"port {port}: there is no such port", where="dashboard", advice=advice)
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed is free
            probe.bind((HOST, port))
    except OSError as error:
        raise InputError(f"port {port}: {error.strerror}", where="dashboard", advice=advice) from error


@contextmanager
def _served(line: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield server
    except KeyboardInterrupt:
        say("Dashboard ended.")
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _opens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server listens; false if it ends before."""
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return True
        time.sleep(0.1)
    return False


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the terminal's closing and a polite kill end the server too, as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
