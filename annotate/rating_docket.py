"""One judge's docket in pointwise judging: the answers that it has left to rate, and what it has rated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice

from annotate.assessors import Judge
from annotate.contests import Contest
from annotate.judge_report import JudgeReport
from annotate.mcq import compare_by_key
from annotate.rating import Answer
from annotate.scope import CHUNK, Scope, answers_to
from ledger.records import Call, Candidate, Prompt, Rating
from ledger.screen import Advance
from ledger.store import Ledger
from ledger.tables import ratings


class RatingDocket:
    """One judge's part of a run; an invalid rating is left to do too, as an invalid comparison is (`docket.Docket`)."""

    def __init__(self, ledger: Ledger, scope: Scope, judge: Judge, report: JudgeReport) -> None:
        """``report``: where everything is counted."""
        self.judge = judge
        self._ledger, self._scope = ledger, scope
        self._tally = report.tally(judge.name)
        self._invalid: set[str] = set()  # ids of invalid ratings that are known

    def work(self, answered: Sequence[Prompt], advance: Advance) -> Iterator[Answer]:
        """What is left, a chunk of prompts at a time."""
        remaining = iter(answered)
        while chunk := list(islice(remaining, CHUNK)):
            known = self._known(chunk)
            answers = answers_to(self._ledger, chunk, self._scope.models)
            for prompt in chunk:
                for candidate in to_be_rated(prompt, answers.get(prompt.id, []), self._scope):
                    if candidate.id in known:
                        self._tally.known_ratings += 1
                    else:
                        yield Answer(prompt, candidate)
                advance(1)

    def enter(self, made: Sequence[Rating], calls: Sequence[Call] = ()) -> None:
        """Write down and count what was rated, and the calls that it took, in one transaction."""
        new = [rating for rating in made if rating.id not in self._invalid]
        self._tally.known_ratings += len(made) - len(new)
        self._ledger.append([*calls, *new])
        self._tally.add_ratings(new)

    def _known(self, chunk: Sequence[Prompt]) -> set[str]:
        found = ratings_of(self._ledger, chunk, self.judge)
        self._invalid.update(rating.id for rating in found if rating.score is None)
        return {rating.candidate for rating in found if rating.score is not None}


def to_be_rated(prompt: Prompt, answers: Sequence[Candidate], scope: Scope) -> list[Candidate]:
    """Those in contests that the key does not decide; where nothing meets, each, for its own quality."""
    contests: list[Contest] = list(scope.pairing(prompt, answers))
    left = [contest for contest in contests if compare_by_key(contest) is None]
    met = dict.fromkeys(chain.from_iterable((contest.a.id, contest.b.id) for contest in left))
    return [answer for answer in answers if answer.id in met or not contests]


def ratings_of(ledger: Ledger, chunk: Collection[Prompt], judge: Judge) -> list[Rating]:
    """One judge's ratings of the answers to some prompts, by its present criteria."""
    row = ratings.c
    versions = {prompt.id: judge.criteria.of(prompt.mode).version for prompt in chunk}
    found = ledger.read(Rating, row.prompt.in_(list(versions)), row.assessor == judge.name)
    return [rating for rating in found if rating.rubric == versions[rating.prompt]]


def rating_by_answer(ledger: Ledger, chunk: Collection[Prompt], judge: Judge) -> dict[str, Rating]:
    """The same by the candidates' ids: of several the valid one, else the newest."""
    found: dict[str, Rating] = {}
    for rating in ratings_of(ledger, chunk, judge):
        if rating.score is not None or found.get(rating.candidate, rating).score is None:
            found[rating.candidate] = rating
    return found
