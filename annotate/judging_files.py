"""Files that say what to judge by: Markdown, bundled with Wardround or in the workspace.

Line ends and outer white space are no part of such a file, so a checkout on another system has the same version.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from unicodedata import normalize

from ledger.errors import ConfigError
from ledger.records import Mode

VERSION_DIGITS = 8
BY_MODE = "auto"  # in place of a file's name: that of the question's mode


class Versioned(Protocol):
    """What has a version to be recorded."""

    @property
    def version(self) -> str:
        """``name@hash``."""


V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class ByMode(Generic[V]):
    """One for each mode of question."""

    clinical: V
    exam: V

    def of(self, mode: Mode) -> V:
        """That for questions of a mode."""
        return self.clinical if mode == "clinical" else self.exam

    @property
    def version(self) -> str:
        """Both versions, for people; what is recorded is the one that was used."""
        return f"{self.clinical.version}, {self.exam.version}"


def load_by_mode(folder: Path, read: Callable[[Path], V]) -> tuple[V, V]:
    """The bundled ones for clinical questions and for examinations."""
    return read(folder / "clinical.md"), read(folder / "exam.md")


def bundled_names(folder: Path) -> tuple[str, ...]:
    """What comes with Wardround."""
    return tuple(sorted(path.stem for path in folder.glob("*.md")))


def find(name: str, folder: Path, workspace: Path, *, what: str, key: str) -> Path:
    """The file that a name means: a bundled one, or one in the workspace.

    Args:
        name: as configured.
        folder: where the bundled ones are.
        workspace: its root.
        what: what such a file holds, for the message.
        key: which setting holds the name.

    Raises:
        ConfigError: there is none.
    """
    if name in bundled_names(folder):
        return folder / f"{name}.md"
    path = workspace / name
    if not name or not path.is_file():
        known = ", ".join([BY_MODE, *bundled_names(folder)])
        raise ConfigError(
            f"no such {what}: {name!r}",
            where=key,
            advice=f"use one of {known}, or the path of a Markdown file in the workspace",
        )
    return path


def read_text(path: Path) -> str:
    """What the file says; empty where it says nothing.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=path, advice="make it a readable UTF-8 file") from error


def identifier(name: str) -> str:
    """A name as an identifier such as ``clinical_accuracy``; empty where there is no letter or digit in it."""
    return re.sub(r"[\W_]+", "_", normalize("NFKC", name).casefold()).strip("_")
