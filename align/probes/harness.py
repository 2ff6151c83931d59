"""Tasks of lm-evaluation-harness as axes: run once for a model, and remembered in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from align.probes.axis import Axis
from align.probes.lm_eval import run_tasks
from ledger.queries import every
from ledger.records import ModelVersion
from ledger.screen import say
from ledger.workspace import Workspace
from sampling.models import SERVED, load_policy, load_tokenizer, source_of

STAGE = "lm-eval"


def run_harness(workspace: Workspace, model: ModelVersion) -> None:
    """Run the configured tasks that this model has not been given yet. Weights that a server alone knows are left out.

    Raises:
        ConfigError: the harness is not installed, or a task is unknown.
        ModelError: the model does not load.
    """
    config = workspace.config.probes
    known = {task for run in _runs(workspace, model) for task in run["tasks"]}
    left = [task for task in config.lm_eval if task not in known]
    if not left or model.weights.startswith(SERVED):
        return
    include = workspace.root / config.lm_eval_tasks if config.lm_eval_tasks else None
    say(f"Running {', '.join(left)} of lm-evaluation-harness on {model.name}")
    with workspace.stage(STAGE, model=model.id, tasks=left) as outcome:
        source = source_of(workspace, model)
        found = run_tasks((load_policy(source), load_tokenizer(source)), left, include_path=include)
        outcome.update(model=model.id, tasks=left, scores=[asdict(each) for each in found])


def harness_axes(workspace: Workspace, model: ModelVersion) -> list[Axis]:
    """A model's scores document by document, for metrics that are shares."""
    wanted = set(workspace.config.probes.lm_eval)
    scores = [score for run in _runs(workspace, model) if wanted & set(run["tasks"]) for score in run["scores"]]
    axes = []
    for each in scores:
        found = {f"{each['task']}#{document}": value for document, value in each["values"].items()}
        if found and all(value is not None and 0 <= value <= 1 for value in found.values()):  # None: was not finite
            values = {document: float(value) for document, value in found.items()}
            name = f"{each['task']}, {each['metric']}"
            axes.append(Axis(name, each["higher_is_better"], values, dict.fromkeys(values, "exam")))
    return axes


def _runs(workspace: Workspace, model: ModelVersion) -> Iterator[Mapping[str, Any]]:
    return (done.detail for done in every(workspace.ledger, STAGE, "finished") if done.detail["model"] == model.id)
