"""Fixtures of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.counting.kept import FOLDER
from dashboards.launch import COUNTS_VARIABLE, WORKSPACE_VARIABLE
from ledger.store import Ledger
from tests.dashboards.made_ledger import Made, fill


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
