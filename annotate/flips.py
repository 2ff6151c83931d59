"""Contests in which a judge's preference changed with the order of the answers: ties that a surgeon should look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from annotate.settle import settle
from ledger.records import Split
from ledger.store import Ledger
from ledger.tables import comparisons, prompts


class Flip(NamedTuple):
    """One contest, by content ids."""

    prompt: str
    a: str
    b: str


def flips(ledger: Ledger, assessor: str, versions: Sequence[str], split: Split) -> Iterator[Flip]:
    """Where ``assessor`` flipped (`settle`) by one of these rubric versions, on the prompts of a split."""
    row = comparisons.c
    query = (
        sa.select(row.prompt, row.a, row.b, row.rubric, row.verdict, row.strength)
        .join(prompts, prompts.c.id == row.prompt)
        .where(row.assessor == assessor, row.rubric.in_(versions), prompts.c.split == split)
        .order_by(row.prompt)
    )
    rows: Iterator[Any] = ledger.rows(query)
    for prompt, said in groupby(rows, key=attrgetter("prompt")):
        contests: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
        for each in said:
            contests[each.a, each.b, each.rubric].append(each)
        yield from (Flip(prompt, a, b) for (a, b, _), heard in contests.items() if settle(heard).flipped)
