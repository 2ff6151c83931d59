"""Steps on disk survive what happens to runs."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from align.watching.step_log import LEDGER_BATCH, STEP_LOG, LedgerSink, Record, StepLog, read_steps
from ledger.queries import latest
from ledger.store import open_ledger
from ledger.workspace import Workspace

WRITER = """
import sys
from pathlib import Path
from align.watching.step_log import StepLog
log = StepLog(Path(sys.argv[1]))
for step in range(1, 1_000_000):
    log({"step": step, "loss": 1 / step, "text": "x" * 3_000})
    if step == 20:
        print("going", flush=True)
"""


def steps(path: Path) -> list[int]:
    return [record["step"] for record in read_steps(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / STEP_LOG


def test_each_step_is_there_at_once(path: Path) -> None:
    with StepLog(path) as log:
        log({"step": 1, "loss": 0.5})
        assert read_steps(path) == [{"step": 1, "loss": 0.5}]
        log({"step": 2, "loss": math.nan})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": None},
    ]


def test_a_resumed_run_cuts_off_what_it_does_again(path: Path) -> None:
    with StepLog(path) as log:
        for step in range(1, 8):
            log({"step": step, "loss": step / 10})
    with StepLog(path, after=4) as log:
        assert [record["step"] for record in log.kept] == [1, 2, 3, 4]
        assert steps(path) == [1, 2, 3, 4]
        log({"step": 5, "loss": 9.0})
    assert steps(path) == [1, 2, 3, 4, 5]
    assert read_steps(path)[-1]["loss"] == 9
    assert [each.name for each in path.parent.iterdir()] == [STEP_LOG]


def test_a_new_run_begins_with_nothing(path: Path) -> None:
    with StepLog(path) as log:
        log({"step": 1})
    with StepLog(path):
        assert steps(path) == []


@pytest.mark.parametrize("tail", [b'{"step":3,"lo', b'{"step":3}', b"\x00\x00\n", b"null\n", b'{"loss":1}\n'])
def test_a_half_written_line_is_left_out(path: Path, tail: bytes) -> None:
    with StepLog(path) as log:
        log({"step": 1})
        log({"step": 2})
    with path.open("ab") as file:
        file.write(tail)
    assert steps(path) == [1, 2]
    with StepLog(path, after=9) as log:
        log({"step": 3})
    assert steps(path) == [1, 2, 3]
    assert tail not in path.read_bytes() or tail == b'{"step":3}'


def test_none_where_there_is_none(path: Path) -> None:
    assert read_steps(path) == []


def test_a_killed_run_has_lost_no_whole_step(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    found = steps(path)
    assert len(found) >= 20
    assert found == list(range(1, len(found) + 1))


class TestLedgerSink:
    def test_steps_are_appended_some_at_a_time(self) -> None:
        appended: list[Sequence[Record]] = []
        sink = LedgerSink(appended.append, batch=2)
        for step in range(1, 6):
            sink({"step": step})
        assert [[record["step"] for record in records] for records in appended] == [[1, 2], [3, 4]]
        sink.flush()
        sink.flush()
        assert [record["step"] for record in appended[-1]] == [5]
        assert len(appended) == 3

    def test_the_ledger_keeps_them(self, workspace: Workspace) -> None:
        sink = LedgerSink(lambda records: workspace.log("train", "step", training="abc", steps=records), batch=3)
        for step in range(4):
            sink({"step": step, "loss": math.nan})
        sink.flush()
        entries = latest(workspace.ledger, 10, "train")
        assert {entry.event for entry in entries} == {"step"}
        kept = [record["step"] for entry in entries for record in entry.detail["steps"]]
        assert sorted(kept) == [0, 1, 2, 3]
        assert {entry.detail["training"] for entry in entries} == {"abc"}

    def test_a_batch_costs_a_step_next_to_nothing(self, tmp_path: Path) -> None:
        """Half a millisecond a step, where a training step of the tiniest model takes tens of them."""
        record: dict[str, Any] = dict.fromkeys(map(str, range(20)), 0.123456)
        with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
            from ledger.config import parse_config

            own = Workspace(tmp_path, parse_config(""), ledger)
            sink = LedgerSink(lambda records: own.log("train", "step", steps=records))
            began = time.process_time()
            for step in range(20 * LEDGER_BATCH):
                sink({"step": step, **record})
            spent = time.process_time() - began
        assert spent / (20 * LEDGER_BATCH) < 5e-4
