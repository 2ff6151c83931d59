"""Which model is meant: the SFT model, the current policy, or one by name."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import ModelError, StageError
from ledger.records import Decision, ModelVersion
from ledger.trace import find_model
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import SERVED, folder_of

SFT = "sft"  # the name of the model that is there before any round


def sft_model(workspace: Workspace) -> ModelVersion:
    """The SFT model that the configuration names, entered into the ledger when first met.

    Where no weights are named but a server draws the answers, it is what the server calls by that name.

    Raises:
        ModelError: none is named, or there is nothing at that place.
    """
    config = workspace.config.model
    if not config.path and workspace.config.sample.engine == "openai":
        return _served(workspace)
    if not config.path:
        raise ModelError(
            "no SFT model is named", where="wardround.toml, model.path", advice="set it to a folder or a hub id"
        )
    base = folder_of(workspace, "model.path", config.path)
    own = {}
    if config.adapter:
        own["adapter"] = weights_hash(folder_of(workspace, "model.adapter", config.adapter))
    version = ModelVersion(SFT, "sft", weights_hash(base), config=own, path=_portable(workspace, base))
    workspace.ledger.append([version])
    return version


def _served(workspace: Workspace) -> ModelVersion:
    version = ModelVersion(SFT, "sft", f"{SERVED}{workspace.config.server.model or SFT}")
    workspace.ledger.append([version])
    return version


def _portable(workspace: Workspace, folder: Path) -> str:
    """Relative to the workspace where it lies inside, so that a workspace can be moved."""
    whole, root = folder.resolve(), workspace.root.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def promoted_policy(workspace: Workspace) -> ModelVersion | None:
    """The model that was promoted last; a later decision on the same model takes the place of an earlier one."""
    decided: set[str] = set()
    for decision in workspace.ledger.read(Decision, newest_first=True):
        if decision.promoted and decision.model not in decided:
            return workspace.ledger.get(ModelVersion, decision.model)
        decided.add(decision.model)
    return None


def current_policy(workspace: Workspace) -> ModelVersion:
    """The model that was promoted last, else the SFT model; by ``gate.next_policy`` the one that was decided on last.

    Raises:
        ModelError: nothing was promoted and no SFT model is named.
    """
    if workspace.config.gate.next_policy == "newest":
        for decision in workspace.ledger.read(Decision, newest_first=True):
            return workspace.ledger.get(ModelVersion, decision.model)
    return promoted_policy(workspace) or sft_model(workspace)


def newest_trained(workspace: Workspace) -> ModelVersion:
    """The model that was trained last.

    Raises:
        StageError: none was.
    """
    for model in workspace.ledger.read(ModelVersion, newest_first=True):
        if model.parent is not None:
            return model
    raise StageError("no model was trained yet", where="ledger", advice="run `wardround train` or `wardround round`")


def chosen_model(workspace: Workspace, handle: str | None) -> ModelVersion:
    """The model that goes by a name or id; without one, the current policy.

    Raises:
        InputError: no model, or more than one, goes by it.
        ModelError: none was given, and no SFT model is named.
    """
    if handle is None:
        return current_policy(workspace)
    if handle == SFT:
        return sft_model(workspace)
    return workspace.ledger.get(ModelVersion, find_model(workspace.ledger, handle))
