"""Many contests at once, as columns: whatever was said of two answers comes to one verdict.

The same rules as `settle.settle` and `panel.panel_verdict`, for a million comparisons in a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

import numpy as np

from annotate.bootstrap import BoolArray, FloatArray, IntArray
from annotate.settle import PREFERENCES
from ledger.records import Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
CODES: Mapping[Verdict, int] = MappingProxyType({verdict: code for code, verdict in enumerate(VERDICTS)})
A, B, TIE, BOTH_BAD, INVALID = (CODES[verdict] for verdict in ("a", "b", "tie", "both_bad", "invalid"))
VALID = INVALID  # the codes below it are of valid verdicts

# A set of valid verdicts is a number, with one bit for each. One alone is the verdict; several are a tie.
BITS = np.array([1 << code if code < VALID else 0 for code in range(len(VERDICTS))], dtype=np.int64)
OF_SET = np.full(1 << VALID, TIE, dtype=np.int64)
OF_SET[0] = INVALID
OF_SET[BITS[:VALID]] = np.arange(VALID)
# The same of preferences: "both bad" prefers neither, as a tie does.
PREFERENCE_BITS = np.array([BITS[CODES[PREFERENCES.get(verdict, verdict)]] for verdict in VERDICTS], dtype=np.int64)


@dataclass(frozen=True)
class SaidColumns:
    """Comparisons as columns [comparisons]; answers, models and so on by their numbers, from 0."""

    row: IntArray  # its place in the ledger
    prompt: IntArray
    a: IntArray
    b: IntArray
    model_a: IntArray
    model_b: IntArray
    assessor: IntArray
    rubric: IntArray
    verdict: IntArray  # a place in `VERDICTS`
    count: IntArray  # how many pairs of samples it stands for


@dataclass(frozen=True)
class SettledContests:
    """Contests as columns [contests], one verdict each, and what the numbers in them stand for."""

    prompt: IntArray
    a: IntArray
    b: IntArray
    model_a: IntArray
    model_b: IntArray
    verdict: IntArray  # a place in `VERDICTS`
    count: IntArray  # how many pairs of samples it stands for
    by_key: BoolArray  # the answer key decided it
    prompts: Sequence[str]
    candidates: Sequence[str]
    models: Sequence[str]

    @property
    def valid(self) -> BoolArray:
        """Which have a verdict [contests]."""
        return np.asarray(self.verdict != INVALID)

    @property
    def points(self) -> FloatArray:
        """What ``a`` gets [contests]: 1 for a win, a half for a tie or "both bad", 0 for a loss; NaN where invalid."""
        return POINTS[self.verdict]

    def between(self, model: str, opponent: str) -> tuple[BoolArray, BoolArray]:
        """Where the model's answer is ``a`` and the opponent's ``b`` [contests], and where the other way round."""
        place = {each: number for number, each in enumerate(self.models)}
        ours, theirs = place.get(model, -1), place.get(opponent, -1)
        forth = (self.model_a == ours) & (self.model_b == theirs)
        return forth, (self.model_a == theirs) & (self.model_b == ours)

    def only(self, kept: BoolArray) -> SettledContests:
        """Some of the contests [contests], without the names of what they do not need."""
        prompt, prompts = _renumbered(self.prompt[kept], self.prompts)
        both, candidates = _renumbered(np.concatenate([self.a[kept], self.b[kept]]), self.candidates)
        models_of_both, models = _renumbered(np.concatenate([self.model_a[kept], self.model_b[kept]]), self.models)
        (a, b), (model_a, model_b) = np.split(both, 2), np.split(models_of_both, 2)
        verdict, count, by_key = self.verdict[kept], self.count[kept], self.by_key[kept]
        return SettledContests(prompt, a, b, model_a, model_b, verdict, count, by_key, prompts, candidates, models)


def _renumbered(numbers: IntArray, names: Sequence[str]) -> tuple[IntArray, Sequence[str]]:
    """The names that are used, and their numbers among these."""
    used, again = np.unique(numbers, return_inverse=True)
    return np.asarray(again, dtype=np.int64), [names[number] for number in used.tolist()]


POINTS: FloatArray = np.array([1.0, 0.0, 0.5, 0.5, np.nan])


@dataclass(frozen=True)
class Columns:
    """What `settle_columns` finds: the first comparison of each contest, and what all of its own come to."""

    first: IntArray
    verdict: IntArray
    count: IntArray
    by_key: BoolArray


@dataclass(frozen=True)
class Voices:
    """One assessor's verdict on one contest, as columns [voices]."""

    contest: IntArray
    assessor: IntArray
    verdict: IntArray
    count: IntArray


def settle_columns(said: SaidColumns, key: int) -> Columns:
    """One verdict for each contest, in the order of the answers' numbers.

    - Of each assessor only what it said by its *newest* rubric version counts, even where that is invalid: two versions
      are two questions. The newest is the one by which it last spoke on this contest.
    - All that one assessor says by it is settled: different preferences, in whatever orders, are a tie; invalid ones
      are left out.
    - Several assessors are a panel: the verdict of more than half of those who have one, else a tie.
    - Where the answer key decided, it alone counts: it was not asked for an opinion.

    Args:
        said: what was said, by whoever counts.
        key: the answer key's number among the assessors.
    """
    first, contest = contests_of(said)
    heard = voices(said, contest)
    n = len(first)
    count = np.zeros(n, dtype=np.int64)
    np.maximum.at(count, heard.contest, heard.count)
    verdict = by_majority(heard, n, heard.assessor != key)
    keyed = by_majority(heard, n, heard.assessor == key)
    by_key = keyed != INVALID
    return Columns(first.astype(np.int64), np.where(by_key, keyed, verdict), count, by_key)


def contests_of(said: SaidColumns) -> tuple[IntArray, IntArray]:
    """The first comparison of each contest [contests], and the contest of each comparison [comparisons]."""
    pair = said.a * (said.b.max(initial=0) + 1) + said.b
    _, first, contest = np.unique(pair, return_index=True, return_inverse=True)
    return first.astype(np.int64), contest.astype(np.int64)


def flipped(said: SaidColumns, contest: IntArray) -> BoolArray:
    """Which comparisons [comparisons] are of a contest whose assessor prefers, by the same rubric, different answers.

    That is what `settle.settle` calls flipped. Of each such contest, assessor and rubric one comparison is marked.
    """
    found = np.zeros(len(contest), dtype=bool)
    if not len(contest):
        return found
    asked = (contest * (said.assessor.max() + 1) + said.assessor) * (said.rubric.max() + 1) + said.rubric
    order = np.argsort(asked, kind="stable")
    starts = np.flatnonzero(np.diff(asked[order], prepend=-1))
    preferred = np.bitwise_or.reduceat(PREFERENCE_BITS[said.verdict[order]], starts)
    found[order[starts[preferred & (preferred - 1) > 0]]] = True  # more than one bit
    return found


def voices(said: SaidColumns, contest: IntArray) -> Voices:
    """Each assessor's one verdict on each contest, by the newest rubric version (`settle_columns`)."""
    if not len(contest):
        nothing = np.empty(0, dtype=np.int64)
        return Voices(nothing, nothing, nothing, nothing)
    voice = contest * (said.assessor.max() + 1) + said.assessor
    order = np.lexsort((said.row, voice))
    starts = np.flatnonzero(np.diff(voice[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    rubric = said.rubric[order]
    newest = rubric == np.repeat(rubric[starts + sizes - 1], sizes)
    sets = np.bitwise_or.reduceat(np.where(newest, BITS[said.verdict[order]], 0), starts)
    counts = np.maximum.reduceat(np.where(newest, said.count[order], 0), starts)
    leading = order[starts]
    return Voices(contest[leading], said.assessor[leading], OF_SET[sets], counts)


def by_majority(said: Voices, n: int, who: BoolArray) -> IntArray:
    """The verdict [n] of more than half of those assessors who have one; else a tie; invalid where none has one.

    Args:
        said: what was said.
        n: contests.
        who: which voices count [voices].
    """
    heard = who & (said.verdict != INVALID)
    cells = said.contest[heard] * VALID + said.verdict[heard]
    votes = np.bincount(cells, minlength=n * VALID).reshape(n, VALID)
    total = votes.sum(axis=1)
    leading = votes.argmax(axis=1)
    most = votes[np.arange(n), leading]
    return np.where(total == 0, INVALID, np.where(2 * most > total, leading, TIE))
