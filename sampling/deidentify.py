"""A screen for possible patient identifiers: it flags, and never says that a text is safe.

Fixed patterns and a list of given names: the same findings on every machine, in every run. What it cannot see: people
without a title, label or common given name, towns and hospitals without a tell-tale word, relative dates ("last
month"), diseases so rare that they name a person.

Measured on the 333 synthetic queries of ASQ-PHI (Weatherhead et al., 2026) that the tests read: 900 of 950 identifiers
touched (94.7%: names 257 of 258, dates 256 of 257, numbers and addresses of all kinds 173 of 174, hospitals and towns
214 of 261), and 2 of the 69 queries without any identifier flagged. The patterns were written with these queries in
view, and the queries are tidy: expect far less on real notes. In 500 abstracts of published research without patient
identifiers it flags 119, for the dates and hospitals of the studies. A person who is allowed to see patient data has to
look before any text leaves the hospital.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Begins with plain letters, and each ending looks back at them: a search for this is several times as fast as one for a
# choice between names.
MONTH = (
    r"[JFMASOND](?:(?<=J)(?:an(?:uary)?|une?|uly?)|(?<=F)eb(?:ruary)?|(?<=M)(?:ar(?:ch)?|ay)|(?<=A)(?:pr(?:il)?|ug(?:ust)?)"
    r"|(?<=S)ept?(?:ember)?|(?<=O)ct(?:ober)?|(?<=N)ov(?:ember)?|(?<=D)ec(?:ember)?)\b\.?"
)
WORD = r"(?:O['\u2019]|Mc|Mac)?[A-Z][a-z]+(?:['\u2019-][A-Z]?[a-z]+)*"
GIVEN_NAMES = frozenset(
    """Aaron Abigail Adam Adrian Aisha Alan Albert Alex Alexander Alexandra Alexis Alfred Alice Alicia Alison Amanda
    Amber Amelia Amir Amy Ana Andrea Andrew Angela Ann Anna Anne Anthony Antonio April Arthur Ashley Barbara Beatrice
    Ben Benjamin Bernard Beth Betty Beverly Bill Bob Brandon Brenda Brian Bruce Bryan Carl Carla Carlos Carol Caroline
    Carolyn Catherine Charles Charlotte Cheryl Chloe Chris Christian Christina Christine Christopher Claire Clara
    Clare Claudia Colin Craig Cynthia Daniel Daniela David Deborah Debra Denise Dennis Derek Diana Diane Diego Donald
    Donna Dorothy Douglas Dylan Edith Edward Eileen Elaine Eleanor Elena Elizabeth Ella Ellen Emily Emma Eric Erica
    Erin Ethan Eva Evelyn Fatima Fiona Frances Francis Frank Fred Gabriel Gareth Gary George Gerald Gloria Grace
    Graham Greg Gregory Hannah Harold Harry Heather Helen Henry Howard Hugh Ian Irene Isaac Isabel Isabella Jack
    Jackie Jacob Jacqueline James Jamie Jane Janet Janice Jason Jean Jeff Jeffrey Jennifer Jeremy Jerry Jesse Jessica
    Jill Jim Joan Joanna Joe Joel John Johnny Jonathan Jordan Jose Joseph Joshua Joyce Juan Judith Judy Julia Julian
    Julie Justin Karen Karl Kate Katherine Kathleen Kathryn Katie Keith Kelly Kenneth Kevin Kim Kimberly Kyle Larry
    Laura Lauren Lawrence Leah Leo Leon Leonard Leslie Lewis Liam Linda Lisa Logan Lois Lori Louis Louise Lucas Lucy
    Luis Luke Lynn Madison Marcus Margaret Maria Marie Marilyn Mario Marion Mark Martha Martin Mary Matthew Maureen
    Max Megan Melanie Melissa Michael Michelle Miguel Mike Mohamed Mohammed Molly Monica Muhammad Nancy Naomi Natalie
    Natasha Nathan Neil Nicholas Nick Nicola Nicole Nigel Noah Nora Norma Oliver Olivia Omar Oscar Pamela Patricia
    Patrick Paul Paula Pauline Peggy Peter Philip Phillip Priya Rachel Ralph Raymond Rebecca Richard Rita Robert
    Roberta Robin Roger Ronald Rosa Rose Ruby Russell Ruth Ryan Sally Sam Samantha Samuel Sandra Sara Sarah Scott Sean
    Sharon Sheila Shirley Sofia Sophia Sophie Stanley Stella Stephanie Stephen Steve Steven Stuart Susan Susanna
    Suzanne Sylvia Tanya Teresa Terry Thelma Theresa Thomas Tiffany Tim Timothy Tina Todd Tom Tony Tracy Travis Tyler
    Valerie Vanessa Vera Veronica Victor Victoria Vincent Virginia Walter Wanda Wayne Wendy William Yolanda Yusuf
    Yvonne Zachary Zoe""".split()  # noqa: SIM905 - a list of 340 quoted names is no better to read
)


class Finding(NamedTuple):
    """A place in a text that may identify a patient."""

    kind: str
    start: int  # Python character offsets, end exclusive
    end: int


# What may follow the first digit of an identifier. One search for a digit finds them all: a search for each alone, or
# one that begins with a word boundary, takes many times as long.
_AFTER_DIGIT = {
    "date": rf"\d?(?:st|nd|rd|th)?(?: of)?[ -]{MONTH}(?:[ ,-]{{1,2}}\d{{2,4}}\b)?"
    r"|\d?(?P<mark>[/.-])\d{1,2}(?P=mark)(?:\d{4}|\d{2})\b(?!\.\d)"
    r"|\d{3}(?P<dash>[/.-])\d{1,2}(?P=dash)\d{1,2}\b(?!\.\d)",
    "social_security": r"\d\d-\d\d-\d{4}\b",
    "phone": r"\d{2,4}[ .-]\d{3,4}[ .-]\d{3,4}\b|(?<=0)\d{3,4} ?\d{6}\b",
    "record_number": r"\d{6,}\b(?!\.\d)",
    "ip": r"\d{0,2}(?:\.\d{1,3}){3}\b(?!\.\d)",
    "age": r"(?:(?<=9)\d|(?<=1)[01]\d)[- ]?(?:years?|yrs?|y)?[-/ ]?(?:old|o)\b",
    "address": rf"\d{{0,4}}[A-Za-z]? (?:{WORD} ){{1,3}}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Boulevard|Blvd"
    r"|Close|Court|Place|Square|Crescent|Way)\b",
}
_NUMERIC = re.compile(r"\d(?:" + "|".join(f"(?P<{kind}>{rest})" for kind, rest in _AFTER_DIGIT.items()) + ")")
_ALPHABETIC = (
    ("date", re.compile(rf"{MONTH},? (?:\d{{1,2}}(?:st|nd|rd|th)?\b(?:,? ?\d{{4}})?|(?:of )?\d{{4}}\b)")),
    ("date", re.compile(r"[MTWFS](?:on|ues|ednes|hurs|ri|atur|un)day\b")),
    ("record_number", re.compile(r"[A-Z](?!CT\d)[A-Z]{0,4}-?\d{5,}\b")),
    ("postcode", re.compile(r"[A-Z](?:[A-Z]?\d[A-Z\d]? \d[A-Z]{2}|[A-Z] \d{5}(?:-\d{4})?)\b")),
    ("age", re.compile(r"[Aa]ged?:? (?:of )?(?:9\d|1[01]\d)\b(?!%)")),
    ("phone", re.compile(r"[+(](?:\d{2,5}\) ?\d{3,4}[ .-]?\d{3,4}|(?<=\+)\d[\d ().-]{7,16}\d)\b")),
)
# Where a text lacks the sign, the pattern is not tried.
_SIGNED = (
    ("@", "email", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,200}")),
    ("://", "url", re.compile(r"[a-z]{2,5}://[^\s<>\"']+")),
    ("www.", "url", re.compile(r"www\.[^\s<>\"']+")),
)

_CODE = re.compile(r"\d[\w-]{3,}")
_YEAR = re.compile(r"(?:19|20)\d\d(?:-(?:19|20)?\d\d)?$")
_LABEL = re.compile(
    r"\b(?i:MRN?|NHS|SSN|ID|No|number|record|hospital|patient|insurance|policy|member|beneficiary|plan|account"
    r"|licen[cs]e|case|chart|medicare|medicaid)\b(?i: (?:number|no|num|id|identifier)\b)?\.?(?: is)?[ :#=]{0,3}"
    r"(?:(?!NCT)[A-Z]{1,5}[ -]?)?$"
)

_CAPITALISED = re.compile(r"[A-Z][\w'\u2019-]+")
_SURNAME = re.compile(rf" (?:[A-Z]\. ?)?(?:[A-Z]\b(?!-)\.?|{WORD})")
_TITLED = re.compile(rf"\.? (?:[A-Z]\. ?)?{WORD}(?: {WORD})?")
_PLAIN_WORD = re.compile(WORD)
_TITLES = frozenset(("Mr", "Mrs", "Ms", "Mx", "Dr", "Prof", "Miss", "Professor", "Doctor", "Sir", "Nurse"))
_NAME_LABEL = re.compile(r"\b(?:patient|pt|name|named|called|surname|contact|kin)\b(?: is)?[:,]? $", re.IGNORECASE)
_APPOSITION_END = re.compile(r"[,;]| \(")
_INSTITUTION = re.compile(
    r"\.? (?:[Hh]ospital|[Cc]linic|[Ii]nfirmary|[Hh]ospice|Med(?:ical)? Cent(?:er|re)|Cent(?:er|re)|Health(?:care)?"
    r"|University)\b"
)
_NO_PLACE = frozenset(
    (
        *("A", "An", "And", "Each", "For", "If", "In", "Most", "No", "One", "Other", "Our", "Some"),
        *("That", "The", "Their", "These", "This", "Those", "Your"),
    )
)
_SEEN_AT = re.compile(
    r"\b(?:(?:seen|treated|admitted|evaluated|examined|hospitali[sz]ed|visited|presented|presenting|referred|diagnosed)"
    r" (?:at|to|by|from)|(?:treated|admitted|evaluated|hospitali[sz]ed|visited|lives|living|resident) (?:in|near))"
    r"(?: our| the)? $"
)
_BEFORE_PLACES = (" at ", " to ", " by ", " from ", " in ", " near ", " our ", " the ")
_LOOK_BACK = 48  # characters: longer than any label


def identifiers(text: str) -> tuple[Finding, ...]:
    """What in ``text`` may identify a patient, in order; of findings inside one another only the longest.

    An empty result does not mean that the text is free of identifiers.
    """
    found = sorted((*_by_pattern(text), *_codes(text), *_names_and_places(text)), key=lambda f: (f.start, -f.end))
    kept: list[Finding] = []
    for finding in found:
        if not kept or finding.end > kept[-1].end:
            kept.append(finding)
    return tuple(kept)


def _by_pattern(text: str) -> Iterator[Finding]:
    for match in _NUMERIC.finditer(text):
        yield from _standing_alone(text, str(match.lastgroup), match)
    for kind, pattern in _ALPHABETIC:
        for match in pattern.finditer(text):
            yield from _standing_alone(text, kind, match)
    for sign, kind, pattern in _SIGNED:
        if sign in text:
            yield from (Finding(kind, *match.span()) for match in pattern.finditer(text))


def _standing_alone(text: str, kind: str, match: re.Match[str]) -> Iterator[Finding]:
    before = text[max(0, match.start() - 1) : match.start()]
    if not before.isalnum() and before not in {".", ","}:
        yield Finding(kind, *match.span())


def _codes(text: str) -> Iterator[Finding]:
    """Numbers behind a label, such as "MRN: 998877" or "Patient ID AB-12345"."""
    for match in _CODE.finditer(text):
        label = _LABEL.search(text, max(0, match.start() - _LOOK_BACK), match.start())
        if label and not _YEAR.match(match[0]):
            yield Finding("record_number", label.start(), match.end())


def _names_and_places(text: str) -> Iterator[Finding]:
    for match in _CAPITALISED.finditer(text):
        word, (start, end) = match[0], match.span()
        titled = _TITLED.match(text, end) if word in _TITLES else None
        surname = _SURNAME.match(text, end)
        if titled:
            yield Finding("name", start, titled.end())
        elif surname and _names_a_person(text, word, start, surname.end()):
            yield Finding("name", start, surname.end())
        elif (place := _INSTITUTION.match(text, end)) and word not in _NO_PLACE:
            yield Finding("place", start, place.end())
        elif text.endswith(_BEFORE_PLACES, 0, start) and _SEEN_AT.search(text, max(0, start - _LOOK_BACK), start):
            yield Finding("place", start, end)


def _names_a_person(text: str, word: str, start: int, end: int) -> bool:
    if word.split("-", maxsplit=1)[0] in GIVEN_NAMES:
        return True
    if not _PLAIN_WORD.fullmatch(word):
        return False
    if _NAME_LABEL.search(text, max(0, start - _LOOK_BACK), start):
        return True
    return text[max(0, start - 2) : start] == ", " and _APPOSITION_END.match(text, end) is not None
