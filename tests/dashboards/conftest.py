"""Fixtures of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.review.surgeons import SURGEONS_FILE
from dashboards.counting.kept import FOLDER
from dashboards.launch import COUNTS_VARIABLE, WORKSPACE_VARIABLE
from ledger.store import Ledger
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import configured
from tests.dashboards.made_ledger import Made, fill

SURGEONS = '[surgeons.s1]\nname = "One"\n[surgeons.s2]\nname = "Two"\n[surgeons.s3]\nname = "Gone"\nactive = false\n'


@pytest.fixture
def folder(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace's folder, which the dashboard is told of."""
    (tmp_path / "wardround.toml").write_text(f'[ledger]\nurl = "{url}"\n')
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path))
    monkeypatch.setenv(COUNTS_VARIABLE, str(tmp_path / FOLDER))
    return tmp_path


@pytest.fixture
def made(ledger: Ledger) -> Made:
    """A ledger after one round."""
    return fill(ledger)


@pytest.fixture
def ward(folder: Path, ledger: Ledger) -> Workspace:
    """A workspace with a judge in its configuration."""
    return Workspace(folder, configured(folder).config, ledger)


@pytest.fixture
def two_surgeons(folder: Path) -> None:
    """Two active surgeons, and one who is not any more."""
    (folder / SURGEONS_FILE).write_text(SURGEONS)
