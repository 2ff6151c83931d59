"""How much memory a process has held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_rss_mib() -> float:
    """This process's largest resident memory so far, in MiB.

    On Linux as the kernel tells it of the program that runs: `getrusage` counts the process that started it, too.
    """
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024**2 if sys.platform == "darwin" else 1024)
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
