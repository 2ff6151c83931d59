"""A run's steps as lines of JSON, and where else they go.

A *sink* takes a step's record: a mapping of names to numbers with at least ``step``. What is not a number is written
as null. Lines are handed to the operating system one by one, so that a killed run loses none but the one that is being
written, and that one is left out when the file is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

Record = Mapping[str, Any]
Sink = Callable[[Record], None]

STEP_LOG = "steps.jsonl"
# On SQLite an append a step took 3.7 ms, 25 steps an append 0.15 ms a step, and a line of the file 0.01 ms.
LEDGER_BATCH = 25


def read_steps(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a step log, in order; none where there is no such file."""
    try:
        with path.open("rb") as file:
            return list(steps_in(file))
    except FileNotFoundError:
        return []


def steps_in(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The steps in the lines of a step log, with their ends, as long as they are whole."""
    for line in lines:
        if not line.endswith(b"\n"):
            return  # the run was killed in the middle of it
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # a crash of the machine leaves zeros
        if isinstance(record, dict) and "step" in record:
            yield record


class StepLog:
    """A sink: one flushed line a step. Close it, or use it in a ``with``."""

    def __init__(self, path: Path, after: int = 0) -> None:
        """Go on after the step of a checkpoint; later lines are of steps that will be done again, and are cut off.

        Raises:
            OSError: the folder cannot be written.
        """
        self.path = path
        self.kept = [record for record in read_steps(path) if record["step"] <= after]
        _replace(path, b"".join(map(_line, self.kept)))
        self._file: BinaryIO = path.open("ab")

    def __call__(self, record: Record) -> None:
        """Write one step."""
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        """No more steps come."""
        self._file.close()

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _line(record: Record) -> bytes:
    return orjson.dumps(dict(record), option=orjson.OPT_APPEND_NEWLINE)


def _replace(path: Path, content: bytes) -> None:
    """Give a file its content all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class LedgerSink:
    """A sink that appends steps to the ledger, some at a time: an append costs as much as hundreds of lines of a file.

    A run that was killed does some steps again, and the ledger, which forgets nothing, then holds them twice: readers
    take the last of a step's number. Steps that wait while the process is killed are in the step log alone.
    """

    def __init__(self, append: Callable[[Sequence[Record]], None], batch: int = LEDGER_BATCH) -> None:
        """``append`` is, say, ``lambda steps: workspace.log("train", "step", run=key, steps=steps)``."""
        self._append, self._batch = append, batch
        self._waiting: list[Record] = []

    def __call__(self, record: Record) -> None:
        """Take one step."""
        self._waiting.append(dict(record))
        if len(self._waiting) >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Append what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._append(waiting)
