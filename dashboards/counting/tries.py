"""Tries at counting a section that came to no end: a file says how many, and outlives a process that is killed.

A section that is too large for the memory kills who counts it, each time. After the second time in a row its page says
so, and it is tried only now and then, behind the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboards.counting.kept import Kept, Source, Stamp, keep, read_kept, replace_file
from dashboards.counting.section import Section
from ledger.errors import StageError

SUFFIX = ".tries"
FATAL = 2  # tries: one alone may have been ended with the dashboard
FIRST_REST, LONGEST_REST = 900.0, 21_600.0  # seconds from a fatal try to the next


def tries(folder: Path, section: Section[Any]) -> int:
    """How often counting a section was begun in a row and came to no end; the one under way counts."""
    return _read(_file(folder, section))[0]


@contextmanager
def tried(folder: Path, section: Section[Any]) -> Iterator[None]:
    """Count a section in here; only a process that is killed leaves word of it behind."""
    file = _file(folder, section)
    _write(file, tries(folder, section) + 1)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def take_back(folder: Path) -> None:
    """What this process has under way is not a try: it is told to end."""
    for file in folder.glob(f"*{SUFFIX}"):
        n, pid = _read(file)
        if pid == os.getpid():
            _write(file, n - 1)


def resting(folder: Path, section: Section[Any]) -> bool:
    """Is it too soon to try again what was fatal? The rest doubles with each try."""
    file = _file(folder, section)
    n, _ = _read(file)
    if n < FATAL:
        return False
    try:
        since = time.time() - file.stat().st_mtime
    except OSError:  # a report has just counted it
        return False
    return 0 <= since < min(LONGEST_REST, FIRST_REST * 2.0 ** min(n - FATAL, 10))


def note_fatal(folder: Path, section: Section[Any]) -> None:
    """Where counting a section was fatal, keep that as its problem, beside what was found before."""
    n = tries(folder, section)
    if n < FATAL:
        return
    problem = StageError(
        f"counting it was killed {n} times in a row, perhaps for lack of memory",
        where=f"dashboard: {section.name}",
        advice="end other programs or use a machine with more memory; it is tried again now and then",
    )
    kept = read_kept(folder, section) or Kept(Stamp(Source((), "", ""), time.time(), 0.0), None)
    outdated = replace(kept.stamp.source, code="")
    keep(folder, section, Kept(replace(kept.stamp, source=outdated, problem=str(problem)), kept.findings))


def _file(folder: Path, section: Section[Any]) -> Path:
    return folder / f"{section.name}{SUFFIX}"


def _read(file: Path) -> tuple[int, int]:
    """The number of tries, and the process that made the last one; zeros where there is nothing to read."""
    try:
        n, pid = map(int, file.read_text().split())
    except (OSError, ValueError):
        return 0, 0
    return n, pid


def _write(file: Path, n: int) -> None:
    if n:
        replace_file(file, f"{n} {os.getpid()}".encode())
    else:
        file.unlink(missing_ok=True)
