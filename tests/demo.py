"""The demo, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("wardround")
PATIENCE = 900  # seconds; it takes a few minutes
KEPT = os.environ.get("WARDROUND_TEST_DEMO", "")  # where a demo is, or is to be, that several runs of tests share


def demo_folder(otherwise: Path) -> Path:
    """Where the demo is to be run; where it was run already, it ends in seconds."""
    return Path(KEPT) if KEPT else otherwise


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a workspace, which it makes where there is none."""
    done = subprocess.run(
        [str(PROGRAM), "demo", "--workspace", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # which slows it
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done
