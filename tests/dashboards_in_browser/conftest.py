"""Workspaces of several kinds, counted and served; one Chromium for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.dashboard_world import make_world
from dashboards.counting.kept import FOLDER
from dashboards.counting.sections import SECTIONS
from dashboards.prerendered.draw import draw_pages
from tests.chromium import chromium
from tests.dashboards.pages import counted
from tests.dashboards_in_browser.hostile import add_hostile
from tests.dashboards_in_browser.served import Served, served
from tests.demo import demo_folder, run_demo

LARGE = os.environ.get("WARDROUND_TEST_WORLD", "")  # one of `benchmarks/dashboard_world.py`; else it is made
MILLION = 1_000_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after four rounds, some of whose records would like to run scripts."""
    root = tmp_path_factory.mktemp("small") / "world"
    make_world(root, comparisons=5_000, rounds=4)
    add_hostile(root)
    counted(root, *SECTIONS)
    draw_pages(root / FOLDER)
    return root


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a million comparisons."""
    root = Path(LARGE) if LARGE else tmp_path_factory.mktemp("large") / "world"
    if not LARGE:
        make_world(root, MILLION)
    counted(root, *SECTIONS)
    return root


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a demo."""
    root = demo_folder(tmp_path_factory.mktemp("demo") / "workspace")
    run_demo(root)
    counted(root, *SECTIONS)
    return root


@pytest.fixture(scope="session")
def served_small(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(small, tmp_path_factory.mktemp("log") / "small.log") as dashboard:
        yield dashboard


@pytest.fixture(scope="session")
def served_large(large: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(large, tmp_path_factory.mktemp("log") / "large.log") as dashboard:
        yield dashboard


@pytest.fixture(scope="session")
def served_demo(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo, tmp_path_factory.mktemp("log") / "demo.log") as dashboard:
        yield dashboard
