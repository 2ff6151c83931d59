"""Where what is counted is kept: in the workspace, or elsewhere for a while if that cannot be written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards.counting.kept import FOLDER, made_folder
from ledger.errors import InputError
from ledger.screen import say


@contextmanager
def counts_folder(root: Path) -> Iterator[Path]:
    """The folder for what is counted: the workspace's, or where that cannot be written, one that goes with us."""
    folder = root.resolve() / FOLDER
    try:
        made_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (InputError, OSError):
        own = tempfile.mkdtemp(prefix="wardround-")
        say(f"dashboard: {folder} cannot be written; what is counted is forgotten at the end")
        try:
            yield Path(own)
        finally:
            shutil.rmtree(own, ignore_errors=True)
    else:
        yield folder
