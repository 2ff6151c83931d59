"""The models there are, and whom each is to be measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.findings.model_labels import model_labels
from ledger.records import Decision, ModelVersion, Round
from ledger.store import Ledger

Against = Literal["sft", "promoted", "parent"]


@dataclass(frozen=True)
class KnownModel:
    """A model as the pages call it.

    Attributes:
        id: of the model
        label: see `model_labels`
        name: as commands take it
        round: that it ended; None: none
        promoted: by the last decision on it; None: none
        opponents: ids: its SFT model, the last model that was promoted before it, the one it was trained from; only
            those that there are, and never itself
    """

    id: str
    label: str
    name: str
    round: int | None
    promoted: bool | None
    opponents: Mapping[Against, str]

    @property
    def trained(self) -> bool:
        """Does it come from another model here?"""
        return "parent" in self.opponents


def known_models(ledger: Ledger) -> tuple[KnownModel, ...]:
    """All of them, the oldest first."""
    models = {model.id: model for model in ledger.read(ModelVersion)}
    labels = model_labels(ledger)
    numbers = {each.id: each.number for each in ledger.read(Round)}
    decided = {each.model: each for each in ledger.read(Decision)}
    ended = [(numbers[each.round], each) for each in decided.values()]
    return tuple(_known(model, labels[model.id], models, ended) for model in models.values())


def _known(
    model: ModelVersion, label: str, models: Mapping[str, ModelVersion], ended: Sequence[tuple[int, Decision]]
) -> KnownModel:
    own = next(((number, each) for number, each in ended if each.model == model.id), None)
    number = own[0] if own else None
    found: dict[Against, str | None] = {}
    if model.parent is not None:
        promoted_before = _promoted_before(number, ended, list(models), model.id)
        found = {"sft": root_of(models, model), "promoted": promoted_before, "parent": model.parent}
    opponents = {which: other for which, other in found.items() if other is not None}
    promoted = own[1].promoted if own else None
    return KnownModel(model.id, label, model.name, number, promoted, opponents)


def root_of(models: Mapping[str, ModelVersion], model: ModelVersion) -> str:
    """The id of the model that it descends from in the end: its SFT model; its own where it comes from none."""
    while model.parent is not None:
        model = models[model.parent]
    return model.id


def _promoted_before(
    number: int | None, ended: Sequence[tuple[int, Decision]], in_order: Sequence[str], model: str
) -> str | None:
    """A model that ended no round comes after those that were trained before it."""
    older = set(in_order[: in_order.index(model)])
    earlier = [
        (each_number, place, each.model)
        for place, (each_number, each) in enumerate(ended)
        if each.promoted and (each.model in older if number is None else each_number < number)
    ]
    return max(earlier)[2] if earlier else None
