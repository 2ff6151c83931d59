"""What a running stage shows: progress and notices on standard error, results on standard output."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.records import canonical_json

PLAIN_SECONDS = 5.0

Advance = Callable[[int], None]


def say(text: str) -> None:
    """A notice to the person who watches; never part of a command's result."""
    print(text, file=sys.stderr, flush=True)


def result(text: str, facts: object, *, as_json: bool) -> None:
    """A command's result: ``text`` for people, or ``facts`` as one line of JSON."""
    print(canonical_json(facts) if as_json else text, flush=True)


@contextmanager
def progress(label: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Show how far ``label`` has come: a bar on a terminal, else a line every few seconds."""
    if total <= 0:
        yield _ignore
    elif sys.stderr.isatty():
        with _bar(label, total, done) as advance:
            yield advance
    else:
        lines = _Lines(label, total, done)
        lines.show()
        yield lines.advance
        lines.show()


def _ignore(_steps: int) -> None:
    return


@contextmanager
def _bar(label: str, total: int, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, completed=done)
        yield lambda steps: bar.advance(task, steps)


class _Lines:
    """Progress where there is no terminal: one line now and then."""

    def __init__(self, label: str, total: int, done: int) -> None:
        self.label, self.total, self.done = label, total, done
        self.began = time.monotonic()
        self.shown = self.began

    def advance(self, steps: int) -> None:
        self.done += steps
        if time.monotonic() - self.shown >= PLAIN_SECONDS:
            self.show()

    def show(self) -> None:
        self.shown = time.monotonic()
        say(f"{self.label}: {self.done}/{self.total} ({self.shown - self.began:.0f} s)")
