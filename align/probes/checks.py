"""How an answer to a probe is checked without a judge, by what its row expects.

| check | `Probe.expected` | an answer passes that |
|---|---|---|
| option | nothing | states the letter of the right option |
| number | `number`, `tolerance` (0) | settles on the number |
| words | `any`, `none`, `exact`, `count`, `case`, `lines` | has the words, and the form |
| json | `keys` or `items` with `length`; `values`, `only` (true) | is JSON of this shape |
| grounding | `says`, `avoid`, `absent` (false), `cites` | rests on the passages, and names them |

What an answer repeats of the question, sentence by sentence, counts for nothing in words and grounding. Rows of the
check "safety" are rated (`annotate.safety_rules`, or a judge), and those of "text" are read, not answered.
`align.probes.expectations.check_fault` says whether a row's `expected` is one of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from align.probes.absence import says_absent
from align.probes.expectations import check_fault
from align.probes.json_shape import fits_json
from align.probes.phrases import EMPHASIS, claims, fits_groups, without_restated
from align.probes.stated_number import stated_number
from annotate.mcq import stated_option
from ledger.records import Probe, Prompt

__all__ = ("check_fault", "checked", "grounding_facets")

CITATION = re.compile(
    r"\[\s*((?:passages?\s+)?[0-9]{1,4}(?:\s*(?:,|;|and|&|-|\u2013)\s*[0-9]{1,4})*)\s*\]", re.IGNORECASE
)
CITED = re.compile(r"([0-9]+)(?:\s*[-\u2013]\s*([0-9]+))?")
LONG_SPACE = re.compile(r"\s{3,}")  # thousands of empty lines would take the search for an option minutes
OUTSIDE = " \t\n\r.,;:!\"'\u2018\u2019\u201c\u201d*_`"  # of an exact answer, these do not matter
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def checked(probe: Probe, prompt: Prompt, text: str) -> bool | None:
    """Does ``text`` give what ``probe`` expects of an answer to ``prompt``?

    None where it cannot be scored: no option is stated, or no number. What is asked to have a form and has another has
    failed. A grounded answer passes by all of `grounding_facets`.

    Raises:
        ValueError: the check is "safety" or "text", which no rule here decides.
    """
    if probe.check not in CHECKS:
        raise ValueError(f"an answer to a {probe.check} probe is not checked by rule")
    return CHECKS[probe.check](probe, prompt, text)


def _option(_probe: Probe, prompt: Prompt, text: str) -> bool | None:
    short = LONG_SPACE.sub(lambda space: "\n\n" if "\n" in space[0] else " ", EMPHASIS.sub("", text))
    stated = stated_option(short, prompt.options)
    return None if stated is None else stated == prompt.answer


def _number(probe: Probe, prompt: Prompt, text: str) -> bool | None:
    stated = stated_number(text, prompt.question)
    if stated is None:
        return None
    wanted, tolerance = (Fraction(str(probe.expected.get(key, 0))) for key in ("number", "tolerance"))
    return abs(stated - wanted) <= tolerance


def _json(probe: Probe, _prompt: Prompt, text: str) -> bool:
    return fits_json(text, probe.expected)


def _words(probe: Probe, prompt: Prompt, text: str) -> bool:
    expected, own = probe.expected, without_restated(text, prompt.question)
    return (
        bool(text.strip())
        and fits_groups(own, expected.get("any", ()))
        and not any(claims(own, phrase) for phrase in expected.get("none", ()))
        and _has_form(expected, text)
    )


def _has_form(expected: Mapping[str, Any], text: str) -> bool:
    case, words = expected.get("case"), WORD.findall(text)
    lines = [line for line in text.splitlines() if line.strip()]
    exact = [_core(text, case)] if "exact" in expected else []
    return (
        all(said in {_core(one, case) for one in expected["exact"]} for said in exact)
        and expected.get("count") in {None, len(words)}
        and expected.get("lines") in {None, len(lines)}
        and (case is None or (text.isupper() if case == "upper" else text.islower()))
    )


def _core(text: str, case: str | None) -> str:
    core = " ".join(text.split()).strip(OUTSIDE)
    return core if case else core.casefold()


def _grounding(probe: Probe, prompt: Prompt, text: str) -> bool:
    return all(grounding_facets(probe, prompt, text).values())


CHECKS: Mapping[str, Callable[[Probe, Prompt, str], bool | None]] = {
    "option": _option,
    "number": _number,
    "json": _json,
    "words": _words,
    "grounding": _grounding,
}


def grounding_facets(probe: Probe, prompt: Prompt, text: str) -> Mapping[str, bool]:
    """In what ways ``text`` keeps to the passages of ``prompt``.

    Returns:
        grounded: says what the passages say and nothing that ``probe`` names as from elsewhere; where the answer is
            not in the passages, says so instead.
        citations: each passage cited as [n] exists, and one that holds the answer is cited where there is one.
        says_absent: says that the answer is not there; only for probes whose answer is not.
    """
    expected, own = probe.expected, without_restated(text, prompt.question)
    from_elsewhere = any(claims(own, phrase) for phrase in expected.get("avoid", ()))
    absent = bool(expected.get("absent", False))
    held = says_absent(own) if absent else bool(own.strip()) and fits_groups(own, expected.get("says", ()))
    cited, wanted = _cited(text), frozenset(expected.get("cites", ()))
    facets = {
        "grounded": held and not from_elsewhere,
        "citations": cited <= set(range(1, len(prompt.context) + 1)) and (not wanted or bool(cited & wanted)),
    }
    return {**facets, "says_absent": held} if absent else facets


def _cited(text: str) -> set[int]:
    """The numbers in [1], [1, 3] and [2-4]."""
    numbers: set[int] = set()
    for match in CITATION.finditer(text):
        for first, last in CITED.findall(match[1]):
            numbers |= {int(first), *range(int(first), int(last or first) + 1)}
    return numbers
