"""Tests of dashboards/findings/training.py and training_log.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from align.gate.conditions import CLOSED
from align.run_log import RUN, run_key
from dashboards.counting.sections import TRAINING
from dashboards.findings.training import Run, find_training
from ledger.records import ModelVersion, Round
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import fill
from tests.dashboards.made_runs import ALARM, SFT, TRAINED, begun, logged, step_log, stepped, steps, trained


def runs(workspace: Workspace) -> list[Run]:
    found = find_training(workspace)
    assert TRAINING.form.validate_json(TRAINING.form.dump_json(found)) == found
    return list(found.runs)


def test_a_run_has_its_curves_its_losses_and_its_speed(workspace: Workspace) -> None:
    key = trained(workspace.ledger, 20)
    run = runs(workspace)[0]
    assert (run.key, run.label, run.model, run.method, run.state) == (key, "mine", TRAINED.id, "dpo", "finished")
    assert (run.n_steps, run.n_logged, run.pairs, run.epochs) == (20, 20, 100, 2.0)
    assert run.first_loss == pytest.approx(0.7 - 0.055)  # the mean of steps 1 to 10
    assert run.last_loss == pytest.approx(0.7 - 0.155)
    assert run.curves.steps == tuple(range(1, 21))
    assert run.speed.seconds == 40
    assert run.speed.pairs_per_second == pytest.approx(2 * 100 / 40)
    assert (run.speed.tokens_per_second, run.speed.peak_mib) == (50, 1044)


def test_seconds_stand_for_the_steps_since_the_log_before(workspace: Workspace) -> None:
    key = trained(workspace.ledger, 0)
    stepped(workspace.ledger, key, *(step for step in steps(20) if step["step"] % 10 == 0))
    assert runs(workspace)[0].speed.seconds == 40


def test_an_empty_ledger_has_no_runs(workspace: Workspace) -> None:
    assert runs(workspace) == []


def test_the_newest_comes_first_and_sft_is_a_run(workspace: Workspace) -> None:
    trained(workspace.ledger)
    assert [run.label for run in runs(workspace)] == ["mine", "SFT"]


def test_models_without_a_log_are_runs_without_curves(workspace: Workspace) -> None:
    fill(workspace.ledger, rounds=2)
    assert [(run.label, run.state, run.n_logged) for run in runs(workspace)] == [
        ("Round 2 (ipo)", "finished", 0),
        ("Round 1 (dpo)", "finished", 0),
    ]


def test_a_step_log_beside_the_weights_is_read_where_the_ledger_has_no_steps(workspace: Workspace) -> None:
    workspace.ledger.append([SFT])
    step_log(workspace.root / SFT.path, steps(4))
    (run,) = runs(workspace)
    assert (run.label, run.n_logged) == ("SFT", 4)


def test_fine_tuning_finds_the_folder_that_it_names(workspace: Workspace) -> None:
    model = ModelVersion(
        "sft", "sft", "w", config={"adapter": "x"}, path="base", metrics={"made": {"prompts_hash": "h"}}
    )
    workspace.ledger.append([SFT, model])
    logged(workspace.ledger, "sft", "started", base="base", rows=213)
    logged(workspace.ledger, "sft", "finished", path="models/sft-1", prompts="h")
    step_log(workspace.root / "models/sft-1", steps(3))
    run = next(run for run in runs(workspace) if run.model == model.id)
    assert (run.n_logged, run.pairs) == (3, 213)


def test_a_run_that_was_killed_and_gone_on_with_is_one_run(workspace: Workspace) -> None:
    key = run_key(TRAINED)
    workspace.ledger.append([SFT])
    begun(workspace.ledger, "first")
    stepped(workspace.ledger, key, *steps(30), run="first")
    begun(workspace.ledger, "second")
    stepped(workspace.ledger, key, *steps(20, first=21, loss=0.1), run="second")
    (run, _sft) = runs(workspace)
    assert (run.n_steps, run.n_logged, run.state) == (40, 40, "open")
    assert run.curves.means["loss"][20] == 0.1  # as it was done last


def test_two_trainings_of_one_process_are_told_apart(workspace: Workspace) -> None:
    workspace.ledger.append([SFT])
    for key, method in (("one", "dpo"), ("two", "ipo")):
        begun(workspace.ledger, method=method)
        stepped(workspace.ledger, key, *steps(5))
        logged(workspace.ledger, "train", "interrupted")
    assert [(run.key, run.method, run.state) for run in runs(workspace)[:2]] == [
        ("two", "ipo", "interrupted"),
        ("one", "dpo", "interrupted"),
    ]


@pytest.mark.parametrize(("event", "state"), [("failed", "failed"), ("interrupted", "interrupted"), ("", "open")])
def test_how_a_run_ended(workspace: Workspace, event: str, state: str) -> None:
    workspace.ledger.append([SFT])
    begun(workspace.ledger)
    stepped(workspace.ledger, "key", *steps(2))
    if event:
        logged(workspace.ledger, "train", event, **({"cause": "the disk is full"} if event == "failed" else {}))
    run = runs(workspace)[0]
    assert (run.state, run.cause, run.model) == (state, "the disk is full" if event == "failed" else "", "")


def test_a_run_that_failed_before_its_first_step_is_told_until_another_begins(workspace: Workspace) -> None:
    workspace.ledger.append([SFT])
    begun(workspace.ledger)
    logged(workspace.ledger, "train", "failed", cause="no memory")
    assert runs(workspace)[0].cause == "no memory"
    trained(workspace.ledger)
    assert [run.state for run in runs(workspace)] == ["finished", "finished"]


def test_before_there_is_a_model_a_run_is_called_after_its_round(workspace: Workspace) -> None:
    workspace.ledger.append([SFT, Round(3, SFT.id, "dpo")])
    begun(workspace.ledger)
    stepped(workspace.ledger, "key", *steps(2))
    assert runs(workspace)[0].label == "Round 3 (dpo)"


def test_without_a_round_it_is_called_after_what_was_begun(workspace: Workspace) -> None:
    workspace.ledger.append([SFT])
    begun(workspace.ledger, method="kto")
    stepped(workspace.ledger, "key", *steps(2))
    assert runs(workspace)[0].label == "kto after SFT"


def test_alarms_come_once_a_kind_with_the_reason_for_which_they_were_closed(workspace: Workspace) -> None:
    key = trained(workspace.ledger, alarm=True)
    logged(workspace.ledger, RUN, "alarm", training=key, step=9, **ALARM)  # done again after a kill
    logged(workspace.ledger, RUN, "alarm", training=key, step=3, **{**ALARM, "kind": "length"})
    logged(workspace.ledger, "gate", CLOSED, model=TRAINED.id, kind="length", reason="answers read")
    found = [(alarm.kind, alarm.step, alarm.closed) for alarm in runs(workspace)[0].alarms]
    assert found == [("length", 3, "answers read"), ("displacement", 9, "")]


def test_a_file_that_is_no_step_log_is_no_reason_to_fail(workspace: Workspace, tmp_path: Path) -> None:
    workspace.ledger.append([SFT])
    (tmp_path / SFT.path).mkdir(parents=True)
    (tmp_path / SFT.path / "steps.jsonl").write_bytes(b"\x00\x00\nnull\n")
    assert runs(workspace)[0].n_logged == 0
