"""Which of a workspace's models are of a judge's own family, by their names."""

from __future__ import annotations

from annotate.panel import family, policy_names
from ledger.config import ModelConfig
from ledger.records import ModelVersion
from ledger.workspace import Workspace
from sampling.models import SERVED


def models_of_family(workspace: Workspace, judge: str) -> frozenset[str]:
    """Ids of the models whose first ancestor is, by its name, of the family of ``judge``; none where nobody can tell.

    Args:
        workspace: with the models.
        judge: the judge's name at its endpoint.
    """
    its = family(judge)
    if its is None:
        return frozenset()
    known = {model.id: model for model in workspace.ledger.read(ModelVersion)}
    families = {model.id: _family(workspace, model) for model in known.values() if model.parent is None}
    return frozenset(key for key in known if families.get(_first_ancestor(known, key)) == its)


def _first_ancestor(known: dict[str, ModelVersion], key: str) -> str:
    parent = known[key].parent
    return key if parent is None or parent not in known else _first_ancestor(known, parent)


def _family(workspace: Workspace, model: ModelVersion) -> str | None:
    names = [
        *policy_names(workspace.root, ModelConfig(path=model.path)),
        model.weights.removeprefix(SERVED),
        model.name,
    ]
    return next((found for name in names if (found := family(name))), None)
