"""The rows that could not be used, kept with line and reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from ledger.errors import InputError
from ledger.records import digest
from sampling.rows import Row, Source


@contextmanager
def writable(where: Path) -> Iterator[None]:
    """Turn what the disk says into one line.

    Raises:
        InputError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}", where=where, advice="free some space, or make it writable"
        ) from error


def rejects_path(root: Path, source: Source) -> Path:
    """Where the rejected rows of a source go: always the same place, so that it shows the last import."""
    name = source.name.replace("/", "--").replace(":", "-")
    return root / "rejects" / f"{name}.{digest(source.key)[:8]}.jsonl"


class Rejects:
    """The rejects file, which appears whole or not at all, and goes when nothing is rejected any more."""

    def __init__(self, root: Path, source: Source) -> None:
        self.path = rejects_path(root, source)
        self._draft = self.path.with_suffix(".part")
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Nothing is opened before there is a row to keep."""
        return self

    def add(self, row: Row, reason: str) -> None:
        """Keep a row.

        Raises:
            InputError: the file cannot be written.
        """
        entry: dict[str, Any] = {"line": row.line, "reason": reason, "raw": row.text()}
        if not row.readable:
            entry["escaped"] = True
        with writable(self._draft):
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = self._draft.open("wb")
            self._stream.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put the file in its place, or away after an error."""
        with writable(self.path):
            if self._stream:
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._stream.close()
                if kind is None:
                    self._draft.replace(self.path)
            elif kind is None:
                self.path.unlink(missing_ok=True)
            self._draft.unlink(missing_ok=True)
