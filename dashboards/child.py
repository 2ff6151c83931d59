"""Run a module as a process that ends with the one that started it: `python -P child.py PRIORITY MODULE ARGUMENTS`.

Its standard input is a pipe that the starter holds open. When that one ends, however it does, the system closes the
pipe, and this process ends too. It is run as a file, so that nothing is imported from the current folder.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

PATIENCE = 5.0  # seconds for ending in order
LOWEST = 19


def main() -> None:
    """Run the module that the command line names."""
    _find_rooms()
    priority, module, *arguments = sys.argv[1:]
    if priority == "idle":
        _only_when_idle()
    threading.Thread(target=_end_with_starter, daemon=True, name="starter").start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _only_when_idle() -> None:
    """Run on what others leave over. The lowest niceness alone would still take turns with them."""
    os.nice(LOWEST)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _find_rooms() -> None:
    """Import from where this file lies, even if another copy is installed; but after Python's own library."""
    rooms = str(Path(__file__).resolve().parents[1])
    if rooms not in sys.path:
        installed = (at for at, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages")))
        sys.path.insert(next(installed, len(sys.path)), rooms)


def _end_with_starter() -> None:
    while os.read(0, 1_024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    main()
