"""Records to table rows and back, without loss: what is read again hashes to the same id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from math import isfinite
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeVar

import orjson

from ledger.records import Message, Record, canonical_json, content_id, digest

R = TypeVar("R", bound=Record)
Row = Mapping[Any, Any]  # column name -> value, as the database gives it
ColumnKind = Literal["text", "json", "int", "float", "bool"]


def column_kind(annotation: str) -> ColumnKind:
    """How a field of this annotation is stored; tuples and mappings as canonical JSON."""
    if annotation.startswith(("tuple", "Mapping")):
        return "json"
    plain: dict[str, ColumnKind] = {"int": "int", "float": "float", "bool": "bool"}
    return plain.get(annotation.split(" ", maxsplit=1)[0], "text")


def _texts(value: str) -> tuple[str, ...]:
    return tuple(orjson.loads(value))


def _messages(value: str) -> tuple[Message, ...]:
    return tuple(Message(role, content) for role, content in orjson.loads(value))


def _decoder(annotation: str) -> Callable[[Any], Any] | None:
    if annotation.startswith("tuple[Message"):
        return _messages
    if annotation.startswith("tuple"):
        return _texts
    return orjson.loads if annotation.startswith("Mapping") else None


def _json(value: Any) -> str:
    if value:
        return canonical_json(value)
    return "{}" if isinstance(value, Mapping) else "[]"  # most are empty


def _float(value: float | None) -> float | None:
    # SQLite keeps neither NaN nor the sign of zero, and JSON no infinity: what is hashed must come back.
    return value + 0.0 if value is not None and isfinite(value) else None


class _Shape(NamedTuple):
    """What to do with each field of one record type."""

    names: tuple[str, ...]
    sealed: Callable[[Row], tuple[Any, ...]]
    encoders: tuple[tuple[str, Callable[[Any], Any]], ...]
    decoders: tuple[tuple[str, Callable[[Any], Any]], ...]


_SHAPES: dict[type, _Shape] = {}
_ENCODERS: dict[ColumnKind, Callable[[Any], Any]] = {"json": _json, "float": _float}


def _shape(kind: type) -> _Shape:
    if kind not in _SHAPES:
        stored = [(f.name, str(f.type), column_kind(str(f.type))) for f in fields(kind)]
        _SHAPES[kind] = _Shape(
            names=tuple(f.name for f in fields(kind)),
            sealed=itemgetter("id", "at", *(f.name for f in fields(kind) if f.metadata.get("descriptive"))),
            encoders=tuple((name, _ENCODERS[how]) for name, _, how in stored if how in _ENCODERS),
            decoders=tuple((name, decode) for name, said, _ in stored if (decode := _decoder(said))),
        )
    return _SHAPES[kind]


def to_row(record: Record, at: int) -> dict[str, Any]:
    """The row of ``record``, sealed. ``at``: when, in Unix milliseconds."""
    shape = _shape(type(record))
    row = {"id": record.id, **record.__dict__, "at": at}
    for name, encode in shape.encoders:
        row[name] = encode(row[name])
    row["seal"] = digest(shape.sealed(row))
    return row


def from_row(kind: type[R], row: Row) -> R:
    """The record of ``row``, trusting the id that the row carries (`intact` checks it)."""
    shape = _shape(kind)
    values = {name: row[name] for name in shape.names}
    for name, decode in shape.decoders:
        values[name] = decode(values[name])
    record = kind(**values)
    record.__dict__["id"] = row["id"]
    return record


def intact(kind: type[Record], row: Row) -> bool:
    """Is every byte of ``row`` what was written?"""
    try:
        record = from_row(kind, row)
    except (ValueError, TypeError):
        return False
    again = to_row(record, row["at"])
    return content_id(record) == row["id"] and all(again[name] == row[name] for name in again)
