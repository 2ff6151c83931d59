"""Wins and losses by prompt, as one assessor or a whole panel sees them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from annotate.assessors import PANEL
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.panel import panel_verdict
from ledger.queries import PromptTally, contest_table, either_way
from ledger.records import Verdict
from ledger.store import Ledger
from ledger.tables import comparisons

SWAPPED: dict[Verdict, Verdict] = {"a": "b", "b": "a"}


class _Heard(NamedTuple):
    """One verdict on one contest."""

    assessor: str
    verdict: Verdict
    strength: float


def win_table(ledger: Ledger, model: str, opponent: str, assessor: str, judges: Sequence[str]) -> Iterator[PromptTally]:
    """Count the verdicts between two models as seen by the first, by ``assessor`` and by the key where that decided.

    For the panel it is the panel's verdict on each contest (`panel.panel_verdict`), both orders and all ``judges`` of
    which are one.

    Raises:
        InputError: a model against itself has neither wins nor losses.
    """
    if assessor != PANEL:
        return contest_table(ledger, model, opponent, [assessor, KEY_ASSESSOR])
    return _by_panel(ledger, model, opponent, judges)


def _by_panel(ledger: Ledger, model: str, opponent: str, judges: Sequence[str]) -> Iterator[PromptTally]:
    yield from contest_table(ledger, model, opponent, [KEY_ASSESSOR])
    row = comparisons.c
    columns = (row.prompt, row.a, row.b, row.model_a, row.assessor, row.verdict, row.strength, row["count"])
    query = sa.select(*columns).where(sa.or_(*either_way(model, opponent)), row.assessor.in_(judges))
    rows: Iterator[Any] = ledger.rows(query.order_by(row.prompt))
    for prompt, said in groupby(rows, key=attrgetter("prompt")):
        yield _tally(prompt, said, model)


def _tally(prompt: str, said: Iterable[Any], model: str) -> PromptTally:
    contests: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in said:
        contests[row.a, row.b].append(row)
    counts = Counter[Verdict]()
    for heard in contests.values():
        verdict = panel_verdict(_Heard(row.assessor, row.verdict, row.strength) for row in heard).verdict
        ours = heard[0].model_a == model
        counts[verdict if ours else SWAPPED.get(verdict, verdict)] += heard[0].count
    return PromptTally(prompt, PANEL, *(counts[verdict] for verdict in ("a", "b", "tie", "both_bad", "invalid")))
