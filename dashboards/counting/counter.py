"""The process that keeps the findings current while the dashboard is open: `python -m dashboards.counting.counter`.

It is a process of its own that runs on what others leave over, and after each section rests nine times as long as it
has counted: a page never waits for a count, and a judging run beside it hardly notices.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from dashboards.counting.count import count
from dashboards.counting.kept import forget_drafts, forget_unreadable, made_folder, read_stamp
from dashboards.counting.section import Section
from dashboards.counting.sections import SECTIONS
from dashboards.counting.tries import note_fatal, resting, take_back, tries
from dashboards.prerendered.draw import draw_pages
from ledger.errors import WardroundError
from ledger.screen import say
from ledger.workspace import open_workspace

LOOK_AGAIN = 2.0  # seconds
REST = 9.0  # times what counting took


def keep_counted(root: Path, folder: Path) -> None:
    """Count whatever has changed, draw its pages beforehand, and rest, for ever.

    Raises:
        InputError: the folder cannot be made.
    """
    made_folder(folder)
    with _alone(folder):
        forget_drafts(folder)
        for section in SECTIONS:
            forget_unreadable(folder, section)
            note_fatal(folder, section)
        while True:
            for section in in_order(folder):
                awaited = read_stamp(folder, section) is None  # a page says that it waits for it
                seconds = counted(root, folder, section)
                draw_pages(folder)
                time.sleep(0 if awaited else REST * seconds)
            time.sleep(LOOK_AGAIN)


def in_order(folder: Path) -> list[Section[Any]]:
    """The sections whose turn it is, those behind whose counting came to no end."""
    due = [section for section in SECTIONS if not resting(folder, section)]
    return sorted(due, key=lambda section: tries(folder, section))


def counted(root: Path, folder: Path, section: Section[Any]) -> float:
    """Count a section if it is not current; the seconds that it took.

    A ledger or a configuration that cannot be opened just now is tried again the next time.
    """
    try:
        with open_workspace(root, create=False) as workspace:
            return count(workspace, folder, section)
    except WardroundError as error:
        say(f"dashboard: {error}")
        return LOOK_AGAIN


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other dashboard of this folder counts; it goes on if that one ends."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Count for the workspace and into the folder that the command line names, until told to end."""
    root, folder = map(Path, sys.argv[1:3])
    signal.signal(signal.SIGTERM, lambda *_: _end(folder))
    keep_counted(root, folder)


def _end(folder: Path) -> NoReturn:
    """At once: an orderly end would be told as errors by the queries under way. What is kept is replaced whole."""
    try:
        take_back(folder)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
