"""Findings on disk: one JSON file a section, replaced whole, so that who reads never sees half of one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from dashboards.counting.section import Section
from ledger.errors import InputError
from ledger.provenance import code_version
from ledger.records import LogEntry, Record
from ledger.tables import TABLES, log
from ledger.workspace import Workspace

F = TypeVar("F")
FOLDER = Path("cache") / "dashboard"
OWNER_ONLY = 0o700
DRAFT = ".draft"
STALE = 3_600.0  # seconds


@dataclass(frozen=True)
class Source:
    """What findings were counted from: as long as this is the same, so are they."""

    rows: tuple[int, ...]  # the newest row of each table that the section is counted from
    config: str
    code: str


@dataclass(frozen=True)
class Stamp:
    """When and from what findings were counted; ``problem``: why they could not be, or not anew."""

    source: Source
    at: float  # Unix seconds
    seconds: float  # that it took
    problem: str = ""

    @property
    def moment(self) -> str:
        """When, for people, in UTC."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Kept(Generic[F]):
    """A section's findings and their stamp; None where they could not be counted."""

    stamp: Stamp
    findings: F | None


STAMP = TypeAdapter(Stamp)


def source_of(workspace: Workspace, section: Section[F]) -> Source:
    """What the section would be counted from now."""
    columns: list[Any] = [_newest(kind, section.stages) for kind in section.records]
    rows = next(tuple(map(int, row)) for row in workspace.ledger.rows(sa.select(*columns)))
    return Source(rows, workspace.config.version, code_version())


def _newest(kind: type[Record], stages: tuple[str, ...]) -> sa.ColumnElement[int]:
    """The last row of a table."""
    row = TABLES[kind].c.row
    last = sa.select(row).order_by(row.desc()).limit(1)
    if kind is LogEntry and stages:
        last = last.where(log.c.stage.in_(stages))
    return sa.func.coalesce(last.scalar_subquery(), 0)


def kept_file(folder: Path, section: Section[F]) -> Path:
    """Where a section is kept."""
    return folder / f"{section.name}.json"


def made_folder(folder: Path) -> Path:
    """The folder, which its owner alone may read; another user's stays as it is.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(OWNER_ONLY)
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror}", where=folder, advice="make its parent writable"
        ) from error
    return folder


def keep(folder: Path, section: Section[F], kept: Kept[F]) -> None:
    """Replace what is kept of a section. The stamp is the file's first line, the findings the second."""
    found = b"null" if kept.findings is None else section.form.dump_json(kept.findings)
    replace_file(kept_file(folder, section), STAMP.dump_json(kept.stamp) + b"\n" + found)


def replace_file(file: Path, content: bytes, changed: int | None = None) -> None:
    """Replace a file whole; ``changed``: when it says that it was, in nanoseconds since 1970; by default now."""
    draft = file.with_suffix(f".{os.getpid()}{DRAFT}")
    draft.write_bytes(content)
    if changed is not None:
        os.utime(draft, ns=(changed, changed))
    draft.replace(file)


def read_stamp(folder: Path, section: Section[F]) -> Stamp | None:
    """When and from what a section was counted last; None where it never was."""
    try:
        with kept_file(folder, section).open("rb") as file:
            return STAMP.validate_json(file.readline())
    except (OSError, ValidationError):
        return None


def read_kept(folder: Path, section: Section[F]) -> Kept[F] | None:
    """What is kept of a section; None where nothing is, or where another version wrote it."""
    try:
        stamp, _, found = kept_file(folder, section).read_bytes().partition(b"\n")
        return Kept(STAMP.validate_json(stamp), None if found == b"null" else section.form.validate_json(found))
    except (OSError, ValidationError):
        return None


def forget_drafts(folder: Path) -> None:
    """Remove what counting processes that were killed left half written."""
    for draft in folder.glob(f"*{DRAFT}"):
        if time.time() - draft.stat().st_mtime > STALE:
            draft.unlink(missing_ok=True)


def forget_unreadable(folder: Path, section: Section[F]) -> None:
    """Remove what is kept of a section where it cannot be read, so that it is counted anew."""
    if read_kept(folder, section) is None:
        kept_file(folder, section).unlink(missing_ok=True)


def stamped(source: Source, began: float, problem: str = "") -> Stamp:
    """The stamp of what was begun at ``began`` (`time.monotonic`) and is done now."""
    return Stamp(source, time.time(), time.monotonic() - began, problem)
