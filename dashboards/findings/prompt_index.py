"""Every prompt, with what the filters of the page "Answers" ask of it, as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import orjson
import sqlalchemy as sa

from annotate.assessor_kinds import JUDGE, SURGEON
from annotate.bootstrap import BoolArray, IntArray
from annotate.settled_contests import A, B, by_majority, contests_of, flipped, voices
from annotate.win_table import Said, said_columns
from dashboards.findings.known_models import known_models
from ledger.queries import superseded
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, prompts
from ledger.workspace import Workspace

STARTS = 160  # characters of a question that the list shows
JUDGING = (JUDGE, "metric:reference")  # the answer key is asked for no opinion


@dataclass(frozen=True)
class AnsweringModel:
    """A model that has answered, or whose answers were compared."""

    id: str
    label: str  # no two are alike
    sft: str  # id of the SFT model that it descends from; its own if it is one
    answers: int  # distinct ones


@dataclass(frozen=True)
class PromptIndex:
    """All prompts as columns [prompts], in the order in which they came, and the models, the newest first.

    Attributes:
        id: content ids
        split: "train", "eval" or "probe"
        mode: "clinical" or "exam"
        kind: "open" or "mcq"
        topic: "" where it has none
        question: the start of the last user turn, in one line
        answers: how many different ones there are
        comparisons: how many count; neither superseded ones nor hidden repeats
        disagree: some judge prefers one answer where most surgeons who were asked prefer the other
        harm: somebody flagged a critical harm, in a hidden repeat too
        surgeons_harm: a surgeon did
        flipped: some judge's preference changed with the order (`annotate.settle`)
        models: those that were registered
    """

    id: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    mode: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()
    question: tuple[str, ...] = ()
    answers: tuple[int, ...] = ()
    comparisons: tuple[int, ...] = ()
    disagree: tuple[bool, ...] = ()
    harm: tuple[bool, ...] = ()
    surgeons_harm: tuple[bool, ...] = ()
    flipped: tuple[bool, ...] = ()
    models: tuple[AnsweringModel, ...] = ()

    @cached_property
    def place(self) -> dict[str, int]:
        """Each prompt's place, by id."""
        return {each: place for place, each in enumerate(self.id)}


def find_prompts(workspace: Workspace) -> PromptIndex:
    """Read it from the ledger."""
    ledger = workspace.ledger
    row = prompts.c
    known = list(
        ledger.rows(sa.select(row.id, row.split, row.mode, row.kind, row.topic, row.messages).order_by(row.row))
    )
    place = {each.id: number for number, each in enumerate(known)}
    compared, disagree, turned = _of_comparisons(ledger, place)
    harm, by_surgeon = _harmed(ledger, place)
    answered = _answered(ledger)
    return PromptIndex(
        id=tuple(place),
        split=tuple(each.split for each in known),
        mode=tuple(each.mode for each in known),
        kind=tuple(each.kind for each in known),
        topic=tuple(each.topic for each in known),
        question=tuple(_start(each.messages) for each in known),
        answers=tuple(answered[each] for each in place),
        comparisons=tuple(compared.tolist()),
        disagree=tuple(disagree.tolist()),
        harm=tuple(harm.tolist()),
        surgeons_harm=tuple(by_surgeon.tolist()),
        flipped=tuple(turned.tolist()),
        models=tuple(_models(ledger)),
    )


def _start(messages: str) -> str:
    """The beginning of the last turn, in one line."""
    said = " ".join(str(orjson.loads(messages)[-1][1]).split())
    return said if len(said) <= STARTS else said[: STARTS - 1] + "…"


def _models(ledger: Ledger) -> Iterator[AnsweringModel]:
    row = candidates.c
    query = sa.select(row.model, sa.func.count().label("answers")).group_by(row.model)
    answered = Counter({each.model: each.answers for each in ledger.rows(query)})
    for model in reversed(known_models(ledger)):
        yield AnsweringModel(model.id, model.label, model.opponents.get("sft", model.id), answered[model.id])


def _answered(ledger: Ledger) -> Counter[str]:
    row = candidates.c
    query = sa.select(row.prompt, sa.func.count().label("answers")).group_by(row.prompt)
    return Counter({each.prompt: each.answers for each in ledger.rows(query)})


def _harmed(ledger: Ledger, place: dict[str, int]) -> tuple[BoolArray, BoolArray]:
    """Where anybody flags a critical harm [prompts], and where a surgeon does."""
    row = comparisons.c
    harmful = row.flags.contains("harm_", autoescape=True)
    query = sa.select(row.prompt, row.assessor).where(harmful, row.id.not_in(superseded())).distinct()
    anybody, surgeon = np.zeros(len(place), dtype=bool), np.zeros(len(place), dtype=bool)
    for each in ledger.rows(query):
        anybody[place[each.prompt]] = True
        surgeon[place[each.prompt]] |= each.assessor.startswith(SURGEON)
    return anybody, surgeon


def _of_comparisons(ledger: Ledger, place: dict[str, int]) -> tuple[IntArray, BoolArray, BoolArray]:
    """How many comparisons there are [prompts], where judges and surgeons disagree, and where a judge flipped."""
    said = said_columns(ledger)
    prompt = np.array([place[each] for each in said.prompts], dtype=np.int64)[said.columns.prompt]
    first, contest = contests_of(said.columns)
    judges = np.array([each.startswith(JUDGING) for each in said.assessors])
    disagree, turned = np.zeros(len(place), dtype=bool), np.zeros(len(place), dtype=bool)
    disagree[prompt[first[_disagreed(said, contest, len(first), judges)]]] = True
    turned[prompt[flipped(said.columns, contest) & judges[said.columns.assessor]]] = True
    return np.bincount(prompt, minlength=len(place)), disagree, turned


def _disagreed(said: Said, contest: IntArray, n: int, judges: BoolArray) -> IntArray:
    """The contests of which some judge prefers one answer, and the majority of the surgeons the other."""
    heard = voices(said.columns, contest)
    surgeons = np.array([each.startswith(SURGEON) for each in said.assessors])
    theirs = by_majority(heard, n, surgeons[heard.assessor])[heard.contest]
    opposed = ((heard.verdict == A) & (theirs == B)) | ((heard.verdict == B) & (theirs == A))
    found: IntArray = heard.contest[opposed & judges[heard.assessor]]
    return found
