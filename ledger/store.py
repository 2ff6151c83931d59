"""The ledger: an append-only store of records over SQLite (WAL) or PostgreSQL.

Appending is idempotent (a record known already is skipped) and atomic per call, so a stage that appends whole work
items can be killed at any moment and run again. Several processes may write while others read.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ledger.codec import from_row, to_row
from ledger.errors import InputError, LedgerError
from ledger.records import ModelVersion, Pair, Record
from ledger.tables import NAMES, TABLES, training_pairs

R = TypeVar("R", bound=Record)

SCHEMA_VERSION = "0005"
BATCH = 5_000
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "busy_timeout = 60000",
    "cache_size = -131072",
    "temp_store = MEMORY",
    "wal_autocheckpoint = 20000",  # pages: a checkpoint of a random index costs by the page, so make few
)


class Ledger:
    """An open ledger. Use `open_ledger`, and as a context manager."""

    def __init__(self, engine: sa.Engine) -> None:
        """Wrap an engine whose schema is current."""
        self.engine = engine

    def __enter__(self) -> Self:
        """Nothing to do: connections are taken when needed."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close all connections."""
        self.engine.dispose()

    @property
    def address(self) -> str:
        """The URL, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def append(self, records: Iterable[Record]) -> int:
        """Append ``records`` in one transaction, skipping those known; return how many were new.

        They may come in any order, but for models: a parent comes before its children.

        Raises:
            LedgerError: the database refuses (disk full, read-only, a record points at one that is not there).
        """
        grouped: dict[type[Record], list[dict[str, Any]]] = {}
        now = _now()
        with uncollected():
            for record in records:
                grouped.setdefault(type(record), []).append(to_row(record, now))
            if not grouped:
                return 0
            with self._writing() as connection:
                return sum(_insert(connection, TABLES[kind], grouped[kind]) for kind in NAMES if kind in grouped)

    def append_trained(self, model: ModelVersion, pair_ids: Sequence[str]) -> None:
        """Append a trained model together with the pairs it was trained on, in one transaction."""
        with self._writing() as connection:
            _insert(connection, TABLES[ModelVersion], [to_row(model, _now())])
            _insert(connection, training_pairs, [{"model": model.id, "pair": pair} for pair in pair_ids])

    def read(self, kind: type[R], *where: sa.ColumnElement[bool], newest_first: bool = False) -> Iterator[R]:
        """Stream the records of one type, in the order in which they were appended."""
        table = TABLES[kind]
        order = table.c.row.desc() if newest_first else table.c.row
        for row in self.rows(sa.select(table).where(*where).order_by(order)):
            yield from_row(kind, row._mapping)

    def rows(self, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
        """Stream the rows of any query; memory stays flat."""
        with _translated(self.address), self.engine.connect() as connection:
            streaming = connection.execution_options(yield_per=BATCH)
            with streaming.execute(query) as result:  # closes the server's cursor where the caller stops early
                for some in result.partitions():
                    yield from some

    def scalar(self, query: sa.Select[Any]) -> Any:
        """The first column of the first row, or None."""
        with _translated(self.address), self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def count(self, kind: type[Record], *where: sa.ColumnElement[bool]) -> int:
        """How many records of one type there are."""
        return int(self.scalar(sa.select(sa.func.count()).select_from(TABLES[kind]).where(*where)))

    def get(self, kind: type[R], record_id: str) -> R:
        """The record with this id.

        Raises:
            InputError: there is none.
        """
        for record in self.read(kind, TABLES[kind].c.id == record_id):
            return record
        raise InputError(
            f"no such record: {record_id}", where=NAMES[kind], advice="`wardround log` shows what is there"
        )

    def get_many(self, kind: type[R], ids: Iterable[str]) -> dict[str, R]:
        """The records with these ids, by id; ids that are not there are left out."""
        column = TABLES[kind].c.id
        wanted = list(dict.fromkeys(ids))
        return {
            record.id: record
            for start in range(0, len(wanted), 500)
            for record in self.read(kind, column.in_(wanted[start : start + 500]))
        }

    def trained_on(self, model_id: str) -> list[str]:
        """The ids of the pairs a model was trained on."""
        return [
            row.pair for row in self.rows(sa.select(training_pairs.c.pair).where(training_pairs.c.model == model_id))
        ]

    def training_set(self, model_id: str) -> Iterator[Pair]:
        """The pairs a model was trained on."""
        table = TABLES[Pair]
        query = sa.select(table).join(training_pairs, training_pairs.c.pair == table.c.id)
        for row in self.rows(query.where(training_pairs.c.model == model_id).order_by(table.c.row)):
            yield from_row(Pair, row._mapping)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with _translated(self.address), self.engine.connect() as connection:
            writing = connection.execution_options(wardround_writes=True)
            with writing.begin():
                yield writing


def open_ledger(url: str, *, create: bool = True) -> Ledger:
    """Open the ledger at a SQLAlchemy URL, bringing its schema up to date.

    Raises:
        LedgerError: it does not answer, is not there while ``create`` is false, or a newer version wrote it.
    """
    engine = _engine(url)
    try:
        with _translated(engine.url.render_as_string(hide_password=True)):
            _check_file(engine.url, create=create)
            version = _schema_version(engine)
            if version != SCHEMA_VERSION:
                _upgrade(engine, version)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(engine)


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "postgresql":
            return sa.create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        if address.get_backend_name() != "sqlite":
            raise LedgerError(
                "neither SQLite nor PostgreSQL",
                where=f"ledger.url {address.render_as_string(hide_password=True)}",
                advice="use sqlite:///FILE or postgresql://...",
            )
        engine = sa.create_engine(address)
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(
            "not a database URL", where="ledger.url", advice="use sqlite:///FILE or postgresql://..."
        ) from error
    except ImportError as error:
        raise LedgerError(
            "the PostgreSQL driver is not installed", where="ledger.url", advice="pip install 'wardround[postgres]'"
        ) from error
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes its lock at once: a read lock that must be raised later fails instead of waiting.
    writes = connection.get_execution_options().get("wardround_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_file(url: sa.URL, *, create: bool) -> None:
    place = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or place == ":memory:" or place.startswith("file:"):  # SQLite's own URI
        return
    path = Path(place)
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise LedgerError(
            "there is no ledger here", where=path, advice="run `wardround init`, then `wardround import FILE`"
        )


def _schema_version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def _upgrade(engine: sa.Engine, version: str | None) -> None:
    from ledger.migrations.upgrade import known_versions, upgrade

    if version is not None and version not in known_versions():
        raise LedgerError(
            f"written by a newer Wardround (schema {version})",
            where=engine.url.render_as_string(hide_password=True),
            advice="install that version",
        )
    upgrade(engine)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    """Insert what is not there yet; return how many rows that was."""
    if not rows:
        return 0
    # Straight to the driver: every value is of a type it knows, and the per-row work of Core is half the time.
    statement, names = _insertion(table, connection.dialect, tuple(rows[0]))
    given: Any = list(map(itemgetter(*names), rows)) if names else rows
    return int(connection.exec_driver_sql(statement, given).rowcount)


@lru_cache(maxsize=64)
def _insertion(table: sa.Table, dialect: sa.Dialect, columns: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The statement, and the columns in the order of its parameters where these have no names.

    Remembered, since compiling it takes longer than inserting a few rows.
    """
    compiled = _skipping_known(table, dialect).compile(dialect=dialect, column_keys=list(columns))
    return compiled.string, tuple(compiled.positiontup or ())


def _skipping_known(table: sa.Table, dialect: sa.Dialect) -> sa.Insert:
    if dialect.name != "postgresql":
        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql  # slow to load, and SQLite does without

    return postgresql.insert(table).on_conflict_do_nothing()


def _now() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the cyclic garbage collector: rows hold no cycles, and walking them took a third of an append."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _translated(address: str) -> Iterator[None]:
    """Turn what the database says into one line."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(said, where=address, advice=_advice(said)) from error
    except OSError as error:
        raise LedgerError(error.strerror or str(error), where=address, advice=_advice(str(error))) from error


def _advice(said: str) -> str:
    hints = {
        "full": "free some disk space and run the command again: what was written stays",
        "readonly": "make the ledger's folder writable",
        "permission": "make the ledger's folder writable",
        "unable to open": "check the path in ledger.url and that its folder is writable",
        "locked": "another process holds the ledger for over a minute; wait, or end it",
        "foreign key": "a record points at one that was never written; `wardround trace` finds it",
        "connect": "check ledger.url and that the database server runs",
        "not a database": "the file is not an SQLite database; check ledger.url",
    }
    return next((hint for sign, hint in hints.items() if sign in said.lower()), "`wardround doctor` checks the ledger")
