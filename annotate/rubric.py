"""Rubrics: what an assessor is asked to judge by, with a version that changes whenever a word changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.errors import ConfigError
from ledger.records import digest

BUNDLED = Path(__file__).parent / "rubrics"
VERSION_DIGITS = 8


@dataclass(frozen=True)
class Rubric:
    """The text of a rubric and its name."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """``name@hash``: what every comparison by this rubric records."""
        return f"{self.name}@{digest(['rubric', self.text])[:VERSION_DIGITS]}"


def bundled_rubrics() -> tuple[str, ...]:
    """The names of the rubrics that come with Wardround."""
    return tuple(sorted(path.stem for path in BUNDLED.glob("*.md")))


def load_rubric(name: str, workspace: Path) -> Rubric:
    """The bundled rubric of this name, or else the file at this path, a relative one from the workspace.

    Line ends and outer white space are no part of a rubric, so a checkout on another system has the same version.

    Raises:
        ConfigError: there is neither, or the file is empty or not UTF-8 text.
    """
    if name in bundled_rubrics():
        return _read(BUNDLED / f"{name}.md")
    path = workspace / name
    if not name or not path.is_file():
        raise ConfigError(
            f"no such rubric: {name!r}",
            where="judge.rubric",
            advice=f"use {' or '.join(bundled_rubrics())}, or the path of a Markdown file in the workspace",
        )
    return _read(path)


def _read(path: Path) -> Rubric:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=path, advice="make it a readable UTF-8 file") from error
    if not text:
        raise ConfigError("the rubric is empty", where=path, advice="write down what makes one answer the better one")
    return Rubric(path.stem, text)
