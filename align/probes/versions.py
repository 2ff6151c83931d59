"""Which models are probed beside the two that are compared: SFT, and the model that it was made from."""

from __future__ import annotations

from dataclasses import replace

from ledger.records import ModelVersion
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import SERVED, folder_of
from sampling.policies import sft_model

BASE = "base"


def probed_versions(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> list[ModelVersion]:
    """The opponent, the model, and where they are other ones SFT and its base: each once.

    Raises:
        ModelError: there is nothing where the base should be.
    """
    sft = sft_model(workspace)
    every = [opponent, model, sft, base_model(workspace, sft)]
    return list({each.id: each for each in every if each is not None}.values())


def base_model(workspace: Workspace, sft: ModelVersion) -> ModelVersion | None:
    """The model before SFT: ``probes.base``, or what the SFT adapter lies on; None where it is not known.

    Raises:
        ModelError: there is nothing at that place.
    """
    named = workspace.config.probes.base
    if sft.weights.startswith(SERVED):
        return None
    if named:
        folder = folder_of(workspace, "probes.base", named)
        base = ModelVersion(BASE, "base", weights_hash(folder), path=str(folder))
    elif sft.config.get("adapter"):
        base = replace(sft, name=BASE, method="base", config={})
    else:
        return None
    workspace.ledger.append([base])
    return base
