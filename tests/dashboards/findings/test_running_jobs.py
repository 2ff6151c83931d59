"""Tests of dashboards/findings/running_jobs.py."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dashboards.findings.running_jobs import FORGET, QUIET, Job, running_jobs
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import answer, held_out
from tests.dashboards.made_runs import SFT, begun, logged, step_log, steps


def jobs(workspace: Workspace, later: float = 0.0) -> list[Job]:
    return running_jobs(workspace, time.time() + later)


def checkpoints(workspace: Workspace) -> Path:
    return workspace.models / ".checkpoints" / "key"


def test_a_training_runs_as_long_as_its_step_log_grows(workspace: Workspace) -> None:
    begun(workspace.ledger)
    log = step_log(checkpoints(workspace), steps(30))
    (job,) = jobs(workspace)
    assert (job.stage, job.step, job.epoch, job.detail["pairs"]) == ("train", 30, 3.0, 100)
    assert job.tail.steps == tuple(range(1, 31))
    assert job.is_alive(time.time())
    assert not job.is_alive(time.time() + QUIET + 1)
    os.utime(log, (time.time() + 900,) * 2)
    assert jobs(workspace, 901)[0].is_alive(time.time() + 901)


def test_slow_steps_are_waited_for(workspace: Workspace) -> None:
    begun(workspace.ledger)
    step_log(checkpoints(workspace), steps(3, seconds=120.0))
    assert jobs(workspace)[0].is_alive(time.time() + 3 * QUIET)


@pytest.mark.parametrize("event", ["finished", "failed", "interrupted"])
def test_what_has_ended_does_not_run_though_its_step_log_is_fresh(workspace: Workspace, event: str) -> None:
    begun(workspace.ledger)
    step_log(checkpoints(workspace), steps(3))
    logged(workspace.ledger, "train", event)
    assert jobs(workspace) == []


def test_a_killed_one_is_not_alive_and_forgotten_after_a_day(workspace: Workspace) -> None:
    begun(workspace.ledger)
    step_log(checkpoints(workspace), steps(3))
    (job,) = jobs(workspace, QUIET * 2)
    assert not job.is_alive(time.time() + QUIET * 2)
    assert jobs(workspace, FORGET + 10) == []


def test_a_killed_one_that_was_begun_again_counts_once_and_ends_with_it(workspace: Workspace) -> None:
    begun(workspace.ledger, "first")
    begun(workspace.ledger, "second")
    assert len(jobs(workspace)) == 1
    logged(workspace.ledger, "train", "finished", "second")
    assert jobs(workspace) == []


def test_a_step_log_of_before_is_not_that_of_a_run_that_has_no_step_yet(workspace: Workspace) -> None:
    old = time.time() - 100
    os.utime(step_log(checkpoints(workspace), steps(3)), (old, old))
    begun(workspace.ledger)
    assert jobs(workspace)[0].step is None


def test_the_line_that_is_being_written_is_left_out(workspace: Workspace) -> None:
    begun(workspace.ledger)
    with step_log(checkpoints(workspace), steps(3)).open("ab") as file:
        file.write(b'{"step": 4, "lo')
    assert jobs(workspace)[0].step == 3


def test_of_a_long_log_the_end_alone_is_read(workspace: Workspace) -> None:
    begun(workspace.ledger)
    step_log(checkpoints(workspace), steps(5_000))
    job = jobs(workspace)[0]
    assert job.step == 5_000
    assert len(job.tail.steps) <= 500
    assert job.tail.steps[0] > 1_000


def test_sampling_lives_by_its_newest_answer(workspace: Workspace) -> None:
    logged(workspace.ledger, "sample", "started", split="eval")
    workspace.ledger.append([SFT, held_out(0), answer(held_out(0), SFT)])
    (job,) = jobs(workspace)
    assert (job.stage, job.step) == ("sample", None)
    assert abs(job.seen - time.time()) < 60


def test_one_process_that_samples_twice_runs_the_second_time(workspace: Workspace) -> None:
    for event in ("started", "finished", "started"):
        logged(workspace.ledger, "sample", event, split="eval")
    assert len(jobs(workspace)) == 1
    logged(workspace.ledger, "sample", "finished")
    assert jobs(workspace) == []
