"""Parquet files, `datasets` folders and data sets on the hub: all of them Arrow tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger.errors import InputError
from sampling.rows import Row, Source, readable

BATCH = 1_000
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]*)?(?::[\w.-]+)?")


def parquet_source(path: Path) -> Source:
    """A Parquet file.

    Raises:
        InputError: it cannot be read.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    def rows() -> Iterator[Row]:
        with readable(path), ParquetFile(path) as file:
            try:
                yield from _rows(file.iter_batches(batch_size=BATCH))
            except ArrowException as error:
                raise _unreadable(path, error) from error

    try:
        with readable(path), ParquetFile(path) as file:
            columns, total = tuple(file.schema_arrow.names), file.metadata.num_rows
    except ArrowException as error:
        raise _unreadable(path, error) from error
    return Source(path.name, str(path.resolve()), columns, total, rows)


def folder_source(path: Path) -> Source:
    """A folder that `datasets` saved (`save_to_disk`); of several splits, one after the other.

    Raises:
        InputError: it is no such folder.
    """
    if not any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        raise InputError(
            "is no datasets folder",
            where=path,
            advice="name a file, or a folder written by Dataset.save_to_disk",
        )
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except Exception as error:
        raise _unreadable(path, error) from error
    return _dataset_source(path.resolve().name, str(path.resolve()), loaded)


def hub_source(name: str) -> Source:
    """A data set on the hub: OWNER/NAME, OWNER/NAME:CONFIGURATION or OWNER/NAME:CONFIGURATION:SPLIT.

    Raises:
        InputError: it is not there, or the hub is out of reach.
    """
    import datasets

    repository, _, rest = name.partition(":")
    configuration, _, split = rest.partition(":")
    try:
        loaded = datasets.load_dataset(repository, configuration or None, split=split or None)
    except Exception as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"neither a file here nor loaded from the hub: {said}",
            where=name,
            advice="check the path; a hub id needs a network",
        ) from error
    return _dataset_source(name, name, loaded)


def _dataset_source(name: str, key: str, loaded: Any) -> Source:
    parts = list(loaded.values()) if isinstance(loaded, dict) else [loaded]
    columns = tuple(dict.fromkeys(column for part in parts for column in part.column_names))

    def rows() -> Iterator[Row]:
        line = 0
        for part in parts:
            yield from _rows(part.with_format("arrow").iter(batch_size=BATCH), line)
            line += len(part)

    return Source(name, key, columns, sum(len(part) for part in parts), rows)


def _rows(batches: Iterator[Any], before: int = 0) -> Iterator[Row]:
    line = before
    for batch in batches:
        try:
            decoded = [Row(line + at, row) for at, row in enumerate(batch.to_pylist(), start=1)]
        except UnicodeDecodeError:
            decoded = [_carefully(batch, at, line + at + 1) for at in range(batch.num_rows)]
        yield from decoded
        line += batch.num_rows


def _carefully(batch: Any, at: int, line: int) -> Row:
    """One row of a batch in which some text is not UTF-8."""
    import pyarrow

    values: dict[str, Any] = {}
    bad = []
    for name in batch.schema.names:
        cell = batch.column(name)[at]
        try:
            values[name] = cell.as_py()
        except UnicodeDecodeError:
            bad.append(name)
            text = pyarrow.types.is_string(cell.type) or pyarrow.types.is_large_string(cell.type)
            values[name] = cell.as_buffer().to_pybytes() if text else repr(cell)
    return Row(line, values, fault=f"undecodable: not UTF-8 in {', '.join(bad)}" if bad else "")


def _unreadable(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:300]
    return InputError(f"cannot be read: {said}", where=path, advice="check that the file is whole")
