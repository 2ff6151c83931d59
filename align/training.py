"""The training stage: a policy's preference pairs to a LoRA adapter and its `ModelVersion`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from align.card import model_card
from align.dataset import Preference, TrainingRow, paired_rows, unpaired_rows
from align.processes import from_main, is_main, main_stage, only_main_speaks
from align.trainers import DEFAULTS, TrainingRun, in_place_of, train_adapter
from annotate.pairing import build_pairs
from ledger.errors import StageError
from ledger.provenance import code_version, library_versions
from ledger.records import Candidate, ModelVersion, Pair, Prompt, digest, pairs_hash
from ledger.screen import say
from ledger.tables import models
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.chat import conversation
from sampling.models import load_policy, load_tokenizer, source_of


def with_method(workspace: Workspace, method: str | None) -> Workspace:
    """The workspace with another training method than its configuration says."""
    if method is None:
        return workspace
    if method not in DEFAULTS:
        raise StageError(f"no such method: {method}", where="--method", advice=f"one of {', '.join(DEFAULTS)}")
    align = workspace.config.align.model_copy(update={"method": method})
    return replace(workspace, config=workspace.config.model_copy(update={"align": align}))


def train(workspace: Workspace, policy: ModelVersion, name: str) -> ModelVersion:
    """Train ``policy`` on the pairs of its own answers; a model trained so before is returned as it is.

    A run that was killed goes on from its last whole checkpoint.

    Raises:
        StageError: there are no pairs, or the loss is not a number.
        ModelError: the policy does not load.
    """
    pair_ids = from_main(lambda: sorted(build_pairs(workspace, policy).pairs))
    if not pair_ids:
        raise StageError(
            f"no preference pairs of {policy.name}'s answers", where="ledger", advice="`wardround pairs` says why"
        )
    planned = ModelVersion(
        name=name,
        method=workspace.config.align.method,
        weights="",
        parent=policy.id,
        pairs=pairs_hash(pair_ids),
        config=training_config(workspace),
        seed=workspace.config.align.seed,
    )
    known = from_main(lambda: _trained_before(workspace, planned))
    if known:
        return known
    detail = {"policy": policy.id, "method": planned.method, "pairs": len(pair_ids)}
    with only_main_speaks(), main_stage(workspace, "train", **detail) as outcome:
        model = _train(workspace, policy, planned, pair_ids)
        if is_main():
            workspace.ledger.append_trained(model, pair_ids)
        outcome.update(model=model.id, path=model.path, **model.metrics)
    return model


def training_config(workspace: Workspace) -> Mapping[str, Any]:
    """Every setting that a trained model depends on."""
    rate, beta = DEFAULTS[workspace.config.align.method]
    align = workspace.config.align.model_dump(mode="json")
    filled = {"learning_rate": align["learning_rate"] or rate, "beta": align["beta"] or beta}
    return {"align": {**align, **filled}, "chat": workspace.config.chat.model_dump(mode="json")}


def _trained_before(workspace: Workspace, planned: ModelVersion) -> ModelVersion | None:
    row = models.c
    same = (row.parent == planned.parent, row.pairs == planned.pairs)
    for model in workspace.ledger.read(ModelVersion, *same):
        if model.config == planned.config and (workspace.root / model.path).exists():
            return model
    return None


def _train(workspace: Workspace, policy: ModelVersion, planned: ModelVersion, pair_ids: Sequence[str]) -> ModelVersion:
    key = digest([planned.parent, planned.pairs, planned.config])
    folder = workspace.models / f"{planned.name}-{key[:8]}"
    checkpoints = workspace.models / ".checkpoints" / key
    say(f"Loading {policy.name} for training")
    source = source_of(workspace, policy)
    tokenizer = load_tokenizer(source)
    run = TrainingRun(
        model=load_policy(source),
        tokenizer=tokenizer,
        rows=_rows(workspace, pair_ids),
        config=workspace.config.align,
        folder=checkpoints,
    )
    adapter, figures = train_adapter(run, f"Training {planned.name} on {len(pair_ids)} pairs")
    described = replace(
        planned,
        path=str(folder.relative_to(workspace.root)),
        adapter=True,
        code=code_version(),
        libraries=library_versions(),
        metrics=figures,
    )

    def write(place: Path) -> None:
        adapter.save_pretrained(place)
        tokenizer.save_pretrained(place)
        (place / "README.md").write_text(model_card(described, len(pair_ids)), encoding="utf-8")

    def place_and_hash() -> str:
        in_place_of(folder, write)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return weights_hash(folder)

    return replace(described, weights=from_main(place_and_hash))


def _rows(workspace: Workspace, pair_ids: Sequence[str]) -> list[TrainingRow]:
    """TRL's rows, in the order of the pairs' ids, so that it does not matter when a pair was written."""
    ledger = workspace.ledger
    found = ledger.get_many(Pair, pair_ids)
    answers = ledger.get_many(Candidate, [each for pair in found.values() for each in (pair.chosen, pair.rejected)])
    asked = ledger.get_many(Prompt, [pair.prompt for pair in found.values()])
    preferences = [
        Preference(
            turns=tuple(conversation(asked[pair.prompt], workspace.config.chat, answers[pair.chosen].passages)),
            chosen=answers[pair.chosen].text,
            rejected=answers[pair.rejected].text,
            template=workspace.config.chat.template,
        )
        for pair in (found[pair_id] for pair_id in pair_ids)
    ]
    align = workspace.config.align
    return unpaired_rows(preferences, align.seed) if align.method == "kto" else paired_rows(preferences)
