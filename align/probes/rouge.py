"""ROUGE: how much of a reference's wording an answer has (Lin, 2004). Pure.

Words are what is left of a text in small letters between characters other than a to z and 0 to 9, without stemming, as
in the ``rouge_score`` package, whose figures these are: made for English.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile("[a-z0-9]+")


def words(text: str) -> list[str]:
    """The words of a text."""
    return WORD.findall(text.lower())


def rouge_n(answer: Sequence[str], reference: Sequence[str], n: int) -> float:
    """ROUGE-N F1, in [0, 1]: of the sequences of ``n`` words, each as often as both have it."""
    ours, theirs = (Counter(ngrams(text, n)) for text in (answer, reference))
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(answer: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-L F1, in [0, 1]: of the longest common subsequence of words, over the whole text."""
    return _f1(longest_common(answer, reference), len(answer), len(reference))


def ngrams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All sequences of ``n`` words."""
    return [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence, a word of ``other`` at a time (Hyyro, 2004: bit-parallel)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(one)) - 1
    unmatched = every
    for word in other:
        met = unmatched & places.get(word, 0)
        unmatched = ((unmatched + met) | (unmatched - met)) & every
    return len(one) - unmatched.bit_count()


def _f1(common: int, ours: int, theirs: int) -> float:
    return 2 * common / (ours + theirs) if common else 0.0
