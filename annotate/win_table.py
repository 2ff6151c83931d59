"""Wins and losses by prompt, as one assessor or a whole panel sees them: each contest is one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa

from annotate.assessors import PANEL
from annotate.bootstrap import IntArray
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.settled_contests import BOTH_BAD, CODES, INVALID, TIE, A, B, SaidColumns, SettledContests, settle_columns
from ledger.errors import InputError
from ledger.queries import PromptTally, either_way, superseded
from ledger.store import Ledger, uncollected
from ledger.tables import comparisons

AT_ONCE = 5_000  # rows
KEY = 0  # the answer key's number among the assessors
COLUMNS = ("row", "prompt", "a", "b", "model_a", "model_b", "assessor", "rubric", "verdict", "count")
PLAIN = {"row", "count"}  # columns that are numbers already


class _Numbers(dict[str, int]):
    """Texts, numbered as they come."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


@dataclass(frozen=True)
class Said:
    """Comparisons as columns, and what the numbers in them stand for."""

    columns: SaidColumns
    prompts: Sequence[str]
    candidates: Sequence[str]
    models: Sequence[str]
    assessors: Sequence[str]  # the answer key is the first


def win_table(ledger: Ledger, model: str, opponent: str, assessor: str, judges: Sequence[str]) -> Iterator[PromptTally]:
    """Count the contests between two models as seen by the first, by ``assessor`` and by the key where that decided.

    A contest counts once, for as many pairs of samples as it stands for, whether it was judged in both orders or
    settled by the key, by how many rubric versions or ``judges`` of a panel (`settled_contests.settle_columns`).

    Raises:
        InputError: a model against itself has neither wins nor losses.
    """
    if model == opponent:
        raise InputError("a model is not compared with itself", where=f"model {model}", advice="name two models")
    settled = settled_contests(ledger, assessor, judges, sa.or_(*either_way(model, opponent)))
    yield from tallies(settled, model, opponent, assessor)


def tallies(settled: SettledContests, model: str, opponent: str, assessor: str) -> Iterator[PromptTally]:
    """The contests between two models, counted by prompt and by who decided, as the first model sees them."""
    forth, back = settled.between(model, opponent)
    for name, decided in ((assessor, ~settled.by_key), (KEY_ASSESSOR, settled.by_key)):
        counted = (forth | back) & decided
        asked, prompt = np.unique(settled.prompt[counted], return_inverse=True)
        seen = _as_seen(settled.verdict[counted], back[counted])
        weights = settled.count[counted]
        table = np.bincount(prompt * len(CODES) + seen, weights=weights, minlength=len(asked) * len(CODES))
        counts = table.astype(np.int64).reshape(len(asked), len(CODES))[:, [A, B, TIE, BOTH_BAD, INVALID]]
        for number, row in zip(asked.tolist(), counts.tolist(), strict=True):
            yield PromptTally(settled.prompts[number], name, *row)


def _as_seen(verdict: IntArray, back: Any) -> IntArray:
    """The verdicts with "a" and "b" exchanged where the model's answer is ``b``."""
    other = np.arange(len(CODES))
    other[[A, B]] = B, A
    return np.where(back, other[verdict], verdict)


def settled_contests(
    ledger: Ledger, assessor: str, judges: Sequence[str], *where: sa.ColumnElement[bool]
) -> SettledContests:
    """Every contest with its one verdict (`settled_contests.settle_columns`).

    Superseded comparisons and hidden repeats are left out.

    Args:
        ledger: where to read.
        assessor: whose verdicts count, besides the key's.
        judges: those of the panel, where that is the assessor.
        where: further conditions on the comparisons.
    """
    names = judges if assessor == PANEL else [assessor]
    heard = said_columns(ledger, comparisons.c.assessor.in_([KEY_ASSESSOR, *names]), *where)
    said = heard.columns
    found = settle_columns(said, KEY)
    return SettledContests(
        prompt=said.prompt[found.first],
        a=said.a[found.first],
        b=said.b[found.first],
        model_a=said.model_a[found.first],
        model_b=said.model_b[found.first],
        verdict=found.verdict,
        count=found.count,
        by_key=found.by_key,
        prompts=heard.prompts,
        candidates=heard.candidates,
        models=heard.models,
    )


def said_columns(ledger: Ledger, *where: sa.ColumnElement[bool]) -> Said:
    """All comparisons for which ``where`` holds, but for superseded ones and hidden repeats."""
    numbers = {name: _Numbers() for name in COLUMNS}
    numbers["b"], numbers["model_b"] = numbers["a"], numbers["model_a"]
    numbers["assessor"][KEY_ASSESSOR] = KEY
    numbers["verdict"].update({str(verdict): code for verdict, code in CODES.items()})
    columns = _read(ledger, numbers, *where)
    return Said(columns, *(list(numbers[name]) for name in ("prompt", "a", "model_a", "assessor")))


def _read(ledger: Ledger, numbers: dict[str, _Numbers], *where: sa.ColumnElement[bool]) -> SaidColumns:
    row = comparisons.c
    later = comparisons.alias()
    gone = sa.select(later.c.row).where(later.c.id.in_(superseded()))  # few: looked up once
    query = sa.select(*(row[name] for name in COLUMNS)).where(row["count"] > 0, row.row.not_in(gone), *where)
    parts: dict[str, list[IntArray]] = {name: [np.empty(0, dtype=np.int64)] for name in COLUMNS}
    rows = ledger.rows(query)
    with uncollected():
        while some := list(islice(rows, AT_ONCE)):
            for name, values in zip(COLUMNS, zip(*some, strict=True), strict=True):
                found = values if name in PLAIN else map(numbers[name].__getitem__, values)
                parts[name].append(np.fromiter(found, np.int64, len(values)))
    return SaidColumns(**{name: np.concatenate(part) for name, part in parts.items()})
