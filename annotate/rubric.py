"""Rubrics: what an assessor is asked to judge by, with a version that changes whenever a word changes.

A rubric is a Markdown file. Its axes, on each of which the judge gives scores, are the items of a numbered list that
open with a name in bold and a full stop or a colon: ``1. **Clinical accuracy.** Diagnosis, anatomy, ...``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from annotate.judging_files import (
    BY_MODE,
    VERSION_DIGITS,
    ByMode,
    bundled_names,
    find,
    identifier,
    load_by_mode,
    read_text,
)
from annotate.protocol_version import protocol_version
from ledger.errors import ConfigError
from ledger.records import Mode, digest

BUNDLED = Path(__file__).parent / "rubrics"
AXIS = re.compile(r"^ {0,3}\d+[.)][ \t]+\*\*([^*\n]+?)(?:[.:]\*\*|\*\*[.:])", re.MULTILINE)


@dataclass(frozen=True)
class Rubric:
    """The text of a rubric and its name."""

    name: str
    text: str

    @cached_property
    def version(self) -> str:
        """``name@hash``: what every comparison by this rubric records.

        The hash is over the text and over all that a judge is told besides, so that verdicts under different
        instructions are never taken for the same.
        """
        return f"{self.name}@{digest(['rubric', self.text, protocol_version()])[:VERSION_DIGITS]}"

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """What it gives scores on, as identifiers such as ``clinical_accuracy``; none where it names none."""
        return tuple(dict.fromkeys(_axes(self.text)))

    def of(self, mode: Mode) -> Rubric:
        """Itself, whatever the question's mode."""
        return self


class RubricByMode(ByMode[Rubric]):
    """A rubric for each mode of question."""


AnyRubric = Rubric | RubricByMode


def bundled_rubrics() -> tuple[str, ...]:
    """The names of the rubrics that come with Wardround."""
    return bundled_names(BUNDLED)


def load_rubric(name: str, workspace: Path) -> AnyRubric:
    """What ``judge.rubric`` names: a bundled rubric, those of the modes ("auto"), or a file in the workspace.

    Raises:
        ConfigError: there is no such rubric, or the file is empty, not UTF-8 text, or names an axis twice.
    """
    if name == BY_MODE:
        return RubricByMode(*load_by_mode(BUNDLED, _read))
    return _read(find(name, BUNDLED, workspace, what="rubric", key="judge.rubric"))


def _read(path: Path) -> Rubric:
    text = read_text(path)
    if not text:
        raise ConfigError("the rubric is empty", where=path, advice="write down what makes one answer the better one")
    twice = [axis for axis, count in Counter(_axes(text)).items() if count > 1]
    if twice:
        raise ConfigError(f"names the axis {twice[0]} twice", where=path, advice="give each axis a name of its own")
    return Rubric(path.stem, text)


def _axes(text: str) -> list[str]:
    return [axis for name in AXIS.findall(text) if (axis := identifier(name))]
