"""What the pages read: findings that are kept beside the ledger, remembered for as long as they have not changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from dashboards.counting.kept import Kept, kept_file, read_kept
from dashboards.counting.section import Section
from dashboards.launch import COUNTS_VARIABLE, WORKSPACE_VARIABLE
from ledger.workspace import Workspace, open_workspace

F = TypeVar("F")
_NEWEST: dict[tuple[str, str], tuple[int, Kept[Any] | None]] = {}  # of this process, for all who look
_READING = Lock()


def root() -> Path:
    """The workspace's folder."""
    return Path(os.environ[WORKSPACE_VARIABLE])


def folder() -> Path:
    """Where the findings are kept."""
    return Path(os.environ[COUNTS_VARIABLE])


@contextmanager
def opened() -> Iterator[Workspace]:
    """The workspace, which nothing here writes to."""
    with open_workspace(root(), create=False) as workspace:
        yield workspace


def kept(section: Section[F]) -> Kept[F] | None:
    """What is kept of a section; None where it was never counted. Only the newest is held in memory."""
    place, now = (str(folder()), section.name), version(section)
    with _READING:
        known = _NEWEST.get(place)
        if known is None or known[0] != now:
            known = _NEWEST[place] = (now, read_kept(folder(), section))
        return known[1]


def version(section: Section[Any]) -> int:
    """Changes whenever what is kept of a section does."""
    try:
        return kept_file(folder(), section).stat().st_mtime_ns
    except OSError:
        return 0
