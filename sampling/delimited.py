"""CSV files, read so that one bad row costs one row: a quote that is never closed does not swallow the rest."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.errors import InputError
from sampling.rows import Row, Source, count_lines, readable

LONGEST_RECORD = 1 << 20  # characters within one pair of quotes, over several lines
BOM = b"\xef\xbb\xbf"


class _Lines:
    """Numbered lines that can be given back."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._returned: deque[bytes] = deque()
        self.number = 0  # of the line taken last

    def take(self) -> bytes | None:
        line = self._returned.popleft() if self._returned else next(self._lines, None)
        self.number += line is not None
        return line

    def give_back(self, lines: Sequence[bytes]) -> None:
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)


def delimited_source(path: Path) -> Source:
    """A CSV file: the first line names the columns, separated by commas, semicolons or tabs.

    Raises:
        InputError: it cannot be read, or its first line names no columns, or one twice.
    """
    with readable(path), path.open("rb") as stream:
        header = stream.readline().removeprefix(BOM)
    delimiter = max(b",;\t", key=lambda mark: header.count(bytes([mark])))
    columns = _columns(header, chr(delimiter), path)
    return Source(
        path.name, str(path.resolve()), columns, count_lines(path), lambda: _rows(path, columns, chr(delimiter))
    )


def _columns(header: bytes, delimiter: str, path: Path) -> tuple[str, ...]:
    try:
        names = next(csv.reader([header.decode()], delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"its first line cannot be read: {error}", where=path, advice="save it as UTF-8 CSV"
        ) from error
    columns = tuple(name.strip() for name in names)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or not any(columns):
        raise InputError(
            f"its first line names {f'the column {twice[0]!r} twice' if twice else 'no columns'}",
            where=path,
            advice="give each column one name in the first line",
        )
    return columns


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    with readable(path), path.open("rb") as stream:
        lines = _Lines(stream)
        lines.take()
        while (row := _next_row(lines, columns, delimiter)) is not None:
            if row.values or row.fault:
                yield row


def _next_row(lines: _Lines, columns: Sequence[str], delimiter: str) -> Row | None:
    """The next row; empty for a blank line, None at the end."""
    line, taken = lines.number + 1, list[bytes]()
    try:
        cells = next(csv.reader(_record(lines, taken), delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        lines.give_back(taken[1:])
        return Row(line, {}, taken[0].rstrip(b"\r\n"), f"invalid CSV: {error}")
    if cells is None:
        return None
    row = Row(line, dict(zip(columns, cells, strict=False)), b"".join(taken).rstrip(b"\r\n"))
    if not row.readable:
        return Row(line, {}, row.raw, "undecodable: not UTF-8")
    if cells and len(cells) != len(columns):
        return Row(line, {}, row.raw, f"{len(cells)} columns, where the first line names {len(columns)}")
    return row


def _record(lines: _Lines, taken: list[bytes]) -> Iterator[str]:
    """Lines for one record, noted in ``taken``: as many as the reader asks for, up to the longest record."""
    length = 0
    while length < LONGEST_RECORD and (line := lines.take()) is not None:
        taken.append(line)
        length += len(line)
        yield line.decode(errors="surrogateescape")
