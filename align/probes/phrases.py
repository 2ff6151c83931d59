"""Texts made alike, so that "48-hour" and "forty-eight hour" are the same words, and phrases sought in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
VALUES = {
    **{word: value for value, word in enumerate(UNITS)},
    **{word: 10 * value for value, word in enumerate(TENS, start=2)},
}
_BELOW_HUNDRED = rf"(?:(?:{'|'.join(TENS)})(?:[-\s](?:{'|'.join(UNITS[1:10])})\b)?|(?:{'|'.join(reversed(UNITS))}))\b"
_HUNDREDS = rf"(?:(?:a|{'|'.join(UNITS[1:10])})\s+hundred\b(?:\s+(?:and\s+)?{_BELOW_HUNDRED})?|{_BELOW_HUNDRED})"
NUMBER_WORDS = re.compile(
    rf"\b(?:(?:a|{_HUNDREDS})\s+thousand\b(?:\s+(?:and\s+)?{_HUNDREDS})?|{_HUNDREDS})", re.IGNORECASE
)

EMPHASIS = re.compile(r"[*_`]+")  # Markdown's
SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
RESTATED_WORDS = 6  # fewer may be an answer too
DASHES = re.compile("[\u2010-\u2015\u2212]")
ALIKE = (
    (re.compile(r"\s+"), " "),  # first: the others are then quick on long spaces too
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),  # 1,200
    (re.compile(r" ?(?:%|\bper ?cent\b)"), "%"),
    (re.compile(r"(?<=\w)-(?=\w)"), " "),
    (re.compile(r"(?<=\d)(?=[^\W\d])"), " "),  # 5mg
)
# What stands before a phrase that is denied: the first where the phrase itself is, the second where its clause is.
DENIED_ITSELF = re.compile(r"\b(?:not|rather than|instead of|unlike|nor)(?: (?:the|a|an|in|on|at|by|to|for|from))*$")
DENIED_IN_CLAUSE = re.compile(
    r"(?:\b(?:not|never|no|nor|neither|rather than|instead of|unlike|without|cannot|contrary to)|n't)(?: \w+){0,4}$"
    r"|\bfrom(?: the)?$"
)


def words_as_digits(text: str, one: bool = True) -> str:
    """Write spelled-out whole numbers below a million in digits; ``one``: the word "one" too, which is often none."""
    return NUMBER_WORDS.sub(
        lambda match: match[0] if not one and match[0].lower() == "one" else _digits(match[0]), text
    )


def _digits(words: str) -> str:
    total = current = 0
    for word in re.split(r"[-\s]+", words.lower()):
        if word == "thousand":
            total, current = total + 1000 * current, 0
        elif word == "hundred":
            current *= 100
        elif word == "a":
            current = 1
        elif word != "and":
            current += VALUES[word]
    return str(total + current)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """``text`` in small letters, numbers in digits, without emphasis, hyphens within words and long spaces."""
    plain = DASHES.sub("-", EMPHASIS.sub("", unicodedata.normalize("NFKC", text)))
    plain = words_as_digits(plain.casefold().replace("\u2018", "'").replace("\u2019", "'"))
    for pattern, replacement in ALIKE:
        plain = pattern.sub(replacement, plain)
    return plain.strip()


def says(text: str, phrase: str) -> bool:
    """Does ``text`` hold the words of ``phrase``, other than as "not ..." or "rather than ..."?"""
    return _found(text, phrase, DENIED_ITSELF)


def claims(text: str, phrase: str) -> bool:
    """Does ``text`` hold the words of ``phrase`` in a clause that is not denied? For what it should not say."""
    return _found(text, phrase, DENIED_IN_CLAUSE)


def _found(text: str, phrase: str, denied: re.Pattern[str]) -> bool:
    plain, sought = folded(text), folded(phrase)
    if not sought:
        return False
    whole = rf"(?<!\w)(?<!\d\.){re.escape(sought)}(?!\w)(?!\.\d)"
    return any(not denied.search(plain[: match.start()].rstrip()) for match in re.finditer(whole, plain))


def without_restated(text: str, question: str) -> str:
    """``text`` without sentences of ``question`` that it repeats word for word: these answer nothing."""
    for sentence in SENTENCES.split(question):
        words = sentence.split()
        if len(words) >= RESTATED_WORDS:
            text = re.sub(r"\s+".join(map(re.escape, words)), " ", text, flags=re.IGNORECASE)
    return text


def fits_groups(text: str, groups: Iterable[Iterable[str]]) -> bool:
    """Is of each group of alternatives at least one said?"""
    return all(any(says(text, phrase) for phrase in group) for group in groups)
