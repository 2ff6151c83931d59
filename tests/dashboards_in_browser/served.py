"""The real dashboard, as its reader starts it: `wardround dashboard`, a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = "127.0.0.1"
PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Served:
    """A running dashboard."""

    url: str
    process: subprocess.Popen[str]
    launch_seconds: float  # from the process's start until it listens


@contextmanager
def served(workspace: Path, log: Path | None = None) -> Iterator[Served]:
    """Start one; it ends with the block, as by Ctrl-C. ``log`` takes what it says."""
    port = free_port()
    line = [sys.executable, "-m", "wardround", "dashboard", "--workspace", str(workspace), "--port", str(port)]
    began = time.monotonic()
    with (log or Path(os.devnull)).open("a") as said:
        process = subprocess.Popen(line, cwd=ROOT, env=_environment(), stdout=said, stderr=said, text=True)
    try:
        _wait_for(port, process)
        yield Served(f"http://{HERE}:{port}", process, time.monotonic() - began)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"the dashboard ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex((HERE, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"the dashboard does not listen after {PATIENCE} s")


def free_port() -> int:
    """A port that nobody listens on now."""
    with closing(socket.socket()) as free:
        free.bind((HERE, 0))
        return int(free.getsockname()[1])
