"""The same report for each judge of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Report(Protocol):
    """What a command prints."""

    def text(self) -> str:
        """For people."""

    def facts(self) -> Mapping[str, object]:
        """For ``--json``."""


R = TypeVar("R", bound=Report)


@dataclass(frozen=True)
class EachJudge(Generic[R]):
    """One report a judge."""

    reports: tuple[R, ...]

    def text(self) -> str:
        """One below the other."""
        return "\n\n".join(report.text() for report in self.reports)

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {"judges": [report.facts() for report in self.reports]}
