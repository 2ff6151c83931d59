r"""The number that an answer settles on.

"The answer is 42", ``\boxed{42}`` and a bold **42** say it outright, in this order. Otherwise it is in the last
sentence with a number: what follows the last equals sign there, or else the last number, where numbers of the question
("42 tablets in 7 days"), in brackets ("1,000 mg (1 g)") and in reasons ("since 40 + 2 is more") give way to others.
Units, currencies and percent signs are passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from align.probes.phrases import DASHES, words_as_digits

_WHOLE = r"[0-9]{1,3}(?:[,'][0-9]{3})+(?![0-9])|[0-9]{1,15}"
NUMBER = re.compile(
    rf"""
    (?P<minus>(?:(?<![\w.)\]])|(?<=\b[xX]))-(?=[0-9.])|\b(?:minus|negative)\s+)?
    (?<![\w.])(?<![0-9]/)
    (?:
        (?:(?P<ones>[0-9]{{1,6}})\s+)?(?P<over>[0-9]{{1,9}})\s?/\s?(?P<under>0*[1-9][0-9]{{0,8}})(?![0-9]*[/.0-9])
      | (?P<whole>{_WHOLE})(?:\.(?P<decimals>[0-9]{{1,15}})|,(?P<comma>[0-9]{{1,2}})(?![0-9,]))?
      | \.(?P<bare>[0-9]{{1,15}})
    )
    (?![0-9]|(?:st|nd|rd|th)\b)
    """,
    re.VERBOSE,
)
THIN_SPACE = re.compile("(?<=[0-9])[\u2009\u202f\u00a0](?=[0-9]{3}(?![0-9]))")
LATEX = (
    (re.compile(r"\\[dt]?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}"), r" \1/\2"),
    (re.compile(r"(?<=[0-9])(?:\{,\}|\\,|\\!)(?=[0-9]{3})"), ","),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[()\[\]%,; ]|\$"), " "),
)
BOXED = re.compile(r"\\boxed\s*\{([^{}]*)\}")
BOLD = re.compile(r"(?:\*\*|__)(?=\S)([^*_\n]{1,200})(?:\*\*|__)")
EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
ANSWER = re.compile(
    r"(?<!not the )(?<!wrong )(?<!incorrect )\b(?:answer|final result)\s*(?:is|would be|must be|[:=])(?!\s+not\b)\s*:?",
    re.IGNORECASE,
)
SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n+")
LABELS = re.compile(r"^[ \t]*(?:step )?([0-9]{1,2})[.):](?=[ \t]+\S)", re.IGNORECASE | re.MULTILINE)
STEPS = re.compile(r"\bstep\s+[0-9]+", re.IGNORECASE)
REASON = re.compile(r",\s(?:as|for)\s|[,\s](?:since|because)\s", re.IGNORECASE)
BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
EQUALS = re.compile(r"(?<![<>!])=|[\u2248\u2243]")
OR = re.compile(r"\s*(?:[^\W\d]+\s+)?or\s+(?:[^\W\d]+\s+)?[0-9]")


def stated_number(text: str, question: str = "") -> Fraction | None:
    """The number that ``text``, an answer to ``question``, settles on; None if it has none, or says "42 or 43"."""
    plain = _plain(text)
    said = [part for part in BOXED.findall(plain) if _numbers(part)]
    if said:
        return _last(said[-1], ())
    unboxed = _without_labels(BOXED.sub(r"\1", plain))
    stated = _stated_outright(EMPHASIS.sub("", unboxed))
    if stated:
        return None if stated[1] else stated[0]
    bold = [part for part in BOLD.findall(unboxed) if _numbers(part)]
    known = frozenset(map(abs, _numbers(_plain(question))))
    if bold:
        return _last(bold[-1], known)
    sentences = [part for part in SENTENCES.split(EMPHASIS.sub("", unboxed)) if _numbers(part)]
    return _last(sentences[-1], known) if sentences else None


def _plain(text: str) -> str:
    # A fraction such as U+00BD is written out behind a space, so that "3" before it stays apart.
    spaced = re.sub("(?=[\u00bc-\u00be\u2150-\u215e])", " ", THIN_SPACE.sub(",", text))
    plain = DASHES.sub("-", unicodedata.normalize("NFKC", spaced).replace("\u2044", "/"))
    for pattern, replacement in LATEX:
        plain = pattern.sub(replacement, plain)
    return words_as_digits(plain, one=False)


def _without_labels(text: str) -> str:
    """Without the "1.", "2." of a list, where something is left."""
    labels = [int(label) for label in LABELS.findall(text)]
    counted = bool(labels) and labels == list(range(1, len(labels) + 1))
    bare = STEPS.sub("", LABELS.sub("", text) if counted else text)
    return bare if _numbers(bare) else text


def _stated_outright(text: str) -> tuple[Fraction, bool] | None:
    """The number of the last "the answer is ...", and whether another one stands beside it as "or ..."."""
    for match in reversed(list(ANSWER.finditer(text))):
        clause = SENTENCES.split(text[match.end() :].lstrip(), maxsplit=1)[0]
        right = EQUALS.split(clause)[-1]
        number = _first(right)
        if number:
            return _value(number), bool(OR.match(right[number.end() :]))
    return None


def _first(text: str) -> re.Match[str] | None:
    return NUMBER.search(text) or NUMBER.search(words_as_digits(text))


def _last(text: str, known: frozenset[Fraction] | tuple[()]) -> Fraction | None:
    right = EQUALS.split(text)[-1]
    scope = right if _numbers(right) else text
    outside = BRACKETS.sub(" ", scope)
    numbers = _numbers(REASON.split(outside)[0]) or _numbers(outside) or _numbers(scope)
    if scope is text:  # behind an equals sign a number of the question may be the result
        numbers = [number for number in numbers if abs(number) not in known] or numbers
    return numbers[-1] if numbers else None


def _numbers(text: str) -> Sequence[Fraction]:
    """All numbers in ``text``; the word "one" is one where there is no other."""
    return [_value(match) for match in NUMBER.finditer(text)] or [
        _value(match) for match in NUMBER.finditer(words_as_digits(text))
    ]


def _value(match: re.Match[str]) -> Fraction:
    if match["under"]:
        value = Fraction(int(match["ones"] or 0)) + Fraction(int(match["over"]), int(match["under"]))
    else:
        whole = re.sub(r"\D", "", match["whole"] or "0")
        value = Fraction(f"{whole}.{match['decimals'] or match['comma'] or match['bare'] or '0'}")
    return -value if match["minus"] else value
