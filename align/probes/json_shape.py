"""Is an answer the JSON that was asked for?

A shape is written as JSON: ``{"keys": {"name": "string", "doses": "list of number"}}`` for an object with exactly
these keys, ``{"items": "string", "length": 3}`` for a list. A type is one of `TYPES`, alternatives as "string|null",
"list of TYPE", or an object of types for an object within. ``values`` holds what some keys, or the whole list, have
to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

FENCED = re.compile(r"^```[ \t]*[\w-]*[ \t]*\n(.*?)\n?^```[ \t]*$", re.DOTALL | re.MULTILINE)
LIST_OF = "list of "


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def fits_json(text: str, expected: Mapping[str, Any]) -> bool:
    """Is ``text``, or its one fenced block, JSON of the expected shape? With ``only`` (the default) nothing else is."""
    found = parsed(text, bool(expected.get("only", True)))
    if found is None:
        return False
    value = found[0]
    if "keys" in expected:
        fits = _has_type(value, expected["keys"])
    else:
        length = expected.get("length")
        fits = _is_list_of(value, expected["items"]) and length in {None, len(value)}
    return fits and ("values" not in expected or _same(value, expected["values"]))


def parsed(text: str, only: bool = True) -> tuple[Any] | None:
    """The JSON value in ``text``, in a tuple, as null is a value too; None if it is not strictly JSON.

    Strictly: a key stands once, and NaN and Infinity are none.
    """
    stripped = text.strip()
    blocks = list(FENCED.finditer(stripped))
    if len(blocks) == 1 and (not only or blocks[0].span() == (0, len(stripped))):
        stripped = blocks[0][1]
    try:
        return (json.loads(stripped, object_pairs_hook=_once, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a key stands twice")
    return held


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _has_type(value: object, type_: object) -> bool:
    if isinstance(type_, Mapping):
        return (
            isinstance(value, dict) and set(value) == set(type_) and all(_has_type(value[k], type_[k]) for k in type_)
        )
    name = str(type_)
    if name.startswith(LIST_OF):
        return _is_list_of(value, name.removeprefix(LIST_OF))
    return any(TYPES[one](value) for one in name.split("|"))


def _is_list_of(value: object, type_: object) -> bool:
    return isinstance(value, list) and all(_has_type(item, type_) for item in value)


def _same(value: object, wanted: object) -> bool:
    """Texts without regard to case and outer spaces, numbers by value, objects by the keys that are wanted."""
    if isinstance(wanted, Mapping):
        return isinstance(value, dict) and all(key in value and _same(value[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(wanted, str):
        return isinstance(value, str) and value.strip().casefold() == wanted.strip().casefold()
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def type_fault(type_: object) -> str | None:
    """Why ``type_`` names no type."""
    if isinstance(type_, Mapping):
        return next((fault for inner in type_.values() if (fault := type_fault(inner))), None)
    if isinstance(type_, str):
        if type_.startswith(LIST_OF):
            return type_fault(type_.removeprefix(LIST_OF))
        if all(name in TYPES for name in type_.split("|")):
            return None
    return f"{str(type_)[:40]} is no type; they are {', '.join(TYPES)}, 'list of TYPE' and objects of these"
