"""Who writes, who waits and who speaks where several processes train together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from align.processes import (
    CONFIGS,
    all_here,
    from_main,
    is_main,
    launch_config,
    main_first,
    main_stage,
    only_main_speaks,
    share_of,
    world_size,
)
from ledger.errors import ConfigError, InputError
from ledger.queries import latest
from ledger.screen import result, say
from ledger.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
# What each process does: hear of a value, go through a block in turn, and meet an error of the main process.
PROGRAM = """
import sys
from pathlib import Path
from align.processes import all_here, from_main, is_main, main_first
from ledger.errors import StageError

found = from_main(lambda: {"from": "main", "main": is_main()})
with main_first():
    log = Path(sys.argv[1])
    before = log.read_text() if log.exists() else ""
    with log.open("a") as file:
        file.write("main " if is_main() else "other ")
print(found, repr(before), flush=True)
all_here()

def fails():
    raise StageError("no pairs")

try:
    from_main(fails)
except StageError as error:
    print(f"raised: {error}")
    sys.exit(2)
"""


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the second of two processes."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_one_process_does_everything_without_loading_torch() -> None:
    assert (is_main(), world_size(), from_main(lambda: 7), share_of(5)) == (True, 1, 7, 5)
    with main_first():
        all_here()
    program = (
        "import sys\nfrom align.processes import *\nfrom_main(lambda: 1)\nwith main_first(): all_here()\n"
        "print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


@pytest.mark.usefixtures("another")
def test_a_batch_is_shared_evenly_or_not_at_all() -> None:
    assert (is_main(), world_size(), share_of(8)) == (False, 2, 4)
    with pytest.raises(
        ConfigError, match=r"align.batch_size: 2 processes cannot share a batch of 5 -> make it a multi"
    ):
        share_of(5)


def test_the_main_process_speaks_and_writes(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with only_main_speaks(), main_stage(workspace, "train", pairs=3) as outcome:
        say("a notice")
        result("a result", {}, as_json=False)
        outcome["model"] = "abc"
    assert (capsys.readouterr()) == ("a result\n", "a notice\n")
    assert [done.event for done in latest(workspace.ledger, 9, "train")] == ["started", "finished"]


@pytest.mark.usefixtures("another")
def test_the_others_do_not(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with only_main_speaks(), main_stage(workspace, "train", pairs=3) as outcome:
        say("a notice")
        result("a result", {}, as_json=False)
        outcome["model"] = "abc"
    assert (capsys.readouterr()) == ("", "")
    assert not list(latest(workspace.ledger, 9, "train"))
    say("after")
    assert capsys.readouterr().err == "after\n"


@pytest.mark.usefixtures("another")
def test_an_error_leaves_the_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="wrong"), only_main_speaks():
        raise InputError("wrong")
    say("heard")
    assert capsys.readouterr().err == "heard\n"


def test_a_configuration_is_one_of_ours_or_a_file(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.touch()
    assert launch_config(str(own)) == own
    assert launch_config("one_gpu") == CONFIGS / "one_gpu.yaml"
    with pytest.raises(InputError, match=r"no such accelerate configuration: three -> one of .*several_gpus_fsdp"):
        launch_config("three")


@pytest.mark.slow
def test_two_processes_hear_what_the_main_one_found_and_end_where_it_fails(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "turns")],
            env={**os.environ, **own, "RANK": str(rank), "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (1, 0)
    ]
    (other, _), (main, _) = (each.communicate(timeout=120) for each in running)
    assert [each.returncode for each in running] == [0, 2]
    assert main == "{'from': 'main', 'main': True} ''\nraised: no pairs\n"
    assert other == "{'from': 'main', 'main': True} 'main '\n"
    assert (tmp_path / "turns").read_text() == "main other "
