r"""Multiple-choice questions: two answers compared by the key, without a judge.

Only a clearly stated option letter counts. "The answer is B", "B is correct", ``\boxed{B}``, a line with nothing but
"B", and an answer that opens with "B. Ilioinguinal nerve" state one; going through the options, or "A or B", do not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from annotate.contests import Contest
from ledger.records import Comparison, Verdict
from sampling.chat import LETTERS

ASSESSOR = "metric:key"
CERTAIN = 1.0  # P(the answer with the right option is better): the key decides

LETTER = rf"\(?([{LETTERS}])\)?"
DENIED = r"(\b(?:wrong|incorrect|false|not (?:the|a|an)|n't (?:the|a|an)) +)?"
NOUN = r"(?i:(?:correct |right |best |final |single best )*(?:answer|option|choice))"
STATES = r"(?i:\s+(?:is|would be|must be|should be)\s*:?|\s*[:=])\s*(?i:(?:option|answer|choice)\s+)?"
# What may follow a stated letter. A full stop before a small letter is a name: "C. difficile".
ENDED = r"(?=\s*$|\s*[(,;:!)\]}\u2013\u2014\"'-]|\s*\.(?!\s*[a-z])|\s+(?:because|since|as|for|due|which)\b)"
ANOTHER = rf"(\s*(?:,|/|or|and|&)\s*(?!I\s+[a-z])\(?[{LETTERS}]\)?(?![a-zA-Z]))"  # "A, I think" names no I
SENTENCE = r"(?:^[ \t]*|(?<=[.;:!?,]\s)|(?i:(?<=\boption\s)|(?<=\banswer\s)|(?<=\bchoice\s)))"
SEVERAL = rf"((?:[{LETTERS}]\s*(?:,|/|or|and|&)\s*)+)?"
IS_RIGHT = r"(?i:\s+(?:is|would be)\s+(?:the\s+)?(?:(?:single\s+)?best|correct|right)\b)"

# In the order of their groups: (denied, letter, another), (several, letter), (letter), (letter).
STATED = re.compile(
    "|".join(
        (
            f"{DENIED}{NOUN}{STATES}{LETTER}(?:{ANOTHER}|{ENDED})",  # The answer is (B); Answer: B
            f"{SENTENCE}{SEVERAL}{LETTER}{IS_RIGHT}",  # B is correct; option B is the right answer
            rf"\\boxed\{{(?:\\text\{{)?\s*{LETTER}\s*\}}",
            rf"^[ \t]*{LETTER}[.):]?[ \t\r]*$",
        )
    ),
    re.MULTILINE,
)
LABEL = re.compile(rf"^[ \t]*(?:\(([{LETTERS}])\)|([{LETTERS}])[.):])\s+", re.MULTILINE)
EMPHASIS = re.compile(r"[*_`]+")  # Markdown's


def stated_option(text: str, options: Sequence[str] = ()) -> str | None:
    """The letter of the option that an answer settles on: the last clear statement counts.

    None if it states none, or if the last statement names two. ``options``: their texts, which tell the label of an
    option from the start of a name.
    """
    plain = EMPHASIS.sub("", text)
    statements = [match.groups() for match in STATED.finditer(plain) if not match[1]]
    if not statements:
        return _opening_label(plain, options)
    _, named, another, several, judged, boxed, alone = statements[-1]
    return None if another or several else named or judged or boxed or alone


def _opening_label(text: str, options: Sequence[str]) -> str | None:
    """The option that an answer opens with, unless it lists other ones too."""
    opening = LABEL.match(text)
    labels = {match[1] or match[2] for match in LABEL.finditer(text)}
    if opening is None or len(labels) != 1:
        return None
    letter: str = labels.pop()
    option = dict(zip(LETTERS, options, strict=False)).get(letter, "")
    rest = text[opening.end() :]
    is_option = bool(option) and rest.casefold().startswith(option.casefold())
    is_name = opening.group().rstrip().endswith(".") and rest[:1].islower() and not is_option  # C. difficile
    return None if is_name else letter


def compare_by_key(contest: Contest) -> Comparison | None:
    """The verdict of the key where one answer states the right option and the other a wrong one.

    None where the key cannot decide: no multiple-choice question, both right, both wrong, or a letter is not clear.
    """
    prompt, key = contest.prompt, contest.prompt.answer
    if prompt.kind != "mcq" or not key:
        return None
    a, b = (stated_option(candidate.text, prompt.options) for candidate in (contest.a, contest.b))
    if a is None or b is None or (a == key) == (b == key):
        return None
    verdict: Verdict = "a" if a == key else "b"
    return Comparison(
        prompt=prompt.id,
        a=contest.a.id,
        b=contest.b.id,
        model_a=contest.a.model,
        model_b=contest.b.model,
        assessor=ASSESSOR,
        verdict=verdict,
        count=contest.count,
        strength=CERTAIN if verdict == "a" else 1 - CERTAIN,
        rationale=f"key {key}: a states {a}, b states {b}",
    )
