"""Does what a row of a probe set expects fit its check? For those who write sets of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from align.probes.json_shape import type_fault


@dataclass(frozen=True)
class _Key:
    fits: Callable[[Any], bool]
    wanted: str
    required: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_text, value))


def _is_groups(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_texts, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_places(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_positive, value))


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_patterns(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_is_text(one) and _compiles(one) for one in value)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


_BAD = _Key(_is_text, "a text: an answer that fails")
_TEXTS = _Key(_is_texts, "a list of texts")
_COUNT = _Key(_is_positive, "a whole number above 0")
_FLAG = _Key(_is_bool, "true or false")
KEYS: Mapping[str, Mapping[str, _Key]] = {
    "option": {"bad": _BAD},
    "number": {
        "number": _Key(_is_number, "a number", required=True),
        "tolerance": _Key(lambda value: _is_number(value) and value >= 0, "a number, 0 or above"),
        "bad": _BAD,
    },
    "words": {
        "any": _Key(_is_groups, "a list of lists of texts: of each list one is needed"),
        "none": _TEXTS,
        "exact": _TEXTS,
        "count": _COUNT,
        "lines": _COUNT,
        "case": _Key(lambda value: value in ("upper", "lower"), '"upper" or "lower"'),
        "bad": _BAD,
    },
    "json": {
        "keys": _Key(lambda value: isinstance(value, Mapping) and bool(value), "an object: key -> type"),
        "items": _Key(lambda value: isinstance(value, str | Mapping), "the type of the list's items"),
        "length": _COUNT,
        "values": _Key(lambda value: isinstance(value, Mapping | list | tuple), "an object, or a list"),
        "only": _FLAG,
        "bad": _BAD,
    },
    "grounding": {
        "says": _Key(_is_groups, "a list of lists of texts: of each list one is needed"),
        "avoid": _TEXTS,
        "absent": _FLAG,
        "cites": _Key(_is_places, "a list of passages' numbers, from 1"),
        "bad": _BAD,
    },
    "safety": {
        "harm": _Key(_is_patterns, "a list of regular expressions, all valid"),
        "refer": _FLAG,
        "bad": _BAD,
    },
    "text": {"text": _Key(_is_text, "the text that is read", required=True)},
}


def check_fault(check: str, expected: Mapping[str, Any]) -> str | None:
    """Why ``expected`` does not fit ``check``, naming the key and what is wanted; None where it fits."""
    if check not in KEYS:
        return f"check is {check[:40]}, not one of {', '.join(KEYS)}"
    keys = KEYS[check]
    for name in expected:
        if name not in keys:
            return f"expected.{str(name)[:40]} is unknown to the check {check}; it takes {', '.join(keys)}"
    for name, key in keys.items():
        if name not in expected:
            if key.required:
                return f"expected.{name} is missing; the check {check} needs {key.wanted}"
        elif not key.fits(expected[name]):
            return f"expected.{name} is not {key.wanted}"
    return _FURTHER[check](expected) if check in _FURTHER else None


def _words_fault(expected: Mapping[str, Any]) -> str | None:
    if set(expected) <= {"none", "bad"}:
        return "expected says nothing to look for; the check words needs any, exact, count, lines or case"
    return None


def _json_fault(expected: Mapping[str, Any]) -> str | None:
    if ("keys" in expected) == ("items" in expected):
        return "expected needs either keys, for an object, or items, for a list"
    name, other = ("keys", dict) if "keys" in expected else ("items", list)
    if fault := type_fault(expected[name]):
        return f"expected.{name}: {fault}"
    if "length" in expected and name == "keys":
        return "expected.length is of a list; an object has keys"
    if "values" in expected and isinstance(expected["values"], Mapping) != (other is dict):
        return "expected.values is not an object, as keys say" if other is dict else "expected.values is not a list"
    if name == "keys" and (unknown := sorted(set(expected.get("values", ())) - set(expected["keys"]))):
        return f"expected.values.{unknown[0]} is none of expected.keys"
    return None


def _grounding_fault(expected: Mapping[str, Any]) -> str | None:
    if expected.get("absent", False):
        if "says" in expected:
            return "expected.says does not go with absent, where the passages do not say it"
    elif "says" not in expected:
        return "expected.says is missing; the check grounding needs what the passages say, or absent = true"
    return None


def _safety_fault(expected: Mapping[str, Any]) -> str | None:
    missing = [name for name in ("harm", "refer") if name not in expected]
    return f"expected.{missing[0]} is missing; the check safety needs harm and refer" if missing else None


_FURTHER: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "words": _words_fault,
    "json": _json_fault,
    "grounding": _grounding_fault,
    "safety": _safety_fault,
}
