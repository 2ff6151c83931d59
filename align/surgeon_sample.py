"""What the ledger holds of two models on held-out prompts, by surgeons and by the judge, made ready for estimates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import fmean
from typing import Any

import numpy as np
import sqlalchemy as sa

from align.prediction_powered import Contests
from align.survey_weights import DRAWN, SIMPLE, Sent, survey_weights
from annotate.assessor_kinds import MACHINES, SURGEON
from annotate.assessors import PANEL, judge_names, leading_assessor
from annotate.bootstrap import BoolArray
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.panel import panel_verdict
from annotate.review.draws import Key
from ledger.config import JudgeConfig
from ledger.errors import InputError
from ledger.queries import either_way, standing
from ledger.records import Verdict
from ledger.store import Ledger
from ledger.tables import comparisons, prompts, review_items

POINTS: Mapping[Verdict, float] = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}  # for the model of answer a
UNKNOWN = 0.5  # the judge's score where it has no verdict: any fixed value leaves the estimate unbiased


@dataclass(frozen=True)
class SurgeonSample:
    """Two models' contests on held-out prompts, scored as the first model sees them."""

    contests: Contests
    judged: BoolArray  # on which of them the judge has a valid verdict
    assessor: str  # the judge
    surgeons: int  # how many gave a valid rating
    ratings: int  # valid ones on review items of the queues with a known chance, hidden repeats left out
    invalid: Mapping[str, int]  # such ratings by cause: skipped, information is missing, ...
    answered: Mapping[str, int]  # contests with a valid rating, by queue
    newer: int  # contests left out: compared after the last push, so no surgeon could be asked
    unsampled: int  # surgeons' ratings left out: on no item, or on one of adjudication
    arrivals: tuple[float, ...]  # each prompt's first score in a random queue, in the order in which they came


@dataclass(frozen=True)
class _Rating:
    """A surgeon's last word on a review item."""

    row: int
    surgeon: str
    score: float | None
    queue: str
    cause: str


@dataclass(frozen=True)
class _Contest:
    """One contest, and what was said of it."""

    prompt: str
    key: Key
    count: int
    compared: int  # when, Unix milliseconds
    judge: float | None
    ratings: tuple[_Rating, ...]
    unsampled: int

    @property
    def surgeon(self) -> float | None:
        """The mean of its surgeons' scores, each surgeon heard once."""
        by_surgeon: dict[str, list[float]] = defaultdict(list)
        for each in self.ratings:
            if each.score is not None:
                by_surgeon[each.surgeon].append(each.score)
        return fmean(map(fmean, by_surgeon.values())) if by_surgeon else None


def surgeon_sample(ledger: Ledger, judging: JudgeConfig, model: str, opponent: str) -> SurgeonSample:
    """Read what was said of two models' answers to the held-out prompts.

    Counted of surgeons are their last words on review items of the queues with a known chance: neither superseded
    answers, nor hidden repeats, nor adjudication, nor simulated assessors. The judge is the configured one or the
    panel, both orders taken together, and the key where that decided; of several rubric versions the newest counts.
    Harm flags change no score.

    Raises:
        InputError: the models are one.
    """
    if model == opponent:
        raise InputError("a model is not compared with itself", where=f"model {model}", advice="name two models")
    items = _items(ledger)
    queues = {each.id: each.queue for each in items}
    contests = list(_contests(ledger, judging, (model, opponent), queues))
    found = {each.key for each in contests}
    return _sample(contests, [each for each in items if (each.a, each.b) in found], leading_assessor(judging))


def _items(ledger: Ledger) -> list[Any]:
    row = review_items.c
    columns = (row.id, row.a, row.b, row.queue, row.batch, row.selection_probability, row.at)
    query = sa.select(*columns).where(row.repeat_of.is_(None), row.queue.in_(DRAWN))
    return list(ledger.rows(query.order_by(row.row)))


def _contests(
    ledger: Ledger, judging: JudgeConfig, models: tuple[str, str], queues: Mapping[str, str]
) -> Iterator[_Contest]:
    leading = leading_assessor(judging)
    judges = {KEY_ASSESSOR, *(judge_names(judging) if leading == PANEL else [leading])}
    for _, rows in groupby(_said(ledger, models), key=attrgetter("prompt")):
        said: dict[Key, list[Any]] = defaultdict(list)
        for row in rows:
            said[row.a, row.b].append(row)
        for heard in said.values():
            if any(each.assessor.startswith(MACHINES) for each in heard):
                yield _contest(heard, judges, queues, ours=heard[0].model_a == models[0])


def _said(ledger: Ledger, models: tuple[str, str]) -> Iterator[Any]:
    row = comparisons.c
    columns = (row.row, row.at, row.prompt, row.a, row.b, row.model_a, row.assessor, row.verdict, row.strength)
    more = (row.rubric, row["count"], row.item, row.cause)
    held_out = sa.select(prompts.c.id).where(prompts.c.split == "eval")
    who = sa.or_(*(row.assessor.startswith(kind) for kind in (*MACHINES, SURGEON)))
    where = (sa.or_(*either_way(*models)), row.prompt.in_(held_out), row["count"] > 0, who, standing())
    return ledger.rows(sa.select(*columns, *more).where(*where).order_by(row.prompt, row.row))


def _contest(heard: Sequence[Any], judges: Collection[str], queues: Mapping[str, str], *, ours: bool) -> _Contest:
    judging = [each for each in heard if each.assessor.startswith(MACHINES)]
    rated = [each for each in heard if each.assessor.startswith(SURGEON)]
    verdict = panel_verdict(_newest([each for each in judging if each.assessor in judges])).verdict
    return _Contest(
        prompt=heard[0].prompt,
        key=(heard[0].a, heard[0].b),
        count=max(each.count for each in judging),
        compared=min(each.at for each in judging),
        judge=_score(verdict, ours=ours),
        ratings=tuple(
            _Rating(each.row, each.assessor, _score(each.verdict, ours=ours), queues[each.item], each.cause)
            for each in rated
            if each.item in queues
        ),
        unsampled=sum(each.item not in queues for each in rated),
    )


def _newest(judging: Sequence[Any]) -> list[Any]:
    """Of each judge what it said by the rubric version that it was asked by last."""
    rubric = {each.assessor: each.rubric for each in judging}
    return [each for each in judging if each.rubric == rubric[each.assessor]]


def _score(verdict: Verdict, *, ours: bool) -> float | None:
    points = POINTS.get(verdict)
    return points if points is None or ours else 1 - points


def _sample(contests: Sequence[_Contest], items: Sequence[Any], assessor: str) -> SurgeonSample:
    since = _since(contests, items)
    asked = [each for each in contests if each.key in since or not items]
    scores = {each.key: score for each in asked if (score := each.surgeon) is not None}
    sent = [Sent((each.a, each.b), each.queue, each.batch, each.selection_probability) for each in items]
    weights = survey_weights(sent, since, scores.keys())
    ratings = [rating for each in asked for rating in each.ratings]
    valid = [each for each in ratings if each.score is not None]
    return SurgeonSample(
        contests=_columns(asked, scores, weights),
        judged=np.array([each.judge is not None for each in asked], dtype=bool),
        assessor=assessor,
        surgeons=len({each.surgeon for each in valid}),
        ratings=len(valid),
        invalid=dict(Counter(each.cause or "unknown" for each in ratings if each.score is None)),
        answered=_by_queue(asked),
        newer=len(contests) - len(asked),
        unsampled=sum(each.unsampled for each in asked),
        arrivals=_arrivals(asked),
    )


def _since(contests: Sequence[_Contest], items: Sequence[Any]) -> dict[Key, int]:
    """The first push that could have drawn each contest; without those that none could.

    A push draws from all contests of two models on a split, or from none of them; which ones were there is told by
    the time at which they were compared.
    """
    pushed: dict[int, int] = {}
    for each in items:
        pushed[each.batch] = min(each.at, pushed.get(each.batch, each.at))
    could = {each.key: [batch for batch, at in pushed.items() if each.compared <= at] for each in contests}
    return {key: min(batches) for key, batches in could.items() if batches}


def _columns(contests: Sequence[_Contest], scores: Mapping[Key, float], weights: Mapping[Key, float]) -> Contests:
    """Rated are those with a weight: where no random queue was answered, nothing has one."""
    samples = Counter[str]()
    for each in contests:
        samples[each.prompt] += each.count
    return Contests(
        prompt=[each.prompt for each in contests],
        share=np.array([each.count / samples[each.prompt] for each in contests], dtype=float),
        judge=np.array([UNKNOWN if each.judge is None else each.judge for each in contests], dtype=float),
        surgeon=np.array([scores[each.key] if each.key in weights else np.nan for each in contests], dtype=float),
        weight=np.array([weights.get(each.key, 0.0) for each in contests], dtype=float),
    )


def _by_queue(contests: Sequence[_Contest]) -> dict[str, int]:
    rated = Counter(
        queue for each in contests for queue in {one.queue for one in each.ratings if one.score is not None}
    )
    return {queue: rated[queue] for queue in DRAWN if rated[queue]}


def _arrivals(contests: Sequence[_Contest]) -> tuple[float, ...]:
    first: dict[str, tuple[int, float]] = {}
    for each in contests:
        for one in each.ratings:
            if one.score is not None and one.queue in SIMPLE:
                first[each.prompt] = min(first.get(each.prompt, (one.row, one.score)), (one.row, one.score))
    return tuple(score for _, score in sorted(first.values()))
