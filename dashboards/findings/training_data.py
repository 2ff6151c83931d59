"""What each model was trained on: its pairs by mode, topic and kind, how sure they are, and who stands behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import sqlalchemy as sa

from ledger.store import Ledger
from ledger.tables import comparisons, pairs, prompts, training_pairs
from ledger.workspace import Workspace

LOWEST, BIN = 0.5, 0.05  # of the weights, which lie in (0.5, 1]
BINS = round((1 - LOWEST) / BIN)
SURGEONS = "surgeons"  # all of them: nobody is named
SURGEON = "surgeon:"


@dataclass(frozen=True)
class PairsOf:
    """The pairs that one model was trained on.

    Attributes:
        pairs: how many
        prompts: questions that they are on
        modes: pairs by "clinical", "exam"
        kinds: pairs by "open", "mcq"
        topics: pairs by topic, the largest first; "" has none
        weights: pairs by weight, in `BINS` bins of `BIN` from `LOWEST` on; a bin's upper end belongs to it
        mean_weight: over the pairs
        assessors: pairs that each assessor's comparisons stand behind; surgeons together
    """

    pairs: int
    prompts: int
    modes: Mapping[str, int]
    kinds: Mapping[str, int]
    topics: Mapping[str, int]
    weights: tuple[int, ...]
    mean_weight: float
    assessors: Mapping[str, int]


@dataclass(frozen=True)
class TrainingData:
    """What the page "Training" says about data: by the model's id."""

    models: Mapping[str, PairsOf]


def find_training_data(workspace: Workspace) -> TrainingData:
    """Count it, in SQL."""
    ledger = workspace.ledger
    groups, totals = _groups(ledger), _totals(ledger)
    weights, behind = _weights(ledger), _assessors(ledger)
    return TrainingData(
        {
            model: PairsOf(
                pairs=sum(kinds["mode"].values()),
                prompts=totals[model][0],
                modes=dict(kinds["mode"].most_common()),
                kinds=dict(kinds["kind"].most_common()),
                topics=dict(sorted(kinds["topic"].items(), key=lambda each: (-each[1], each[0]))),
                weights=tuple(weights[model][place] for place in range(BINS)),
                mean_weight=totals[model][1],
                assessors=dict(sorted(behind[model].items(), key=lambda each: (-each[1], each[0]))),
            )
            for model, kinds in groups.items()
        }
    )


def _trained_on(*columns: Any) -> sa.Select[Any]:
    joined = training_pairs.join(pairs, pairs.c.id == training_pairs.c.pair)
    return sa.select(training_pairs.c.model, *columns).select_from(joined)


def _groups(ledger: Ledger) -> dict[str, dict[str, Counter[str]]]:
    """Pairs by model, by "mode", "kind" or "topic", and by which."""
    of = prompts.c
    query = _trained_on(of.mode, of.kind, of.topic, sa.func.count().label("n")).join(prompts, of.id == pairs.c.prompt)
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in ledger.rows(query.group_by(training_pairs.c.model, of.mode, of.kind, of.topic)):
        for by in ("mode", "kind", "topic"):
            found[row.model][by][getattr(row, by)] += row.n
    return found


def _totals(ledger: Ledger) -> dict[str, tuple[int, float]]:
    """Questions, and the mean weight, by model."""
    mean = sa.func.avg(pairs.c.weight).label("mean")
    query = _trained_on(sa.func.count(pairs.c.prompt.distinct()).label("n"), mean).group_by(training_pairs.c.model)
    return {row.model: (row.n, float(row.mean)) for row in ledger.rows(query)}


def _weights(ledger: Ledger) -> dict[str, Counter[int]]:
    """Pairs by model and bin."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    query = _trained_on(pairs.c.weight, sa.func.count().label("n"))
    for row in ledger.rows(query.group_by(training_pairs.c.model, pairs.c.weight)):
        found[row.model][bin_of(row.weight)] += row.n
    return found


def bin_of(weight: float) -> int:
    """Which bin a weight lies in, from 0."""
    return min(max(ceil((weight - LOWEST) / BIN - 1e-9) - 1, 0), BINS - 1)


def _assessors(ledger: Ledger) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for model, assessor, count in _behind(ledger):
        found[model][assessor] = count
    return found


def _behind(ledger: Ledger) -> Iterator[tuple[str, str, int]]:
    """Model, assessor, and how many of its pairs the assessor's comparisons stand behind."""
    each = _comparison_ids(ledger)
    who = sa.case((comparisons.c.assessor.startswith(SURGEON), SURGEONS), else_=comparisons.c.assessor)
    query = (
        sa.select(training_pairs.c.model, who.label("assessor"), sa.func.count(pairs.c.id.distinct()).label("n"))
        .select_from(training_pairs.join(pairs, pairs.c.id == training_pairs.c.pair))
        .join(each, sa.true())
        .join(comparisons, comparisons.c.id == each.c.value)
        .group_by(training_pairs.c.model, who)
    )
    return ((row.model, row.assessor, row.n) for row in ledger.rows(query))


def _comparison_ids(ledger: Ledger) -> sa.FromClause:
    """The ids that a pair's list holds, as rows."""
    if ledger.engine.dialect.name == "postgresql":
        listed = sa.cast(pairs.c.comparisons, sa.JSON)
        return sa.func.json_array_elements_text(listed).table_valued("value").lateral()
    return sa.func.json_each(pairs.c.comparisons).table_valued("value")
