"""Options and answers of multiple-choice questions, as differing files write them, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from ledger.records import storable
from sampling.chat import LETTERS

AnswerForm = Literal["any", "letter", "index0", "index1", "text"]
Numbering = Literal[0, 1]

_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_NUMBER = re.compile(r"(\d+)(?:\.0+)?")


class RowError(ValueError):
    """A row cannot become a prompt; says why."""


def is_missing(value: object) -> bool:
    """None, NaN, blank text or an empty list, dict or tuple."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - only NaN differs from itself
    return value is None or (isinstance(value, list | dict | tuple) and not value)


def from_json(value: object) -> object:
    """What a CSV cell holds that is a JSON list or object; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def clean(value: object, name: str) -> str:
    """Stored text of a cell: stripped, without what no database keeps; empty where it is missing.

    Raises:
        RowError: it is no text.
    """
    if isinstance(value, str):
        return storable(value).strip()
    if is_missing(value):
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise RowError(f"{name} is no text")


def read_options(value: object) -> tuple[str, ...]:
    """The texts of A, B, C, ... from a list, an object keyed by letters, or a JSON text of either. Empty: no options.

    Raises:
        RowError: neither of these, an option is empty, fewer than two, more than ten, or two the same.
    """
    value = from_json(value)
    if is_missing(value):
        return ()
    texts = [clean(option, f"option {letter}") for letter, option in _lettered(value)]
    while texts and not texts[-1]:
        texts.pop()
    if not texts:
        return ()
    _check_options(texts)
    return tuple(texts)


def _check_options(texts: Sequence[str]) -> None:
    if "" in texts:
        raise RowError(f"option {LETTERS[texts.index('')]} is empty")
    if len(texts) < 2:
        raise RowError("fewer than 2 options")
    if len({_folded(text) for text in texts}) < len(texts):
        raise RowError("duplicated options")


def _lettered(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        named = {str(key).strip().upper(): option for key, option in value.items()}
        if sorted(named) != list(LETTERS[: len(named)]) or len(named) < len(value):
            raise RowError("options are not keyed A, B, C, ...")
        return sorted(named.items())
    if not isinstance(value, list | tuple):
        raise RowError("options are neither a list nor an object")
    if len(value) > len(LETTERS):
        raise RowError(f"more than {len(LETTERS)} options")
    return zip(LETTERS, value, strict=False)


def answer_letter(value: object, options: Sequence[str], form: AnswerForm, numbering: Numbering | None) -> str:
    """The letter of the right option.

    ``form``: how the file writes answers; with "any", every way to read this one must lead to the same letter.
    ``numbering``: whether the numbers of a file with form "any" begin at 0 or 1.

    Raises:
        RowError: it is missing, is none of the options, or can be read in two ways.
    """
    text = clean(value, "the answer")
    if not text:
        raise RowError("options without the answer")
    letters = LETTERS[: len(options)]
    found = {at for at in _readings(text, options, form, numbering) if 0 <= at < len(options)}
    if not found:
        raise RowError(f"the answer is not among the options: {text[:80]}")
    if len(found) > 1:
        ways = " or ".join(letters[at] for at in sorted(found))
        raise RowError(f"the answer {text[:80]} can mean {ways}: set answer_form in the layout")
    return letters[found.pop()]


def _readings(text: str, options: Sequence[str], form: AnswerForm, numbering: Numbering | None) -> Iterable[int]:
    if form in {"any", "letter"} and (letter := _LETTER.fullmatch(text)):
        yield LETTERS.find(letter[1].upper())
    if form in {"any", "text"}:
        yield from (at for at, option in enumerate(options) if _folded(option) == _folded(text))
    start = numbering if form == "any" else {"index0": 0, "index1": 1}.get(form)
    if start is not None and (number := _NUMBER.fullmatch(text)):
        yield int(number[1]) - start


def numbering_of(answers: Iterable[tuple[Any, Sequence[str]]]) -> Numbering | Literal["unclear"] | None:
    """Whether the numbers among ``answers`` (answer, its options) count from 0 or 1; None where there are none.

    Only a 0, or a number equal to how many options there are, tells; both or neither is unclear.
    """
    zero = full = numbers = False
    for answer, options in answers:
        number = _NUMBER.fullmatch(clean(answer, "the answer"))
        if number and _folded(number[0]) not in {_folded(option) for option in options}:
            numbers = True
            zero |= int(number[1]) == 0
            full |= int(number[1]) == len(options)
    if not numbers:
        return None
    if zero == full:
        return "unclear"
    return 0 if zero else 1


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
