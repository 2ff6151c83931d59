"""Fixtures that several rooms use."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ledger.config import parse_config
from ledger.store import Ledger, open_ledger
from ledger.workspace import Workspace
from tests.databases import empty_schema, fill_with_tables

# One thread a process: tiny models gain nothing from more, and the suite's own processes would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A suite started in the background ignores Ctrl-C, and so would every program that it starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests start runs as a user's does. Tracing it too would make the suite a third longer.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

# In a fresh checkout the first text that Hypothesis draws has it make a table of all characters, which takes seconds.
settings.register_profile("suite", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A SQLAlchemy URL of an empty PostgreSQL database that the tests may fill; set by .ci/run.
POSTGRES = os.environ.get("WARDROUND_TEST_POSTGRES", "")

BACKENDS = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind that is at hand."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    with empty_schema(POSTGRES) as found:
        yield found


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained tiny model and its tokenizer."""
    from align.tiny_policy import make_tiny_policy

    folder = tmp_path_factory.mktemp("tiny") / "policy"
    make_tiny_policy(folder, ["What is a hernia? A protrusion through the wall which contains it."], vocabulary=400)
    return folder


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger. Its tables are made at once: the migrations, which make the same, take five times as long."""
    fill_with_tables(url)
    with open_ledger(url) as opened:
        yield opened


@pytest.fixture
def workspace(tmp_path: Path, ledger: Ledger) -> Workspace:
    """A workspace with default settings and an empty ledger."""
    return Workspace(tmp_path, parse_config(""), ledger)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two cores' worth of Ray on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # on GPUs, of which there are none
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield
    ray.shutdown()
