"""Criteria: what an answer is rated by, on its own, each met or not and each worth points.

After HealthBench (Arora et al., 2025). Criteria are a Markdown file: what the judge should know in general, then a
numbered list, each item with a name in bold and its points, negative for what must not be there:
``1. **Red flags** (+6): Names the signs of an emergency that ...``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
from annotate.rating_version import rating_version
from ledger.errors import ConfigError
from ledger.records import Mode, digest

BUNDLED = Path(__file__).parent / "criteria"
ITEM = re.compile(r"^ {0,3}(\d+)[.)][ \t]+", re.MULTILINE)
CRITERION = re.compile(r"\*\*([^*\n]+)\*\*[ \t]*\(([+\-\u2212]?[0-9]{1,4})\)[ \t]*[:.]?\s+(\S.*)", re.DOTALL)
ENDED = re.compile(r"\n[ \t]*\n(?=\S)")  # a list item goes on where the text after an empty line is indented
EXAMPLE = "`1. **Red flags** (+6): Names the signs of an emergency that belong to the question.`"


@dataclass(frozen=True)
class Criterion:
    """Something that an answer does or does not do."""

    name: str  # an identifier such as ``red_flags``
    points: int  # never zero; negative for what must not be there
    text: str  # when it is met


@dataclass(frozen=True)
class Criteria:
    """The text of a file of criteria, and its name.

    Raises:
        ConfigError: the text holds no criteria that an answer could be rated by.
    """

    name: str
    text: str

    def __post_init__(self) -> None:
        _ = self.criteria

    @cached_property
    def criteria(self) -> tuple[Criterion, ...]:
        """Each of them, in their order."""
        return criteria_in(self.text, self.name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What they are called, in their order."""
        return tuple(criterion.name for criterion in self.criteria)

    @cached_property
    def best(self) -> int:
        """The points of an answer that does all that it should and nothing that it should not."""
        return sum(max(criterion.points, 0) for criterion in self.criteria)

    @cached_property
    def version(self) -> str:
        """``name@hash``: what every rating by these criteria records.

        The hash is over the text and over all that a judge is told besides, as that of a rubric is.
        """
        return f"{self.name}@{digest(['criteria', self.text, rating_version()])[:VERSION_DIGITS]}"

    def score(self, met: Mapping[str, bool]) -> float:
        """The share of the best points that an answer has, in [0, 1].

        An answer with more points against it than for it has 0. (HealthBench cuts the mean over questions so; here each
        answer's score stands by itself.)

        Raises:
            KeyError: ``met`` does not say whether a criterion is met.
        """
        points = sum(criterion.points for criterion in self.criteria if met[criterion.name])
        return min(max(points / self.best, 0.0), 1.0)

    def of(self, mode: Mode) -> Criteria:
        """Itself, whatever the question's mode."""
        return self


class CriteriaByMode(ByMode[Criteria]):
    """Criteria for each mode of question."""


AnyCriteria = Criteria | CriteriaByMode


def bundled_criteria() -> tuple[str, ...]:
    """The names of the criteria that come with Wardround."""
    return bundled_names(BUNDLED)


def load_criteria(name: str, workspace_root: Path) -> AnyCriteria:
    """What ``judge.criteria`` names: bundled criteria, those of the modes ("auto"), or a file in the workspace.

    Raises:
        ConfigError: there is no such file, it is not UTF-8 text, or no answer could be rated by it.
    """
    if name == BY_MODE:
        return CriteriaByMode(*load_by_mode(BUNDLED, _read))
    return _read(find(name, BUNDLED, workspace_root, what="criteria", key="judge.criteria"))


def _read(path: Path) -> Criteria:
    text = read_text(path)
    criteria_in(text, path)  # so that a fault names the file
    return Criteria(path.stem, text)


def criteria_in(text: str, where: object) -> tuple[Criterion, ...]:
    """The items of the numbered list; ``where``: named in the error.

    Raises:
        ConfigError: there is none, an item is no criterion, one has no points or the name of another, or there are no
            points to be had.
    """
    _, *parts = ITEM.split(text)
    if not parts:
        raise ConfigError("holds no criterion", where=where, advice=f"list them with numbers, such as {EXAMPLE}")
    found = [_criterion(number, item, where) for number, item in zip(parts[::2], parts[1::2], strict=True)]
    _check(found, where)
    return tuple(found)


def _criterion(number: str, item: str, where: object) -> Criterion:
    said = CRITERION.match(ENDED.split(item)[0])
    name = identifier(said[1]) if said else ""
    if said is None or not name:
        raise ConfigError(f"item {number} of the list is no criterion", where=where, advice=f"write it as {EXAMPLE}")
    return Criterion(name, int(said[2].replace("\u2212", "-")), " ".join(said[3].split()))


def _check(found: Sequence[Criterion], where: object) -> None:
    twice = [name for name, count in Counter(criterion.name for criterion in found).items() if count > 1]
    if twice:
        raise ConfigError(
            f"names the criterion {twice[0]} twice", where=where, advice="give each criterion a name of its own"
        )
    idle = [criterion.name for criterion in found if not criterion.points]
    if idle:
        raise ConfigError(
            f"the criterion {idle[0]} has no points",
            where=where,
            advice="give it points, negative ones for what must not be there, or leave it out",
        )
    if all(criterion.points < 0 for criterion in found):
        raise ConfigError(
            "no criterion has positive points", where=where, advice="say what an answer should do, too, and its points"
        )
