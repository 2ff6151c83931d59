"""A workspace: the folder that holds one project's configuration, ledger and weights."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ledger.config import CONFIG_NAME, Config, load_config
from ledger.errors import InputError
from ledger.provenance import code_version
from ledger.records import LogEntry
from ledger.store import Ledger, open_ledger


@dataclass(frozen=True)
class Workspace:
    """Everything a stage needs to know about where it works."""

    root: Path
    config: Config
    ledger: Ledger
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _entries: Iterator[int] = field(default_factory=count, repr=False, compare=False)

    @property
    def models(self) -> Path:
        """Where trained adapters are kept."""
        return self.root / "models"

    def log(self, stage: str, event: str, **detail: Any) -> None:
        """Write down what was done."""
        entry = LogEntry(stage, event, detail, code=code_version(), run=self.run, number=next(self._entries))
        self.ledger.append([entry])

    @contextmanager
    def stage(self, name: str, **detail: Any) -> Iterator[dict[str, Any]]:
        """Log a stage's start and end; what the caller puts into the yielded dict goes into the end's detail."""
        self.log(name, "started", **detail)
        outcome: dict[str, Any] = {}
        try:
            yield outcome
        except Exception as error:
            self.log(name, "failed", cause=str(error)[:1000])
            raise
        except KeyboardInterrupt:
            self.log(name, "interrupted")
            raise
        self.log(name, "finished", **outcome)


def ledger_url(root: Path, config: Config) -> str:
    """The ledger's URL, with a relative SQLite path taken from the workspace's folder."""
    url = config.ledger.url
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str(root.resolve() / url.removeprefix(prefix))
    return url


def make_workspace(root: Path) -> bool:
    """Make ``root`` a workspace with default settings and an empty ledger; False where it was one before.

    A configuration that is there is never overwritten.

    Raises:
        InputError: the folder cannot be made or written.
        ConfigError, LedgerError: see `open_workspace`.
    """
    template = Path(__file__).with_name(CONFIG_NAME).read_text(encoding="utf-8")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / CONFIG_NAME).open("x", encoding="utf-8") as file:
            file.write(template)
        made = True
    except FileExistsError:
        made = False
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror}", where=root, advice="choose a folder that you may write to"
        ) from error
    with open_workspace(root) as workspace:
        if made:
            workspace.log("init", "finished")
    return made


@contextmanager
def open_workspace(root: Path, *, create: bool = True) -> Iterator[Workspace]:
    """Open the workspace in ``root``.

    Raises:
        InputError: there is no such folder.
        ConfigError: its configuration cannot be used.
        LedgerError: its ledger does not answer, or is not there while ``create`` is false.
    """
    if not root.is_dir():
        raise InputError("no such folder", where=root, advice="make it with `wardround init`")
    config = load_config(root / CONFIG_NAME)
    with open_ledger(ledger_url(root, config), create=create) as ledger:
        yield Workspace(root, config, ledger)
