"""An adapter as it is before its first step."""

from __future__ import annotations

from align.preference.runs import lora
from ledger.records import ModelVersion
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import load_policy, source_of


def untrained_adapter(workspace: Workspace, sft: ModelVersion) -> ModelVersion:
    """Enter an adapter on the SFT model whose B is zero: the same weights under another id."""
    from peft import get_peft_model

    folder = workspace.models / "untrained-adapter"
    get_peft_model(load_policy(source_of(workspace, sft)), lora(workspace.config.align)).save_pretrained(str(folder))
    model = ModelVersion(
        name="untrained",
        method="dpo",
        weights=weights_hash(folder),
        parent=sft.id,
        path=str(folder.relative_to(workspace.root)),
        adapter=True,
    )
    workspace.ledger.append([model])
    return model
