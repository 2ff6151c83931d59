from __future__ import annotations

from pathlib import Path

import pytest

from ledger.config import Config, parse_config
from ledger.errors import ConfigError, InputError, LedgerError
from ledger.provenance import code_version
from ledger.records import LogEntry
from ledger.workspace import Workspace, ledger_url, make_workspace, open_workspace


def entries(workspace: Workspace) -> list[LogEntry]:
    return list(workspace.ledger.read(LogEntry))


def test_a_stage_is_logged(workspace: Workspace) -> None:
    with workspace.stage("sample", model="sft") as outcome:
        outcome["candidates"] = 12
    begun, ended = entries(workspace)
    assert (begun.stage, begun.event, begun.detail) == ("sample", "started", {"model": "sft"})
    assert (ended.stage, ended.event, ended.detail) == ("sample", "finished", {"candidates": 12})
    assert begun.code == ended.code == code_version()
    assert begun.run == ended.run == workspace.run


@pytest.mark.parametrize(
    ("error", "event", "detail"),
    [
        (ValueError("why"), "failed", {"cause": "why"}),
        (KeyboardInterrupt(), "interrupted", {}),
    ],
)
def test_a_stage_that_ends_early_is_logged(
    workspace: Workspace, error: BaseException, event: str, detail: dict[str, str]
) -> None:
    with pytest.raises(type(error)), workspace.stage("sample"):
        raise error
    assert [(each.event, each.detail) for each in entries(workspace)] == [("started", {}), (event, detail)]


def test_two_runs_that_did_the_same_are_two(workspace: Workspace) -> None:
    for opened in (workspace, Workspace(workspace.root, workspace.config, workspace.ledger)):
        opened.log("sample", "started")
    assert len(entries(workspace)) == 2


def test_a_relative_ledger_is_in_the_workspace(tmp_path: Path) -> None:
    assert ledger_url(tmp_path, Config()) == f"sqlite:///{tmp_path}/ledger.db"
    for url in ("sqlite:////var/ledger.db", "postgresql://host/name"):
        assert ledger_url(tmp_path, parse_config(f'[ledger]\nurl = "{url}"')) == url


def test_a_new_workspace_has_a_configuration_and_a_ledger(tmp_path: Path) -> None:
    root = tmp_path / "new" / "project"
    assert make_workspace(root)
    with open_workspace(root, create=False) as workspace:
        assert workspace.config == Config()
        assert workspace.models == root / "models"
        assert [(each.stage, each.event) for each in entries(workspace)] == [("init", "finished")]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "wardround.toml").write_text("[sample]\nn = 7\n")
    assert not make_workspace(tmp_path)
    assert (tmp_path / "wardround.toml").read_text() == "[sample]\nn = 7\n"
    assert not make_workspace(tmp_path)
    with open_workspace(tmp_path, create=False) as workspace:
        assert workspace.config.sample.n == 7


def test_a_workspace_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "project"):
        with pytest.raises(InputError, match="file"):
            make_workspace(place)


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"), open_workspace(tmp_path / "none"):
        pass
    with pytest.raises(ConfigError, match="wardround init"), open_workspace(tmp_path):
        pass
    (tmp_path / "wardround.toml").touch()
    with pytest.raises(LedgerError, match="no ledger here"), open_workspace(tmp_path, create=False):
        pass
