"""What the page "Safety and regressions" says: probes before and after, and the gate's verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from align.gate.gathering import margins
from align.gate.registration import EVENT, STAGE, flat
from dashboards.findings.gate_verdicts import Gated, gated
from dashboards.findings.model_labels import model_labels, rounds_by_model
from dashboards.findings.probe_changes import Probed, probed_models
from ledger.queries import every
from ledger.records import ModelVersion
from ledger.store import Ledger
from ledger.workspace import Workspace


@dataclass(frozen=True)
class Rules:
    """The rules of one evaluation, as they were written down before it began.

    Attributes:
        model: id
        opponent: id
        at: when, UTC, ISO 8601
        hash: over them
        answers: held-out and probe answers of the model that were there already
        settings: every setting by its dotted key, as text
    """

    model: str
    opponent: str
    at: str
    hash: str
    answers: int
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Trained:
    """A model that rounds have trained."""

    id: str
    label: str
    round: int | None


@dataclass(frozen=True)
class Safety:
    """What the page "Safety and regressions" says.

    Attributes:
        models: trained ones, the newest first
        decisions: of the gate, the newest first
        probed: models that have answered probes, beside those they came from; by the model's id
        rules: registered ones, the first for each pair of models holds
        margins: as configured now: how much worse each axis may become; axes without one are left out
        confidence: of intervals, as configured now
    """

    models: tuple[Trained, ...]
    decisions: tuple[Gated, ...]
    probed: Mapping[str, Probed]
    rules: tuple[Rules, ...]
    margins: Mapping[str, float]
    confidence: float


def find_safety(workspace: Workspace) -> Safety:
    """Read it from the ledger; figures that no decision holds are counted from the answers that are there."""
    ledger = workspace.ledger
    labels, rounds = model_labels(ledger), rounds_by_model(ledger)
    trained = [model for model in ledger.read(ModelVersion, newest_first=True) if model.parent]
    return Safety(
        models=tuple(Trained(each.id, labels[each.id], rounds.get(each.id)) for each in trained),
        decisions=tuple(gated(ledger, labels)),
        probed={each.model: each for each in probed_models(workspace, labels)},
        rules=tuple(_rules(ledger)),
        margins={name: margin for name, margin in margins(workspace.config.gate).items() if margin != "off"},
        confidence=workspace.config.evaluate.confidence,
    )


def _rules(ledger: Ledger) -> list[Rules]:
    found: dict[tuple[str, str], Rules] = {}
    for done in every(ledger, STAGE, EVENT):
        said = done.detail
        settings = {key: str(value) for key, value in flat(said["rules"]).items()}
        rules = Rules(said["model"], said["opponent"], done.when, said["hash"], int(said["answers"]), settings)
        found.setdefault((rules.model, rules.opponent), rules)
    return list(found.values())
