"""Which questions are near-duplicates of each other.

Two questions are near-duplicates when the weighted Jaccard similarity of their sets of words reaches a threshold. A
word weighs log(1 + n/df) (inverse document frequency: Spärck Jones, 1972), so that what a template repeats ("What are
the symptoms of") counts little and what a question is about counts much: plain Jaccard chains every filled-in template
into one group. Candidates come from MinHash (Broder, 1997) in bands (Indyk & Motwani, 1998); each word enters the
sketch as often as it weighs (Chum, Philbin & Zisserman, 2008), so a sketch estimates the very similarity that is
checked afterwards. What is found depends on the set of questions alone, not on their order.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Sketches = NDArray[np.uint32]
Weights = NDArray[np.float64]

SLOTS = 256
RECALL = 0.97  # least chance that a pair at the threshold becomes a candidate
COPIES = 2.0  # how often a word of weight one enters the sketch
SLACK = 0.16  # five standard deviations of a sketch's estimate
NEIGHBOURS_IN_BUCKET = 64  # a bucket of more is connected through random ones of its members
SKETCHED_AT_ONCE = 5_000
COMPARED_AT_ONCE = 20_000
GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# Scripts without spaces between words give one word per character.
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W\u2e80-\u9fff\uac00-\ud7af]+")


def words_of(text: str) -> frozenset[str]:
    """The words of ``text``, whatever their case and width; the whole text where it has none."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return frozenset(_WORD.findall(plain)) or frozenset((plain.strip(),))


class WordSets:
    """The distinct sets of words of many questions, held as numbers: about 1 KB a question."""

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._numbers: dict[bytes, int] = {}
        self._words = array("q")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        """How many distinct sets there are."""
        return len(self._numbers)

    def add(self, text: str) -> int:
        """The number of the set of words of ``text``: the same for the same words."""
        known = self._vocabulary
        words = array("q", sorted(known.setdefault(word, len(known)) for word in words_of(text)))
        number = self._numbers.setdefault(words.tobytes(), len(self._numbers))
        if number == len(self._ends) - 1:
            self._words.extend(words)
            self._ends.append(len(self._words))
        return number

    def near_pairs(self, similarity: float) -> Iterator[tuple[int, int]]:
        """The pairs of sets whose weighted Jaccard similarity is at least ``similarity``, each once, smaller first."""
        if len(self) < 2:
            return
        words = np.frombuffer(self._words, dtype=np.int64)
        ends = np.frombuffer(self._ends, dtype=np.int64)
        weights = np.log1p(len(self) / np.bincount(words, minlength=len(self._vocabulary)))
        sketches = _sketches(words, ends, weights, self._hashes())
        left, right = _candidates(sketches, similarity)
        for start in range(0, len(left), COMPARED_AT_ONCE):
            a, b = left[start : start + COMPARED_AT_ONCE], right[start : start + COMPARED_AT_ONCE]
            near = _weighted_jaccard(words, ends, weights, a, b) >= similarity - 1e-9
            yield from zip(a[near].tolist(), b[near].tolist(), strict=True)

    def _hashes(self) -> NDArray[np.uint64]:
        # Python's own hash differs from run to run, and a word's number with the order of the questions.
        digests = b"".join(hashlib.blake2b(word.encode(), digest_size=8).digest() for word in self._vocabulary)
        return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _sketches(words: Integers, ends: Integers, weights: Weights, hashes: NDArray[np.uint64]) -> Sketches:
    """One MinHash sketch a set, in which each word takes part in proportion to its weight."""
    from rensa import RMinHash

    copies = np.maximum(1, np.rint(weights * COPIES)).astype(np.int64)
    sketches = np.empty((len(ends) - 1, SLOTS), dtype=np.uint32)
    for start in range(0, len(sketches), SKETCHED_AT_ONCE):
        bounds = ends[start : start + SKETCHED_AT_ONCE + 1]
        here = words[bounds[0] : bounds[-1]]
        repeats = copies[here]
        after = np.concatenate(([0], np.cumsum(repeats)))
        copy = np.arange(after[-1]) - np.repeat(after[:-1], repeats)
        tokens = np.repeat(hashes[here], repeats) + copy.astype(np.uint64) * GOLDEN
        offsets = after[bounds - bounds[0]].astype(np.uint64)
        rows: Any = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, SLOTS, 1).to_rows()
        sketches[start : start + SKETCHED_AT_ONCE] = rows
    return sketches


def rows_per_band(similarity: float) -> int:
    """How many slots of a sketch make one band: as many as still find a pair at the threshold."""
    fitting = (
        rows for rows in range(SLOTS, 1, -1) if 1 - (1 - min(similarity, 1.0) ** rows) ** (SLOTS // rows) >= RECALL
    )
    return next(fitting, 1)


def _candidates(sketches: Sketches, similarity: float) -> tuple[Integers, Integers]:
    """Pairs that share a band and whose sketches do not speak against the threshold."""
    rows, count = rows_per_band(similarity), len(sketches)
    whole = _band_keys(sketches)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, SLOTS - rows + 1, rows):
        band = sketches[:, start : start + rows]
        for left, right in _sharing(_band_keys(band), (whole ^ np.uint64(start)) * GOLDEN):
            alike = _alike(sketches, left, right, similarity - SLACK)
            low, high = np.minimum(left[alike], right[alike]), np.maximum(left[alike], right[alike])
            found.append(low * count + high)
    pairs = np.unique(np.concatenate(found))
    return pairs // count, pairs % count


def _band_keys(band: Sketches) -> NDArray[np.uint64]:
    keys = np.zeros(len(band), dtype=np.uint64)
    for column in range(band.shape[1]):
        keys = (keys ^ band[:, column]) * GOLDEN
        keys ^= keys >> np.uint64(29)
    return keys


def _sharing(keys: NDArray[np.uint64], shuffled: NDArray[np.uint64]) -> Iterator[tuple[Integers, Integers]]:
    """Pairs of positions with one key; of a key held by many, each with its next ones in ``shuffled`` order."""
    order = np.lexsort((shuffled, keys))
    ordered = keys[order]
    for step in range(1, min(NEIGHBOURS_IN_BUCKET, len(keys) - 1) + 1):
        at = np.flatnonzero(ordered[step:] == ordered[:-step])
        if not len(at):
            return
        yield order[at], order[at + step]


def _alike(sketches: Sketches, left: Integers, right: Integers, least: float) -> NDArray[np.bool_]:
    parts = [
        np.count_nonzero(
            sketches[left[start : start + COMPARED_AT_ONCE]] == sketches[right[start : start + COMPARED_AT_ONCE]],
            axis=1,
        )
        for start in range(0, len(left), COMPARED_AT_ONCE)
    ]
    return np.concatenate(parts) >= least * SLOTS


def _weighted_jaccard(words: Integers, ends: Integers, weights: Weights, left: Integers, right: Integers) -> Weights:
    """The weight of the words that both sets of each pair have, over that of the words that either has."""
    left_pair, left_words = _gather(words, ends, left)
    right_pair, right_words = _gather(words, ends, right)
    shared = np.intersect1d(
        left_pair * len(weights) + left_words, right_pair * len(weights) + right_words, assume_unique=True
    )
    pairs = len(left)
    both = np.bincount(shared // len(weights), weights[shared % len(weights)], pairs)
    one = np.bincount(left_pair, weights[left_words], pairs)
    other = np.bincount(right_pair, weights[right_words], pairs)
    return np.asarray(both / (one + other - both), dtype=np.float64)


def _gather(words: Integers, ends: Integers, sets: Integers) -> tuple[Integers, Integers]:
    """The words of ``sets``, one after the other, and for each word the position of its set in ``sets``."""
    sizes = ends[sets + 1] - ends[sets]
    position = np.repeat(np.arange(len(sets)), sizes)
    within = np.arange(len(position)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return position, words[ends[sets][position] + within]
