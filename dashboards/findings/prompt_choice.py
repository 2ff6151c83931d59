"""Which prompts a reader asks for: filters on the index, and what has to be looked up in the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import orjson
import sqlalchemy as sa

from annotate.bootstrap import BoolArray, IntArray
from dashboards.findings.prompt_index import PromptIndex
from ledger.queries import either_way, superseded
from ledger.records import Prompt
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, prompts

Result = Literal["won", "lost", "tie", "both bad", "invalid", "compared"]
FIELDS = ("split", "mode", "kind", "topic")
FLAGS = ("disagree", "harm", "surgeons_harm", "flipped")
AT_ONCE = 500  # prompts whose answers are searched by one query


@dataclass(frozen=True)
class PromptColumns:
    """The index as arrays [prompts], to be filtered in milliseconds."""

    fields: dict[str, tuple[list[str], IntArray]]  # name -> values that there are, and which of them each prompt has
    flags: dict[str, BoolArray]

    def fitting(self, equal: dict[str, str], flag: str = "") -> IntArray:
        """The places of the prompts with these values (column -> value) and this flag."""
        keep = np.ones(len(self.flags["harm"]), dtype=bool) if not flag else self.flags[flag].copy()
        for name, value in equal.items():
            values, code = self.fields[name]
            keep &= code == values.index(value) if value in values else False
        return np.flatnonzero(keep)


def columns_of(index: PromptIndex) -> PromptColumns:
    """The index as arrays."""
    fields = {}
    for name in FIELDS:
        column = getattr(index, name)
        values = sorted(set(column))
        codes = {value: code for code, value in enumerate(values)}
        fields[name] = (values, np.fromiter((codes[each] for each in column), np.int64, len(column)))
    return PromptColumns(fields, {name: np.array(getattr(index, name), dtype=bool) for name in FLAGS})


def with_result(ledger: Ledger, model: str, opponent: str, result: Result) -> set[str]:
    """The ids of the prompts on which somebody said this of two models' answers, as the first of them sees it."""
    row = comparisons.c
    forth, back = either_way(model, opponent)
    conditions = {
        "won": sa.or_(forth & (row.verdict == "a"), back & (row.verdict == "b")),
        "lost": sa.or_(forth & (row.verdict == "b"), back & (row.verdict == "a")),
        "compared": sa.or_(forth, back),
    }
    said = conditions.get(result, sa.or_(forth, back) & (row.verdict == result.replace(" ", "_")))
    # Prompts with a superseded one are looked at apart, so that the rest is read from the index alone.
    doubtful = sa.select(row.prompt).where(row.id.in_(superseded()))
    query = sa.select(row.prompt).where(said, row["count"] > 0).distinct()
    again = query.where(row.prompt.in_(doubtful), row.id.not_in(superseded()))
    gone, found, kept = ({each.prompt for each in ledger.rows(asked)} for asked in (doubtful, query, again))
    return (found - gone) | kept


@dataclass
class TextSearch:
    """A search for a text in some prompts and in all answers to them, a while at a time.

    Attributes:
        text: what is looked for, in any case
        places: of the prompts in the index, in its order
        found: the places of those that hold it, so far
        searched: how many were looked at, so far
    """

    text: str
    places: IntArray
    found: list[int] = field(default_factory=list)
    searched: int = 0

    @property
    def done(self) -> bool:
        """Was everything looked at?"""
        return self.searched >= len(self.places)

    def go_on(self, ledger: Ledger, index: PromptIndex, seconds: float) -> None:
        """Look at further prompts until the time is over, or nothing is left; at some of them in any case."""
        end = time.monotonic() + seconds
        while not self.done:
            some = self.places[self.searched : self.searched + AT_ONCE].tolist()
            holding = _holding(ledger, [index.id[place] for place in some], self.text)
            self.found += [place for place in some if index.id[place] in holding]
            self.searched += len(some)
            if time.monotonic() > end:
                return


def _holding(ledger: Ledger, ids: Sequence[str], text: str) -> set[str]:
    """Of these prompts, the ids of those that hold a text, or an answer to which does."""
    answer = candidates.c
    query = sa.select(answer.prompt).where(answer.prompt.in_(ids), _holds(answer.text, text)).distinct()
    found = {each.prompt for each in ledger.rows(query)}
    row = prompts.c
    # They are kept as JSON, of which the keys would be found too: so a text that is in the JSON is looked up in it.
    kept = orjson.dumps(text).decode()[1:-1]
    asked = sa.or_(
        *(_holds(column, kept) for column in (row.messages, row.context, row.options)), _holds(row.reference, text)
    )
    for prompt in ledger.read(Prompt, row.id.in_(set(ids) - found), asked):
        if any(text.casefold() in said.casefold() for said in prompt.texts):
            found.add(prompt.id)
    return found


def _holds(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Condition: the column holds the text in any case. SQLite folds ASCII alone: other letters in either case."""
    written = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize()}
    return sa.or_(*(column.icontains(each, autoescape=True) for each in sorted(written)))
