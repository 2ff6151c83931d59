"""Empty databases for ledgers, made fast: a thousand tests want one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger.store import SCHEMA_VERSION
from ledger.tables import metadata

VERSION = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


@contextmanager
def empty_schema(server: str) -> Iterator[str]:
    """The URL of a schema of its own on a PostgreSQL server, for the length of the block."""
    schema = f"test_{uuid.uuid4().hex}"
    address = _with_driver(server)
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    yield sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))


def fill_with_tables(url: str) -> None:
    """Give an empty database the tables of the newest schema."""
    engine = sa.create_engine(_with_driver(url), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in _statements(connection.dialect.name):
            connection.exec_driver_sql(statement)


@cache
def _statements(dialect: str) -> list[str]:
    """All that is to be said; to a server in one piece."""
    said: list[str] = []

    def note(statement: sa.schema.ExecutableDDLElement, *_: object) -> None:
        said.append(str(statement.compile(dialect=engine.dialect)))

    engine: Any = sa.create_mock_engine(f"{dialect}://", note)
    metadata.create_all(engine, checkfirst=False)
    VERSION.create(engine, checkfirst=False)
    said.append(f"INSERT INTO alembic_version VALUES ('{SCHEMA_VERSION}')")
    return [";".join(said)] if dialect == "postgresql" else said


def _with_driver(url: str) -> sa.URL:
    address = sa.make_url(url)
    return address.set(drivername="postgresql+psycopg") if address.get_backend_name() == "postgresql" else address
