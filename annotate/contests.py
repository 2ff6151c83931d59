"""Contests: which two candidate answers are to be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

from ledger.records import Candidate, Prompt, digest

Pairing = Literal["paired", "all"]
Meeting = tuple[Candidate, Candidate, int]  # two answers, and how many pairs of samples they stand for


@dataclass(frozen=True)
class Contest:
    """Two answers to one prompt, in canonical order. ``count``: how many pairs of samples it stands for.

    Raises:
        ValueError: the answers are one, out of order, or answers to something else.
    """

    prompt: Prompt
    a: Candidate
    b: Candidate
    count: int = 1

    def __post_init__(self) -> None:
        if not self.a.id < self.b.id:
            raise ValueError("a contest's answers are two, in the order of their ids")
        if not self.a.prompt == self.b.prompt == self.prompt.id:
            raise ValueError("a contest's answers are both to its prompt")

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that an assessor of this contest reads."""
        return (*self.prompt.texts, self.a.text, self.b.text)


def contest(prompt: Prompt, one: Candidate, other: Candidate, count: int = 1) -> Contest:
    """The contest of two answers, whichever is given first."""
    a, b = sorted((one, other), key=lambda candidate: candidate.id)
    return Contest(prompt, a, b, count)


def contests_among(prompt: Prompt, candidates: Iterable[Candidate]) -> Iterator[Contest]:
    """Each answer against each other, but for those with the same text: there is nothing to choose between them."""
    for one, other in combinations(_distinct(candidates), 2):
        if one.text.strip() != other.text.strip():
            yield contest(prompt, one, other, one.count * other.count)


def round_robin(prompt: Prompt, candidates: Iterable[Candidate], k: int) -> Iterator[Contest]:
    """Each answer against ``k`` others, or against all where there are no more; each contest once.

    Which ones depends on nothing but the candidates' ids. Where ``k`` and the number of answers are both odd, one of
    them has an opponent more. Answers with the same text are one here, with the weight of all: they would be judged
    alike. The answers stand on a circle and each meets its nearest neighbours (a circulant graph), so that from two
    opponents on any two answers are linked by contests.
    """
    met = [(same[0], sum(each.count for each in same)) for same in by_text(candidates)]
    for i, j in _on_circle(len(met), k):
        (one, weight), (other, opposing) = met[i], met[j]
        yield contest(prompt, one, other, weight * opposing)


def by_text(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """The candidates that have each text (but for white space around it), all in the order of their ids."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in sorted(_distinct(candidates), key=lambda each: each.id):
        groups.setdefault(candidate.text.strip(), []).append(candidate)
    return list(groups.values())


def _on_circle(n: int, k: int) -> Iterator[tuple[int, int]]:
    """Pairs among ``n`` places so that each has ``k`` partners (one has one more where both numbers are odd)."""
    if k >= n - 1:
        yield from combinations(range(n), 2)
        return
    for i in range(n):
        for step in range(1, k // 2 + 1):
            yield i, (i + step) % n
    if k % 2:  # and the opposite place
        for i in range((n + 1) // 2):
            yield i, i + n // 2


def contests_between(
    prompt: Prompt, ours: Iterable[Candidate], theirs: Iterable[Candidate], pairing: Pairing
) -> Iterator[Contest]:
    """One model's answers against another's, each contest once; its ``count`` is its weight in a win rate.

    "paired": the i-th sample against the i-th, in an order that depends on nothing but the candidates' ids, so that
    frequent answers do not meet frequent ones more often than chance has it. "all": each sample against each.
    Identical texts stay in: between two models they are a tie, and leaving them out would inflate a difference.
    """
    met = _paired(ours, theirs) if pairing == "paired" else _each(ours, theirs)
    for one, other, count in met:
        if one.id != other.id:
            yield contest(prompt, one, other, count)


def _paired(ours: Iterable[Candidate], theirs: Iterable[Candidate]) -> Iterator[Meeting]:
    met = list(zip(_shuffled(ours), _shuffled(theirs), strict=False))
    counts = Counter((one.id, other.id) for one, other in met)
    distinct = {(one.id, other.id): (one, other) for one, other in met}
    for ids, (one, other) in distinct.items():
        yield one, other, counts[ids]


def _each(ours: Iterable[Candidate], theirs: Iterable[Candidate]) -> Iterator[Meeting]:
    for one, other in product(_distinct(ours), _distinct(theirs)):
        yield one, other, one.count * other.count


def _distinct(candidates: Iterable[Candidate]) -> Sequence[Candidate]:
    return list({candidate.id: candidate for candidate in candidates}.values())


def _shuffled(candidates: Iterable[Candidate]) -> list[Candidate]:
    samples = [(candidate, copy) for candidate in _distinct(candidates) for copy in range(candidate.count)]
    samples.sort(key=lambda sample: digest([sample[0].id, sample[1]]))
    return [candidate for candidate, _ in samples]
