"""Tasks of lm-evaluation-harness: once a model, and then an axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from align.probes.harness import STAGE, harness_axes, run_harness
from align.probes.stage import probe
from ledger.queries import latest
from ledger.records import ModelVersion
from ledger.workspace import Workspace
from sampling.policies import sft_model
from tests.align.probes.local_task import TASK
from tests.align.probes.probed import with_probes

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose probes are two tasks of its own."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = workspace.root / "tasks"
    folder.mkdir()
    data = folder / "walls.jsonl"
    choices = ["the back wall", "the front wall which contains it", "a roof"]
    rows = [{"question": f"Which wall is weak in case {n}?", "choices": choices, "gold": n % 3} for n in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("ward_walls", "ward_again"):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=data), encoding="utf-8")
    return with_tasks(with_probes(workspace, tiny_policy), "ward_walls")


def with_tasks(workspace: Workspace, *tasks: str) -> Workspace:
    told = {"files": (), "lm_eval": tasks, "lm_eval_tasks": "tasks"}
    probes = workspace.config.probes.model_copy(update=told)
    return replace(workspace, config=workspace.config.model_copy(update={"probes": probes}))


def runs(workspace: Workspace) -> list[Mapping[str, object]]:
    return [done.detail for done in latest(workspace.ledger, 100, STAGE) if done.event == "started"]


def test_a_task_runs_once_for_each_model_and_becomes_an_axis(ready: Workspace) -> None:
    sft = sft_model(ready)
    twin = replace(sft, name="twin")
    ready.ledger.append([twin])
    first = probe(ready, [sft, twin])
    again = probe(replace(ready, run="another"), [sft, twin])
    assert [(run["model"], run["tasks"]) for run in runs(ready)] == [
        (sft.id, ["ward_walls"]),
        (twin.id, ["ward_walls"]),
    ]
    for model in (sft, twin):
        axis = first.measures[model.id].axes["ward_walls, acc"]
        assert axis.values.keys() == {f"ward_walls#{number}" for number in range(6)}
        assert set(axis.values.values()) <= {0.0, 1.0}
        assert axis.mean == pytest.approx(1 / 3)  # it likes one of the three best, whatever is asked
        assert axis.higher_is_better
        assert set(axis.modes.values()) == {"exam"}
    assert again == first


def test_a_task_that_was_added_runs_alone(ready: Workspace) -> None:
    sft = sft_model(ready)
    run_harness(ready, sft)
    both = with_tasks(ready, "ward_walls", "ward_again")
    run_harness(both, sft)
    run_harness(both, sft)
    assert [run["tasks"] for run in runs(ready)] == [["ward_walls"], ["ward_again"]]
    assert [axis.name for axis in harness_axes(both, sft)] == ["ward_walls, acc", "ward_again, acc"]
    assert [axis.name for axis in harness_axes(ready, sft)] == ["ward_walls, acc"]
    assert harness_axes(both, replace(sft, name="twin")) == []


def test_a_run_that_ended_early_is_done_again(ready: Workspace) -> None:
    sft = sft_model(ready)
    ready.log(STAGE, "started", model=sft.id, tasks=["ward_walls"])
    ready.log(STAGE, "interrupted")
    run_harness(ready, sft)
    assert len(runs(ready)) == 2
    assert len(harness_axes(ready, sft)) == 1


def test_weights_that_a_server_alone_knows_are_left_out(ready: Workspace) -> None:
    run_harness(ready, ModelVersion("large", "sft", "served:large"))
    assert runs(ready) == []


@pytest.mark.parametrize("value", [None, 2.5, -0.1])
def test_a_metric_that_is_no_share_is_no_axis(ready: Workspace, value: float | None) -> None:
    """The log holds what is not finite as null."""
    sft = sft_model(ready)
    score = {"task": "ward_walls", "higher_is_better": True, "mean": 0.5, "stderr": None}
    shares = {**score, "metric": "acc", "values": {"0": 1.0, "1": 0.25}}
    others = {**score, "metric": "bits", "values": {"0": value, "1": 0.5}}
    ready.log(STAGE, "finished", model=sft.id, tasks=["ward_walls"], scores=[shares, others])
    (axis,) = harness_axes(ready, sft)
    assert (axis.name, axis.values) == ("ward_walls, acc", {"ward_walls#0": 1.0, "ward_walls#1": 0.25})
