"""Which answers are compared: of which models, to which prompts, and how they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import sqlalchemy as sa

from annotate.contests import Contest, contests_among, contests_between, round_robin
from ledger.config import EvaluateConfig, JudgeConfig
from ledger.errors import StageError
from ledger.records import Candidate, ModelVersion, Prompt, Split
from ledger.store import Ledger
from ledger.tables import candidates, prompts

CHUNK = 200  # prompts whose answers are held at once

Pairing = Callable[[Prompt, Sequence[Candidate]], Iterable[Contest]]


@dataclass(frozen=True)
class Scope:
    """Whose answers to which prompts are compared, and how they meet."""

    models: tuple[str, ...]  # ids
    split: Split
    pairing: Pairing
    best_worst: bool = False  # all are rated first, and only the best meets the worst


def scope_within(model: ModelVersion, split: Split, config: JudgeConfig) -> Scope:
    """One model's answers among themselves, as `[judge] contests` says."""
    pairing = partial(round_robin, k=config.opponents) if config.contests == "round_robin" else contests_among
    return Scope((model.id,), split, pairing, best_worst=config.contests == "best_worst")


def scope_between(model: ModelVersion, opponent: ModelVersion, split: Split, config: EvaluateConfig) -> Scope:
    """One model's answers against another's, as `[evaluate] contests` says."""

    def between(prompt: Prompt, answers: Sequence[Candidate]) -> Iterable[Contest]:
        ours = [answer for answer in answers if answer.model == model.id]
        theirs = [answer for answer in answers if answer.model == opponent.id]
        return contests_between(prompt, ours, theirs, config.contests)

    return Scope((model.id, opponent.id), split, between)


def answered_prompts(ledger: Ledger, scope: Scope) -> list[Prompt]:
    """The prompts of the split that the first model has answered.

    Raises:
        StageError: one of the models has answered none of them.
    """
    for model in scope.models:
        has_answers = prompts.c.id.in_(_prompts_of(model))
        if not ledger.count(Prompt, prompts.c.split == scope.split, has_answers):
            raise StageError(
                f"no answers to {scope.split} prompts", where=f"model {model}", advice="run `wardround sample`"
            )
    return list(ledger.read(Prompt, prompts.c.split == scope.split, prompts.c.id.in_(_prompts_of(scope.models[0]))))


def _prompts_of(model: str) -> sa.Select[tuple[str]]:
    return sa.select(candidates.c.prompt).where(candidates.c.model == model)


def contests_in(ledger: Ledger, answered: Iterable[Prompt], scope: Scope) -> Iterator[tuple[Prompt, list[Contest]]]:
    """Each prompt with its contests, a chunk of prompts at a time."""
    remaining = iter(answered)
    while chunk := list(islice(remaining, CHUNK)):
        answers = answers_to(ledger, chunk, scope.models)
        for prompt in chunk:
            yield prompt, list(scope.pairing(prompt, answers.get(prompt.id, [])))


def answers_to(ledger: Ledger, chunk: Sequence[Prompt], models: Sequence[str]) -> dict[str, list[Candidate]]:
    """Some models' answers, by prompt."""
    found: dict[str, list[Candidate]] = {}
    ids = [prompt.id for prompt in chunk]
    for candidate in ledger.read(Candidate, candidates.c.prompt.in_(ids), candidates.c.model.in_(models)):
        found.setdefault(candidate.prompt, []).append(candidate)
    return found
