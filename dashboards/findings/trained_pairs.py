"""SQL for the pages "Lineage" and "Training": the pairs that models were trained on, and who stands behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from annotate.assessor_kinds import SURGEON, SURGEONS
from ledger.store import Ledger
from ledger.tables import comparisons, pairs, training_pairs


def trained_on(*columns: Any) -> sa.Select[Any]:
    """A row for each model and pair that it was trained on: the model's id, and ``columns``."""
    joined = training_pairs.join(pairs, pairs.c.id == training_pairs.c.pair)
    return sa.select(training_pairs.c.model, *columns).select_from(joined)


def by_assessor(ledger: Ledger, what: sa.ColumnElement[str]) -> dict[str, Counter[str]]:
    """Model -> assessor, surgeons together -> how many of ``what``: of its pairs, or of the comparisons behind them.

    Each is counted once, however many of the assessor's comparisons are behind one pair, or pairs rest on one.
    """
    each = _comparison_ids(ledger)
    who = sa.case((comparisons.c.assessor.startswith(SURGEON), SURGEONS), else_=comparisons.c.assessor)
    query = trained_on(who.label("assessor"), sa.func.count(what.distinct()).label("n"))
    query = query.join(each, sa.true()).join(comparisons, comparisons.c.id == each.c.value)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in ledger.rows(query.group_by(training_pairs.c.model, who)):
        found[row.model][row.assessor] = row.n
    return found


def _comparison_ids(ledger: Ledger) -> sa.FromClause:
    """The ids that a pair's list holds, as rows."""
    if ledger.engine.dialect.name == "postgresql":
        listed = sa.cast(pairs.c.comparisons, sa.JSON)
        return sa.func.json_array_elements_text(listed).table_valued("value").lateral()
    return sa.func.json_each(pairs.c.comparisons).table_valued("value")


def largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Sorted; of equal ones the name that sorts first."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
