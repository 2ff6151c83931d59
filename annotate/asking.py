"""A judging run by LLM judges: all of them at once, on one budget, in one pass or two."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import chain, islice
from statistics import fmean

from annotate.assessors import Judge
from annotate.budget import Budget
from annotate.caller import open_caller
from annotate.contests import Contest
from annotate.docket import Docket
from annotate.flips import flips
from annotate.judge import judge
from annotate.judge_report import JudgeReport
from annotate.mcq import stated_option
from annotate.quality import Points, Quality
from annotate.rated import best_worst, derived
from annotate.rating import rate
from annotate.rating_docket import RatingDocket, rating_by_answer
from annotate.scope import CHUNK, Scope
from ledger.errors import BudgetError
from ledger.records import Candidate, ModelVersion, Prompt
from ledger.screen import Advance
from ledger.workspace import Workspace

UNRATED = 0.5  # of an answer whose contests the key decides: it was not rated


@dataclass(frozen=True)
class Run:
    """What is judged, by whom, and where it is counted."""

    workspace: Workspace
    judges: Sequence[Judge]
    scope: Scope
    answered: Sequence[Prompt]
    report: JudgeReport
    advance: Advance
    budget: Budget


def passes(judge: Judge, scope: Scope) -> int:
    """How often the prompts are gone through: answers are rated, or compared, or the one and then the other."""
    return 2 if judge.pointwise or scope.best_worst else 1


async def ask_judges(run: Run) -> None:
    """Judge all that is left, until it is done or the budget is spent; where one judge fails, the others go on.

    Raises:
        EndpointError: a judge's server refuses or cannot be reached; what was answered by then is written down.
    """
    pointwise = run.judges[0].pointwise
    try:
        if pointwise or run.scope.best_worst:
            await _each(run, _rate)
        if not pointwise:
            scope = _best_against_worst(run) if run.scope.best_worst else run.scope
            await _each(replace(run, scope=scope), _compare)
    except BudgetError as error:
        run.report.stopped = error.what
    finally:
        run.report.spent = run.budget.facts()
    if pointwise:
        for each in run.judges:
            _derive(run, each)
    else:
        for each in run.judges:
            found = flips(run.workspace.ledger, each.name, each.versions, run.scope.split)
            run.report.tally(each.name).flipped = sum(1 for _ in found)
    if pointwise or run.scope.best_worst:
        run.report.quality = {each.name: _quality(run, each) for each in run.judges}


async def _each(run: Run, ask: Callable[[Run, Judge], Awaitable[None]]) -> None:
    ended = await asyncio.gather(*(ask(run, each) for each in run.judges), return_exceptions=True)
    errors = [error for error in ended if error is not None]
    for error in sorted(errors, key=lambda each: isinstance(each, BudgetError)):
        raise error


async def _compare(run: Run, assessor: Judge) -> None:
    """One judge, two answers side by side; its server is not needed where nothing is left to ask."""
    docket = Docket(run.workspace.ledger, run.scope, assessor, run.report)
    remaining = docket.work_for_judge(run.answered, run.advance)
    first = next(remaining, None)
    if first is None:
        return
    async with (
        open_caller(run.workspace, assessor.config, run.budget) as caller,
        aclosing(judge(chain([first], remaining), caller, assessor.rubric)) as made,
    ):
        async for comparisons in made:
            docket.enter(comparisons, caller.made())


async def _rate(run: Run, assessor: Judge) -> None:
    """One judge, each answer by itself; the same."""
    docket = RatingDocket(run.workspace.ledger, run.scope, assessor, run.report)
    remaining = docket.work(run.answered, run.advance)
    first = next(remaining, None)
    if first is None:
        return
    async with (
        open_caller(run.workspace, assessor.config, run.budget) as caller,
        aclosing(rate(chain([first], remaining), caller, assessor.criteria)) as made,
    ):
        async for ratings in made:
            docket.enter(ratings, caller.made())


def _derive(run: Run, assessor: Judge) -> None:
    """Compare what is rated by its points, and by the key where that decides."""
    ledger = run.workspace.ledger
    docket = Docket(ledger, run.scope, assessor, run.report)
    todo = docket.work_for_judge(run.answered, run.advance)
    while batch := list(islice(todo, CHUNK)):
        asked = {each.contest.prompt.id: each.contest.prompt for each in batch}
        rated = rating_by_answer(ledger, asked.values(), assessor)
        contests = [each.contest for each in batch if each.contest.a.id in rated and each.contest.b.id in rated]
        margin = assessor.config.tie_margin
        docket.enter([derived(each, rated[each.a.id], rated[each.b.id], margin) for each in contests])


def _best_against_worst(run: Run) -> Scope:
    """The scope in which each prompt's best answer meets its worst, by the mean of the judges' points."""
    scores: dict[str, float] = {}
    for chunk in _chunks(run):
        points: dict[str, list[float]] = defaultdict(list)
        for assessor in run.judges:
            for candidate, rating in rating_by_answer(run.workspace.ledger, chunk, assessor).items():
                points[candidate] += [rating.score] if rating.score is not None else []
        scores |= {candidate: fmean(each) for candidate, each in points.items() if each}

    def pairing(prompt: Prompt, answers: Sequence[Candidate]) -> Iterator[Contest]:
        ranked = {each.id: score for each in answers if (score := _rank(prompt, each, scores)) is not None}
        met = best_worst(prompt, answers, ranked)
        if met is not None:
            yield met

    return replace(run.scope, pairing=pairing)


def _rank(prompt: Prompt, answer: Candidate, scores: dict[str, float]) -> float | None:
    """An answer's points; whether it states the right option counts for more than all of them."""
    points = scores.get(answer.id)
    if prompt.kind != "mcq" or not prompt.answer:
        return points
    stated = stated_option(answer.text, prompt.options)
    if stated is None:
        return points
    return (UNRATED if points is None else points) + (1 if stated == prompt.answer else -1)


def _quality(run: Run, assessor: Judge) -> dict[str, Quality]:
    """By the models' names."""
    points = {model: Points() for model in run.scope.models}
    for chunk in _chunks(run):
        for rating in rating_by_answer(run.workspace.ledger, chunk, assessor).values():
            if rating.model in points:
                points[rating.model].add(rating)
    names = {model: run.workspace.ledger.get(ModelVersion, model).name for model in points}
    return {names[model]: each.quality() for model, each in points.items()}


def _chunks(run: Run) -> Iterator[list[Prompt]]:
    remaining = iter(run.answered)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
