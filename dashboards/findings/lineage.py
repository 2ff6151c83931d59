"""What the page "Lineage" says: what each model was trained on and whose ratings stand behind it; how rounds differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa

from dashboards.findings.model_labels import model_labels
from ledger.records import Decision, ModelVersion, Round
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, pairs, prompts, training_pairs
from ledger.workspace import Workspace

NO_SOURCE = "no source"
CORRECTED = "surgeons' corrections"
SURGEONS = "surgeons"
SURGEON = "surgeon:"
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
    """Walk from each model to its ratings."""
    ledger = workspace.ledger
    labels = model_labels(ledger)
    behind = dict(_behind(ledger, labels))
    models = tuple(_descent(model, labels, behind.get(model.id, NOTHING)) for model in ledger.read(ModelVersion))
    return Lineage(models, tuple(_rounds(ledger, labels)))


@dataclass(frozen=True)
class _Behind:
    pairs: int
    ratings: Counts
    answers: Counts
    questions: Counts


NOTHING = _Behind(0, {}, {}, {})


def _descent(model: ModelVersion, labels: Mapping[str, str], behind: _Behind) -> Descent:
    return Descent(
        id=model.id,
        label=labels[model.id],
        name=model.name,
        method=model.method,
        parent=model.parent,
        code=model.code,
        weights=model.weights,
        pairs=behind.pairs,
        ratings=behind.ratings,
        answers=behind.answers,
        questions=behind.questions,
    )


def _behind(ledger: Ledger, labels: Mapping[str, str]) -> Iterator[tuple[str, _Behind]]:
    """What each trained model's pairs rest on."""
    if not ledger.scalar(sa.select(training_pairs.c.row).limit(1)):
        return
    assessors = _who_said(ledger)
    givers = {each.id: labels.get(each.model, CORRECTED) for each in ledger.rows(_columns(candidates, "model"))}
    sources = {each.id: each.source or NO_SOURCE for each in ledger.rows(_columns(prompts, "source"))}
    listed = training_pairs.join(pairs, pairs.c.id == training_pairs.c.pair)
    columns = (training_pairs.c.model, pairs.c.prompt, pairs.c.chosen, pairs.c.rejected, pairs.c.comparisons)
    query = sa.select(*columns).select_from(listed).order_by(training_pairs.c.model)
    for model, rows in groupby(ledger.rows(query), key=itemgetter(0)):
        n, ratings, answers, asked = _distinct(rows)
        yield (
            model,
            _Behind(
                pairs=n,
                ratings=_counted(assessors[each] for each in ratings),
                answers=_counted(givers[each] for each in answers),
                questions=_counted(sources[each] for each in asked),
            ),
        )


def _columns(table: sa.Table, *names: str) -> sa.Select[Any]:
    return sa.select(table.c.id, *(table.c[name] for name in names))


def _who_said(ledger: Ledger) -> dict[str, str]:
    """By comparison id; no surgeon is told from another."""
    named: dict[str, str] = {}  # one text a name, not one a comparison
    found = {}
    for each in ledger.rows(_columns(comparisons, "assessor")):
        who = SURGEONS if each.assessor.startswith(SURGEON) else each.assessor
        found[each.id] = named.setdefault(who, who)
    return found


def _distinct(rows: Iterator[Any]) -> tuple[int, set[str], set[str], set[str]]:
    """How many pairs; the ids of the comparisons, the answers and the prompts behind them."""
    n = 0
    ratings: set[str] = set()
    answers: set[str] = set()
    asked: set[str] = set()
    for _, prompt, chosen, rejected, said in rows:
        n += 1
        ratings.update(orjson.loads(said))
        answers.update((chosen, rejected))
        asked.add(prompt)
    return n, ratings, answers, asked


def _counted(names: Iterator[str]) -> dict[str, int]:
    """The most frequent first."""
    return dict(Counter(names).most_common())


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
