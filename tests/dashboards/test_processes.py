from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from dashboards import processes
from dashboards.processes import CHILD, Kept, end, start

MODULE = """
import os, signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(os.environ["SAID"] + ".draft", "w") as file:
    print(sys.argv[1:], os.nice(0), file=file)
os.replace(os.environ["SAID"] + ".draft", os.environ["SAID"])
time.sleep(600)
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that waits."""
    (tmp_path / "waiting_here.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "waiting_here"


def quick(code: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-S", "-c", f"raise SystemExit({code})"], stdin=subprocess.PIPE)
    process.wait()
    return process


def complaint(module: str, folder: Path) -> str:
    """What a module that fails says, run in this folder by a starter that lives on."""
    watched, held = os.pipe()
    try:
        line = [sys.executable, "-P", str(CHILD), "0", module]
        return subprocess.run(line, cwd=folder, stdin=watched, stderr=subprocess.PIPE, text=True, check=False).stderr
    finally:
        os.close(watched)
        os.close(held)


def said_by(process: subprocess.Popen[bytes], place: Path) -> str:
    """What the module says when it runs."""
    while not place.exists():
        assert process.poll() is None
        time.sleep(0.02)
    return place.read_text()


def test_a_module_runs_with_its_arguments_and_environment(waiting: str, tmp_path: Path) -> None:
    place = tmp_path / "said"
    process = start(waiting, "a", "b c", environment={"SAID": str(place)})
    assert said_by(process, place) == f"['a', 'b c'] {os.nice(0)}\n"
    end(process)
    assert process.returncode == -15


def test_a_module_can_run_on_what_others_leave_over(waiting: str, tmp_path: Path) -> None:
    place = tmp_path / "said"
    process = start(waiting, environment={"SAID": str(place)}, priority="idle")
    assert said_by(process, place) == "[] 19\n"
    assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    end(process)


def test_it_ends_with_who_started_it(waiting: str, tmp_path: Path) -> None:
    """As when that one is killed: the pipe is closed."""
    process = start(waiting, environment={"SAID": str(tmp_path / "said")})
    assert said_by(process, tmp_path / "said")
    assert process.stdin is not None
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(30) == -15


def test_what_does_not_listen_is_killed(waiting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    process = start(waiting, "deaf", environment={"SAID": str(tmp_path / "said")})
    assert "deaf" in said_by(process, tmp_path / "said")
    end(process)
    assert process.returncode == -9


def test_nothing_is_imported_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "runpy.py").write_text("raise SystemExit('imported from the current folder')")
    assert "No module named no_such_module" in complaint("no_such_module", tmp_path)


def test_the_rooms_are_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without help from PYTHONPATH, and whatever else is installed."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    said = complaint("dashboards.serving", Path("/"))
    assert str(CHILD.with_name("serving.py")) in said
    assert "KeyError: 'WARDROUND_WORKSPACE'" in said


def test_what_ends_is_started_again_after_a_rest_that_doubles(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    starts: list[float] = []

    def failing() -> subprocess.Popen[bytes]:
        starts.append(clock.now)
        return quick(3)

    kept = Kept("counting", failing, clock)
    while clock.now < 40:
        kept.look()
        clock.now += 0.5
    end(*kept.running)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps[:5] == pytest.approx([1, 2, 4, 8, 16], abs=1)
    assert "dashboard: counting ended with 3; it starts again in 1 s\n" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "life"), [(0, 400), (-9, 4_000)])
def test_after_running_well_the_rest_is_short_again(code: int, life: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert rests(code, life, capsys) == ["1"] * 4


def test_what_fails_late_each_time_rests_ever_longer(capsys: pytest.CaptureFixture[str]) -> None:
    """As when a count always ends for want of memory."""
    assert rests(-9, 400, capsys) == ["1", "2", "4", "8"]


def rests(code: int, life: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """How long a process rests that ends like this after so many seconds, time after time."""
    clock = Clock()
    kept = Kept("counting", lambda: quick(code), clock)
    for _ in range(8):
        clock.now += life
        kept.look()
    end(*kept.running)
    return re.findall(r"starts again in (\d+) s", capsys.readouterr().err)
