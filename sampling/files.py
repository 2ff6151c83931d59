"""Files of questions, row by row with line numbers, whatever their format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ledger.errors import InputError
from sampling.delimited import BOM, delimited_source
from sampling.rows import Row, Source, count_lines, readable
from sampling.tables import HUB_ID, folder_source, hub_source, parquet_source

LOOKED_AT = 1_000  # rows whose keys are taken for the columns of a JSONL file


def json_lines_source(path: Path) -> Source:
    """A file of one JSON object a line.

    Raises:
        InputError: it cannot be read, or is one JSON array.
    """
    with readable(path), path.open("rb") as stream:
        if stream.read(64).removeprefix(BOM).lstrip()[:1] == b"[":
            raise InputError("is one JSON array", where=path, advice="write one object a line: jq -c '.[]' FILE")
    columns = dict.fromkeys(column for row in islice(_json_lines(path), LOOKED_AT) for column in row.values)
    return Source(path.name, str(path.resolve()), tuple(columns), count_lines(path), lambda: _json_lines(path))


def _json_lines(path: Path) -> Iterator[Row]:
    with readable(path), path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            raw = (line.removeprefix(BOM) if number == 1 else line).rstrip(b"\r\n")
            if raw.strip():
                yield _json_row(number, raw)


def _json_row(number: int, raw: bytes) -> Row:
    try:
        values = _parsed(raw)
    except UnicodeDecodeError:
        return Row(number, {}, raw, "undecodable: not UTF-8")
    except (ValueError, RecursionError) as error:
        return Row(number, {}, raw, f"invalid JSON: {error}")
    if not isinstance(values, dict):
        return Row(number, {}, raw, "no JSON object")
    return Row(number, values, raw)


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw.decode())  # lets through NaN and halves of surrogate pairs, which real files have


READERS = {
    ".jsonl": json_lines_source,
    ".ndjson": json_lines_source,
    ".json": json_lines_source,
    ".csv": delimited_source,
    ".tsv": delimited_source,
    ".parquet": parquet_source,
}


def open_source(name: str) -> Source:
    """The rows of a JSONL, CSV or Parquet file, of a `datasets` folder, or of a data set on the hub.

    Raises:
        InputError: it is not there, of another format, without rows, or cannot be read.
    """
    source = _source(name)
    if not source.total:
        raise InputError("holds no rows", where=name, advice="check that it is the right file")
    return source


def _source(name: str) -> Source:
    path = Path(name)
    if path.is_dir():
        return folder_source(path)
    reader = READERS.get(path.suffix.lower())
    if path.exists() and reader:
        return reader(path)
    if path.exists():
        raise InputError(
            f"unknown format {path.suffix or '(no ending)'}", where=name, advice=f"use one of {', '.join(READERS)}"
        )
    if reader or not HUB_ID.fullmatch(name):
        raise InputError("no such file", where=name, advice="check the path; a hub id reads OWNER/NAME")
    return hub_source(name)
