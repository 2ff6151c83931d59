"""Where two texts differ, word by word, in time that is bounded whatever they say."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, groupby, takewhile
from operator import itemgetter

WORD = re.compile(r"\S+\s*|\s+")
MOST_WORDS = 20_000  # of both texts
MOST_STEPS = 2_000_000  # of the search for longest common runs, about a third of a second
ALIKE = 0.15  # share of words in common: where there are fewer, all would be marked, which shows nothing

TOO_LONG = "These answers are too long, or too repetitive, for their differences to be marked."
TOO_DIFFERENT = "These answers have hardly a passage in common, so nothing is marked."
THE_SAME = "These answers are the same, word for word."


@dataclass(frozen=True)
class Piece:
    """A passage of one text; ``own``: the other text does not have it there."""

    text: str
    own: bool = False


Pieces = tuple[Piece, ...]


@dataclass(frozen=True)
class Differences:
    """Two texts in pieces. Joined, the pieces are the text; ``note``: why nothing is marked, "" where something is."""

    left: Pieces
    right: Pieces
    note: str = ""


def differences(left: str, right: str) -> Differences:
    """Mark the words that only one of two texts has. White space does not count, and goes with the word before it.

    Words that either text has once hold the texts together (patience diff, Cohen). In the gaps between them the longest
    run of common words is kept, then the longest before and after it, and so on (Ratcliff and Metzener, 1988).
    """
    ours, theirs = WORD.findall(left), WORD.findall(right)
    a, b = [each.strip() for each in ours], [each.strip() for each in theirs]
    unmarked = (Piece(left),), (Piece(right),)
    if a == b:
        return Differences(*unmarked, THE_SAME if a else "")
    if len(a) + len(b) > MOST_WORDS:
        return Differences(*unmarked, TOO_LONG)
    try:
        common = _common(a, b)
    except _TooLongError:
        return Differences(*unmarked, TOO_LONG)
    if 2 * len(common) < ALIKE * (len(a) + len(b)):
        return Differences(*unmarked, TOO_DIFFERENT)
    kept_a, kept_b = {i for i, _ in common}, {j for _, j in common}
    return Differences(
        _pieces(ours, [i in kept_a for i in range(len(a))]), _pieces(theirs, [j in kept_b for j in range(len(b))])
    )


class _TooLongError(Exception):
    """The search was given up."""


class _Bounded(SequenceMatcher[str]):
    """A search that is given up when it has taken too many steps."""

    def __init__(self, a: Sequence[str], b: Sequence[str], steps: int) -> None:
        super().__init__(None, a, b, autojunk=False)
        counts = Counter(b)
        meetings = (counts[word] + 1 for word in a)
        self._before = list(accumulate(meetings, initial=0))
        self.steps = steps

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        self.steps -= self._before[-1 if ahi is None else ahi] - self._before[alo]
        if self.steps < 0:
            raise _TooLongError
        return super().find_longest_match(alo, ahi, blo, bhi)


def _common(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the words that two texts have in common, in the same order."""
    head = _alike(a, b)
    tail = _alike(a[head:][::-1], b[head:][::-1])
    end_a, end_b = len(a) - tail, len(b) - tail
    found = [(place, place) for place in range(head)]
    steps = MOST_STEPS
    at_a, at_b = head, head
    for i, j in [*_anchors(a[head:end_a], b[head:end_b], head), (end_a, end_b)]:
        search = _Bounded(a[at_a:i], b[at_b:j], steps)
        for run in search.get_matching_blocks():
            found += [(at_a + run.a + place, at_b + run.b + place) for place in range(run.size)]
        steps = search.steps
        if i < end_a:
            found.append((i, j))
        at_a, at_b = i + 1, j + 1
    return found + [(end_a + place, end_b + place) for place in range(tail)]


def _anchors(a: Sequence[str], b: Sequence[str], offset: int) -> list[tuple[int, int]]:
    """The places of the words that each text has once: the longest series of them that both have in the same order."""
    once_a, once_b = ({word for word, count in Counter(text).items() if count == 1} for text in (a, b))
    place = {word: j for j, word in enumerate(b) if word in once_a & once_b}
    shared = [(i, place[word]) for i, word in enumerate(a) if word in place]
    ends: list[int] = []  # the least last place in b of a rising series of each length
    last: list[int] = []  # which of ``shared`` that is
    before: list[int] = []  # and which goes before each
    for number, (_, j) in enumerate(shared):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [number]
    series, number = [], last[-1] if last else -1
    while number >= 0:
        series.append(shared[number])
        number = before[number]
    return [(i + offset, j + offset) for i, j in reversed(series)]


def _alike(a: Sequence[str], b: Sequence[str]) -> int:
    """How many words two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _pieces(words: Sequence[str], kept: Sequence[bool]) -> Pieces:
    """Neighbours of one sort as one piece; the white space behind the last marked word is not marked."""
    found: list[Piece] = []
    for common, some in groupby(zip(words, kept, strict=True), key=itemgetter(1)):
        text = "".join(word for word, _ in some)
        if common:
            before = found.pop().text if found and not found[-1].own else ""
            found.append(Piece(before + text))
        elif bare := text.rstrip():
            found += [Piece(bare, own=True), Piece(text[len(bare) :])]
        else:
            found.append(Piece(text))
    return tuple(each for each in found if each.text)
