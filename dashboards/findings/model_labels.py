"""What people call each model: after its round, where it ended one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ledger.records import Decision, ModelVersion, Round
from ledger.store import Ledger

SHORT = 6  # characters of an id, which tell apart whatever has one label


def model_labels(ledger: Ledger) -> Mapping[str, str]:
    """Each model's label by its id, the oldest first: "Round 1 (dpo)", "SFT", or its name. No two are alike."""
    models = {model.id: model for model in ledger.read(ModelVersion)}
    return _told_apart(models, rounds_by_model(ledger))


def rounds_by_model(ledger: Ledger) -> Mapping[str, int]:
    """The number of the round that each model ended; the last decision on a model holds."""
    numbers = {each.id: each.number for each in ledger.read(Round)}
    return {each.model: numbers[each.round] for each in ledger.read(Decision)}


def _told_apart(models: Mapping[str, ModelVersion], rounds: Mapping[str, int]) -> Mapping[str, str]:
    labels = {key: _label(model, rounds.get(key)) for key, model in models.items()}
    for shown in (SHORT, None):
        shared = Counter(labels.values())
        labels = {key: f"{label} {key[:shown]}" if shared[label] > 1 else label for key, label in labels.items()}
    return labels


def _label(model: ModelVersion, number: int | None) -> str:
    if number is not None:
        return f"Round {number} ({model.method})"
    return "SFT" if model.method == "sft" else model.name
