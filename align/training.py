"""The training stage: a policy's preference pairs to a LoRA adapter, or to new weights, and its `ModelVersion`."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from align.card import model_card
from align.preference.methods import DEFAULTS, beta, learning_rate
from align.preference.reference_store import Reference, ReferenceStore
from align.preference.runs import Trained, TrainingRun, train_preferences
from align.preflight.cost import cost_of
from align.processes import from_main, main_stage, only_main_speaks
from align.run_log import RUN, run_key
from align.running import partial_of, put_in_place
from align.training_set import TrainingSet, pair_material, training_set
from align.watching.step_log import STEP_LOG
from annotate.pairing import build_pairs
from ledger.errors import StageError
from ledger.exclusive import exclusively
from ledger.provenance import code_version, library_versions
from ledger.records import ModelVersion, digest, pairs_hash
from ledger.screen import say
from ledger.tables import models
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.engines.transformers import stop_tokens
from sampling.models import load_policy, load_tokenizer, source_of

# Of [align], what a trained model does not depend on.
WATCHING = {"on_alarm"}


def with_method(workspace: Workspace, method: str | None) -> Workspace:
    """The workspace with another training method than its configuration says."""
    if method is None:
        return workspace
    if method not in DEFAULTS:
        raise StageError(f"no such method: {method}", where="--method", advice=f"one of {', '.join(DEFAULTS)}")
    return with_align(workspace, method=method)


def with_align(workspace: Workspace, **changed: Any) -> Workspace:
    """The workspace with some keys of ``[align]`` changed."""
    align = workspace.config.align.model_copy(update=changed)
    return replace(workspace, config=workspace.config.model_copy(update={"align": align}))


def train(workspace: Workspace, policy: ModelVersion, name: str) -> ModelVersion:
    """Train ``policy`` on the pairs of its own answers; a model trained so before is returned as it is.

    A run that was killed goes on from its last whole checkpoint. Under ``accelerate launch`` all processes call this;
    the main one alone writes records and files.

    Raises:
        StageError: there are no pairs, an alarm stopped the run, the same run is on already, or the disk is full.
        ModelError: the policy does not load.
    """
    pair_ids = from_main(lambda: pairs_of(workspace, policy))
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
        from_main(lambda: workspace.ledger.append_trained(model, pair_ids))
        outcome.update(model=model.id, path=model.path, **model.metrics)
    return model


def pairs_of(workspace: Workspace, policy: ModelVersion) -> list[str]:
    """The ids of the pairs that a policy would be trained on, in order.

    Raises:
        StageError: there are none.
    """
    pair_ids = sorted(build_pairs(workspace, policy).pairs)
    if not pair_ids:
        raise StageError(
            f"no preference pairs of {policy.name}'s answers", where="ledger", advice="`wardround pairs` says why"
        )
    return pair_ids


def training_config(workspace: Workspace) -> Mapping[str, Any]:
    """Every setting that a trained model depends on."""
    align = workspace.config.align.model_dump(mode="json", exclude=WATCHING)
    filled = {"learning_rate": learning_rate(workspace.config.align), "beta": beta(workspace.config.align)}
    return {"align": {**align, **filled}, "chat": workspace.config.chat.model_dump(mode="json")}


def _trained_before(workspace: Workspace, planned: ModelVersion) -> ModelVersion | None:
    row = models.c
    same = (row.parent == planned.parent, row.pairs == planned.pairs)
    for model in workspace.ledger.read(ModelVersion, *same):
        if model.config == planned.config and (workspace.root / model.path).exists():
            return model
    return None


def _train(workspace: Workspace, policy: ModelVersion, planned: ModelVersion, pair_ids: Sequence[str]) -> ModelVersion:
    key = run_key(planned)
    checkpoints = workspace.models / ".checkpoints" / key
    with _alone(checkpoints, planned.name):
        say(f"Loading {policy.name} for training")
        run = prepared(workspace, policy, pair_ids, checkpoints)
        if cost := cost_of(run):
            say(cost.text())
        trained = train_preferences(run, f"Training {planned.name} on {len(pair_ids)} pairs")
        folder = workspace.models / f"{planned.name}-{key[:8]}"
        model = _saved(workspace, trained, planned, folder, len(pair_ids))
        from_main(lambda: shutil.rmtree(checkpoints, ignore_errors=True))
    return model


@contextmanager
def _alone(checkpoints: Path, name: str) -> Iterator[None]:
    """Keep a second run of the very same training out; any other has its own checkpoints."""
    lock = checkpoints.with_name(checkpoints.name + ".lock")
    with ExitStack() as held:
        from_main(lambda: _take(lock, held, name))
        yield


def _take(lock: Path, held: ExitStack, name: str) -> None:
    lock.parent.mkdir(parents=True, exist_ok=True)
    if not held.enter_context(exclusively(lock)):
        raise StageError("the same training runs already", where=name, advice="wait until it has ended")
    held.callback(lock.unlink)


def prepared(workspace: Workspace, policy: ModelVersion, pair_ids: Sequence[str], checkpoints: Path) -> TrainingRun:
    """The policy and its pairs, loaded and rendered.

    Raises:
        ModelError: the policy does not load, or its chat template refuses a conversation.
        StageError: nothing is left to train on.
    """
    source = source_of(workspace, policy)
    tokenizer, model = load_tokenizer(source), load_policy(source)
    ends = stop_tokens(model.generation_config.eos_token_id, tokenizer)
    rows = training_set(workspace, tokenizer, ends, pair_material(workspace, pair_ids))
    _say_left_out(rows)
    return TrainingRun(
        model=model,
        tokenizer=tokenizer,
        rows=rows.train.rows,
        held_out=rows.held_out.rows,
        config=workspace.config.align,
        folder=checkpoints,
        reference=Reference(
            ReferenceStore(workspace.models / ".reference" / "log_probs.db"), reference_key(workspace, policy, model)
        ),
        figures=workspace.models / ".tensorboard" / checkpoints.name[:8],
        log=lambda event, detail: workspace.log(RUN, event, training=checkpoints.name, **detail),
    )


def reference_key(workspace: Workspace, policy: ModelVersion, model: Any) -> str:
    """Which weights score, and how exactly: what a log-probability depends on beside the tokens."""
    config = workspace.config
    return digest(
        [policy.id, str(model.dtype), model.device.type, config.model.quantization, config.align.shared_prefix]
    )


def _say_left_out(rows: TrainingSet) -> None:
    reasons = Counter(each.reason for each in (*rows.train.left_out, *rows.held_out.left_out))
    if reasons:
        said = ", ".join(f"{count} ({reason})" for reason, count in sorted(reasons.items()))
        say(f"Left out: {said}. `wardround train --preflight` lists them.")
    if rows.held_out.rows:
        say(f"{len(rows.held_out.rows)} of {len(rows.rows) + len(rows.held_out.rows)} rows are held out to stop early")


def _saved(workspace: Workspace, trained: Trained, planned: ModelVersion, folder: Path, pairs: int) -> ModelVersion:
    described = replace(
        planned,
        path=str(folder.relative_to(workspace.root)),
        adapter=workspace.config.align.tuning == "lora",
        code=code_version(),
        libraries=library_versions(),
        metrics=trained.figures,
    )
    partial = from_main(lambda: partial_of(folder))
    trained.save(partial)  # by all processes: each may hold a part

    def finish() -> str:
        (partial / "README.md").write_text(model_card(described, pairs), encoding="utf-8")
        shutil.copy(trained.steps, partial / STEP_LOG)
        put_in_place(partial, folder)
        return weights_hash(folder)

    return replace(described, weights=from_main(finish))
