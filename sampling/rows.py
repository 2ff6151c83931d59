"""One row of whatever file, and lines of text files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import InputError

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its columns, or why it has none (``fault``)."""

    line: int  # from 1: the line it begins on; in a table, the row
    values: Mapping[str, Any]
    raw: bytes | None = None  # as it stands in the file, where that is text
    fault: str = ""

    @property
    def readable(self) -> bool:
        """Is ``raw`` UTF-8?"""
        try:
            (self.raw or b"").decode()
        except UnicodeDecodeError:
            return False
        return True

    def text(self) -> str:
        r"""The row as text, nothing lost: if it is not UTF-8, ``\xNN`` for such a byte and ``\\`` for a backslash."""
        if self.raw is None:
            return orjson.dumps(dict(self.values), _plain, orjson.OPT_NON_STR_KEYS).decode()
        if self.readable:
            return self.raw.decode()
        return self.raw.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def _plain(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Source:
    """A file of rows that can be read more than once."""

    name: str  # for people
    key: str  # tells it apart from others of the same name
    columns: tuple[str, ...]
    total: int  # lines, or rows of a table
    rows: Callable[[], Iterator[Row]]


@contextmanager
def readable(where: object) -> Iterator[None]:
    """Turn what the disk says into one line.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or error}", where=where, advice="check the path and its permissions"
        ) from error


def count_lines(path: Path) -> int:
    """How many lines a file has; the last may lack its end."""
    lines, last = 0, b"\n"
    with readable(path), path.open("rb") as stream:
        while block := stream.read(BLOCK):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")
