"""How the log knows a run of training: what reads of one need not load all that trains."""

from __future__ import annotations

from ledger.records import ModelVersion, digest

RUN = "training run"  # the steps and alarms of a run, apart from the stage's start and end


def run_key(model: ModelVersion) -> str:
    """What a run of training goes by in the log and among the checkpoints; its model need not be there yet."""
    return digest([model.parent, model.pairs, model.config])
