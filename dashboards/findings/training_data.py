"""What each model was trained on: its pairs by mode, topic and kind, how sure they are, and who stands behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import sqlalchemy as sa

from dashboards.findings.trained_pairs import by_assessor, largest_first, trained_on
from ledger.store import Ledger
from ledger.tables import pairs, prompts, training_pairs
from ledger.workspace import Workspace

LOWEST, BIN = 0.5, 0.05  # of the weights, which lie in (0.5, 1]
BINS = round((1 - LOWEST) / BIN)


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
    weights, behind = _weights(ledger), by_assessor(ledger, pairs.c.id)
    return TrainingData(
        {
            model: PairsOf(
                pairs=sum(kinds["mode"].values()),
                prompts=totals[model][0],
                modes=dict(kinds["mode"].most_common()),
                kinds=dict(kinds["kind"].most_common()),
                topics=largest_first(kinds["topic"]),
                weights=tuple(weights[model][place] for place in range(BINS)),
                mean_weight=totals[model][1],
                assessors=largest_first(behind[model]),
            )
            for model, kinds in groups.items()
        }
    )


def _groups(ledger: Ledger) -> dict[str, dict[str, Counter[str]]]:
    """Pairs by model, by "mode", "kind" or "topic", and by which."""
    of = prompts.c
    query = trained_on(of.mode, of.kind, of.topic, sa.func.count().label("n")).join(prompts, of.id == pairs.c.prompt)
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in ledger.rows(query.group_by(training_pairs.c.model, of.mode, of.kind, of.topic)):
        for by in ("mode", "kind", "topic"):
            found[row.model][by][getattr(row, by)] += row.n
    return found


def _totals(ledger: Ledger) -> dict[str, tuple[int, float]]:
    """Questions, and the mean weight, by model."""
    mean = sa.func.avg(pairs.c.weight).label("mean")
    query = trained_on(sa.func.count(pairs.c.prompt.distinct()).label("n"), mean).group_by(training_pairs.c.model)
    return {row.model: (row.n, float(row.mean)) for row in ledger.rows(query)}


def _weights(ledger: Ledger) -> dict[str, Counter[int]]:
    """Pairs by model and bin."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    query = trained_on(pairs.c.weight, sa.func.count().label("n"))
    for row in ledger.rows(query.group_by(training_pairs.c.model, pairs.c.weight)):
        found[row.model][bin_of(row.weight)] += row.n
    return found


def bin_of(weight: float) -> int:
    """Which bin a weight lies in, from 0."""
    return min(max(ceil((weight - LOWEST) / BIN - 1e-9) - 1, 0), BINS - 1)
