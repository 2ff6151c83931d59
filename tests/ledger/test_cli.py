from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ledger.cli import init, log, trace
from ledger.config import parse_config
from ledger.errors import InputError, LedgerError, TamperError
from ledger.store import open_ledger
from ledger.workspace import Workspace, open_workspace

app = typer.Typer()
for command in (init, log, trace):
    app.command()(command)


def run(*arguments: object) -> str:
    """What the command prints as its result."""
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace in which two stages ran."""
    run("init", tmp_path / "project")
    root = tmp_path / "project"
    with open_ledger(f"sqlite:///{root}/ledger.db") as ledger:
        workspace = Workspace(root, parse_config(""), ledger, run="run-1")
        with workspace.stage("import", source="q.jsonl") as outcome:
            outcome["new"] = 3
        with workspace.stage("sample", model="two\nlines"):
            pass
    return root


def test_init_makes_a_workspace_and_changes_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("init", tmp_path)
    config = tmp_path / "wardround.toml"
    assert "[judge]" in config.read_text()
    assert (tmp_path / "ledger.db").exists()
    config.write_text("[sample]\nn = 2\n")
    run("init", "--workspace", tmp_path)
    assert config.read_text() == "[sample]\nn = 2\n"


def test_log_shows_the_newest_last(root: Path) -> None:
    lines = run("log", "-w", root).splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["init", "finished"],
        ["import", "started"],
        ["import", "finished"],
        ["sample", "started"],
        ["sample", "finished"],
    ]
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 ", lines[0])
    assert "new=3" in lines[2]
    assert "run-1" in lines[2]


def test_log_of_one_stage_and_of_the_last_few(root: Path) -> None:
    events = [(each["stage"], each["event"]) for each in json.loads(run("log", "-w", root, "-n", 1, "--json"))]
    assert events == [("sample", "finished")]
    found = json.loads(run("log", "-w", root, "--stage", "import", "--json"))
    assert [(each["event"], each["detail"]) for each in found] == [
        ("started", {"source": "q.jsonl"}),
        ("finished", {"new": 3}),
    ]
    assert set(found[0]) == {"when", "stage", "event", "detail", "code", "run"}


def test_log_shortens_what_no_line_holds_and_json_does_not(root: Path) -> None:
    with open_workspace(root) as workspace:
        workspace.log("training run", "step", steps=[{"step": 1}, {"step": 2}], cause="x" * 1_000)
    said = run("log", "-w", str(root))
    assert "steps=[2 records]" in said
    assert "x" * 400 + "..." in said
    assert "x" * 401 not in said
    assert '{"step":2}' in run("log", "-w", str(root), "--json")


def test_log_of_nothing(root: Path) -> None:
    assert run("log", "-w", root, "--stage", "judge") == "nothing was done yet\n"
    assert json.loads(run("log", "-w", root, "--stage", "judge", "--json")) == []


def test_log_makes_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "wardround.toml").touch()
    with pytest.raises(LedgerError, match="there is no ledger here"):
        run("log", "-w", tmp_path)


@pytest.fixture
def traceable(tmp_path: Path, ancestry: Any) -> Path:
    url = ancestry.ledger.engine.url.render_as_string(hide_password=False)
    (tmp_path / "wardround.toml").write_text(f'[ledger]\nurl = "{url}"\n')
    return tmp_path


def test_trace_prints_the_ancestry(traceable: Path, ancestry: Any) -> None:
    out = run("trace", "dpo-2", "-w", traceable)
    assert [out.index(f"{each.name}  {each.id}  {each.method}") for each in ancestry.chain]
    assert "trained on 3 pairs: 6 comparisons, 9 candidates, 3 prompts" in out
    assert "every record is what was written, and so are the weights\n" in out
    assert out.endswith("not checked: dpo-2, dpo-1, sft\n")


def test_trace_as_json(traceable: Path, ancestry: Any) -> None:
    facts = json.loads(run("trace", ancestry.newest.id[:12], "--workspace", traceable, "--json"))
    assert facts["verified"] is True
    assert [each["name"] for each in facts["models"]] == ["dpo-2", "dpo-1", "sft"]
    newest = facts["models"][0]
    assert newest["pairs"] == 3
    assert newest["at"].endswith("+00:00")


def test_trace_of_an_unknown_model(traceable: Path) -> None:
    with pytest.raises(InputError, match="dpo-1"):
        run("trace", "nobody", "-w", traceable)


def test_trace_of_a_tampered_ledger_prints_no_result(traceable: Path, ancestry: Any) -> None:
    with ancestry.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE prompts SET topic = 'x'")
    with pytest.raises(TamperError):
        run("trace", "dpo-2", "-w", traceable)
