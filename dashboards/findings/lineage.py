"""What the page "Lineage" says: what each model was trained on and whose ratings stand behind it; how rounds differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from dashboards.findings.model_labels import model_labels
from dashboards.findings.trained_pairs import by_assessor, largest_first, trained_on
from ledger.records import Decision, ModelVersion, Round
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, pairs, prompts, training_pairs
from ledger.workspace import Workspace

NO_SOURCE = "no source"
CORRECTED = "surgeons' corrections"
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Descent:
    """One model, its parent, and what it was trained on: everything that its pairs rest on, each thing counted once."""

    id: str
    label: str
    name: str
    method: str
    parent: str | None
    code: str
    weights: str
    pairs: int
    ratings: Counts  # comparisons by assessor; surgeons together
    answers: Counts  # answers by the label of the model that gave them
    questions: Counts  # prompts by source


@dataclass(frozen=True)
class RoundSettings:
    """One round and its settings, flat: "training.align.beta" -> 0.1."""

    number: int
    model: str  # label of the model that it ended with; "" where it has not ended
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Lineage:
    """Every model, parents before children, and every round."""

    models: tuple[Descent, ...]
    rounds: tuple[RoundSettings, ...]


def find_lineage(workspace: Workspace) -> Lineage:
    """Count what stands behind each model, in SQL."""
    ledger = workspace.ledger
    labels = model_labels(ledger)
    behind = _Behind(
        pairs=_pairs(ledger),
        ratings=by_assessor(ledger, comparisons.c.id),
        answers=_answers(ledger, labels),
        questions=_questions(ledger),
    )
    models = tuple(_descent(model, labels[model.id], behind) for model in ledger.read(ModelVersion))
    return Lineage(models, tuple(_rounds(ledger, labels)))


@dataclass(frozen=True)
class _Behind:
    """The counts of a `Descent`, by the model's id; of models that were trained on pairs."""

    pairs: Counts
    ratings: Mapping[str, Counts]
    answers: Mapping[str, Counts]
    questions: Mapping[str, Counts]


def _descent(model: ModelVersion, label: str, behind: _Behind) -> Descent:
    return Descent(
        id=model.id,
        label=label,
        name=model.name,
        method=model.method,
        parent=model.parent,
        code=model.code,
        weights=model.weights,
        pairs=behind.pairs.get(model.id, 0),
        ratings=largest_first(behind.ratings.get(model.id, {})),
        answers=largest_first(behind.answers.get(model.id, {})),
        questions=largest_first(behind.questions.get(model.id, {})),
    )


def _pairs(ledger: Ledger) -> dict[str, int]:
    query = trained_on(sa.func.count().label("n")).group_by(training_pairs.c.model)
    return {row.model: row.n for row in ledger.rows(query)}


def _answers(ledger: Ledger, labels: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Model -> label of who gave them -> answers that were chosen or rejected."""
    shown = sa.union(*(trained_on(answer.label("answer")) for answer in (pairs.c.chosen, pairs.c.rejected))).subquery()
    giver = candidates.c.model
    query = sa.select(shown.c.model, giver.label("giver"), sa.func.count().label("n"))
    query = query.join(candidates, candidates.c.id == shown.c.answer).group_by(shown.c.model, giver)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in ledger.rows(query):
        found[row.model][labels.get(row.giver, CORRECTED)] += row.n
    return found


def _questions(ledger: Ledger) -> dict[str, Counter[str]]:
    """Model -> source -> prompts."""
    source = prompts.c.source
    query = trained_on(source, sa.func.count(pairs.c.prompt.distinct()).label("n"))
    query = query.join(prompts, prompts.c.id == pairs.c.prompt).group_by(training_pairs.c.model, source)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in ledger.rows(query):
        found[row.model][row.source or NO_SOURCE] += row.n
    return found


def _rounds(ledger: Ledger, labels: Mapping[str, str]) -> Iterator[RoundSettings]:
    ended = {each.round: labels[each.model] for each in ledger.read(Decision)}
    for each in ledger.read(Round):
        yield RoundSettings(each.number, ended.get(each.id, ""), dict(flat(each.config)))


def flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and their values as text, in the order of the names."""
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        return orjson.dumps(value, default=dict).decode()
    return str(value)
