"""The same multiple-choice question with its options in other orders, so that no place is favoured. Pure.

A model that picks a place instead of an option is right by chance in one order, and wrong in the next one (Pezeshkpour
& Hruschka, 2024; Zheng et al., 2024: "Large language models are not robust multiple choice selectors").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger.lots import lot
from ledger.records import Prompt
from sampling.chat import LETTERS

REORDERED = "order of "  # how the source of a reordered question begins

Order = tuple[int, ...]  # for each place, the number of the written option that is shown there

# "All of the above", "Neither of these", "None": what they say depends on which options come before them.
OTHERS = r"(?:above|preceding|foregoing|these|those|them|(?:other )?(?:options|answers|choices))"
COUNTED = r"(?:all|any|both|each|either|more than one|neither|none|one|some|three|two)"
SPEAKS_OF_OTHERS = re.compile(rf"\b{COUNTED}\b.*\b{OTHERS}\b|^\W*(?:all|both|neither|none)\W*$", re.IGNORECASE)
LOOKS_DOWN = re.compile(r"\bbelow\W*$|\b(?:below|following|next) (?:option|answer|choice)s?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Showing:
    """One way in which a question is shown."""

    question: str  # id of the prompt as it is written
    order: Order
    prompt: Prompt  # what the model is asked


def written_order(prompt: Prompt) -> Order:
    """The order in which the options are written."""
    return tuple(range(len(prompt.options)))


def orders(prompt: Prompt, n: int) -> list[Order]:
    """Up to ``n`` cyclic shifts of the options, different from the written order and from each other.

    Options that speak of those above them stay last. None where an option names others by their letters or numbers, or
    speaks of options that do not all come before it. Which shifts are taken depends on the prompt's id, so that over
    many questions the right option comes to every other place as often.
    """
    movable = _movable(prompt.options)
    shifts = movable - 1
    taken = min(n, shifts)
    if taken < 1:
        return []
    start = int(lot("order of options", prompt.id) * shifts)
    chosen = [1 + (start + step * shifts // taken) % shifts for step in range(taken)]
    rest = tuple(range(movable, len(prompt.options)))
    return [(*((place + shift) % movable for place in range(movable)), *rest) for shift in chosen]


def _movable(options: Sequence[str]) -> int:
    """How many options, from the first on, can change places; 0 where none may."""
    if len(options) > len(LETTERS):
        return 0
    letters = LETTERS[: len(options)]
    if any(_names_places(text, letters) or LOOKS_DOWN.search(text) for text in options):
        return 0
    speaking = [bool(SPEAKS_OF_OTHERS.search(text)) for text in options]
    movable = len(options)
    while movable and speaking[movable - 1]:
        movable -= 1
    return 0 if any(speaking[:movable]) else movable


def _names_places(text: str, letters: str) -> bool:
    """Does an option name others: "A and C", "both a & b", "1 and 2", "only B", "option B"?"""
    joins = r"\s*(?:,|/|&|\+|\band\b|\bor\b|\bbut not\b)\s*"
    places = (f"[{letters}]", f"[{letters.lower()}]", f"[1-{len(letters)}]")
    joined = (rf"(?<![\w.-])\(?{one}\)?{joins}\(?{one}\)?(?![\w%.-])" for one in places)
    alone = rf"\b(?i:option|answer|choice|only|both|neither)\s+\(?[{letters}]\b|^\W*[{letters}]\)?\s+(?i:only|alone)\b"
    return any(re.search(pattern, text) for pattern in (*joined, alone))


def reordered(prompt: Prompt, order: Order) -> Prompt:
    """``prompt`` with its options in another order: a probe, without what its reference says of letters."""
    answer = prompt.answer and LETTERS[order.index(LETTERS.index(prompt.answer))]
    return replace(
        prompt,
        options=tuple(prompt.options[number] for number in order),
        answer=answer,
        reference=None,
        split="probe",
        source=f"{REORDERED}{prompt.id}",
    )


def showings(prompt: Prompt, n: int) -> list[Showing]:
    """``prompt`` as it is written and in up to ``n`` - 1 other orders; none where it has no options or no key."""
    if prompt.kind != "mcq" or not prompt.options or not prompt.answer:
        return []
    written = Showing(prompt.id, written_order(prompt), prompt)
    return [written, *(Showing(prompt.id, each, reordered(prompt, each)) for each in orders(prompt, n - 1))]
