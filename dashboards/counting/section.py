"""A section: one page's findings, what they are counted from, and how they are written to disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from ledger.records import Record
from ledger.workspace import Workspace

F = TypeVar("F")


@dataclass(frozen=True)
class Section(Generic[F]):
    """How one page's findings come about.

    Attributes:
        name: of the file that keeps them
        kind: a frozen dataclass of plain values, tuples, mappings and such dataclasses; no NaN: None is "not there"
        find: reads them from the ledger; never writes
        records: they change only when one of these tables grows, or the configuration changes
        stages: of the log, whose other entries do not count where it is among ``records``; empty: all
    """

    name: str
    kind: type[F]
    find: Callable[[Workspace], F]
    records: tuple[type[Record], ...]
    stages: tuple[str, ...] = ()

    @cached_property
    def form(self) -> TypeAdapter[F]:
        """To and from JSON."""
        return TypeAdapter(self.kind)
