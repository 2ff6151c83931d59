"""The processes that the dashboard is made of. They end when this one does, even if it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from ledger.screen import say

CHILD = Path(__file__).with_name("child.py")
PATIENCE = 10.0  # seconds that a process has for ending
FIRST_REST, LONGEST_REST = 1.0, 300.0  # seconds before the counting process is started again
SETTLED = 3_600.0  # seconds after which it is taken to run well

Start = Callable[[], "subprocess.Popen[bytes]"]
Priority = Literal["normal", "idle"]


def start(
    module: str, *arguments: str, environment: Mapping[str, str], priority: Priority = "normal"
) -> subprocess.Popen[bytes]:
    """Start a module as a process. The terminal's Ctrl-C is ours: we end it in order."""
    line = [sys.executable, "-P", str(CHILD), priority, module, *arguments]
    return subprocess.Popen(
        line,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,  # `child.py` watches it
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End them: politely, and those that do not listen for certain."""
    for process in processes:
        process.terminate()
    before = time.monotonic() + PATIENCE
    for process in processes:
        try:
            process.wait(max(0.0, before - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


class Kept:
    """A process that is started again whenever it ends, after a rest that doubles with each failure in a row.

    A failure is one no more after it has run for an hour, or has ended in order.
    """

    def __init__(self, name: str, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        """Start it; ``name`` is what notices call it."""
        self._name, self._start, self._clock = name, start, clock
        self._rest = FIRST_REST
        self._again = 0.0
        self._began = clock()
        self._process: subprocess.Popen[bytes] | None = start()

    def look(self) -> None:
        """Start it again if it is time to."""
        now = self._clock()
        if self._process is None:
            if now >= self._again:
                self._began, self._process = now, self._start()
        elif self._process.poll() is not None:
            code = self._process.returncode
            if code == 0 or now - self._began > SETTLED:
                self._rest = FIRST_REST
            end(self._process)
            say(f"dashboard: {self._name} ended with {code}; it starts again in {self._rest:.0f} s")
            self._again, self._rest = now + self._rest, min(LONGEST_REST, 2 * self._rest)
            self._process = None

    @property
    def running(self) -> tuple[subprocess.Popen[bytes], ...]:
        """The process, if there is one just now."""
        return (self._process,) if self._process else ()
