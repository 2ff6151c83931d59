"""Alembic's entry: migrates over the connection that the caller hands in."""

from __future__ import annotations

from alembic import context

from ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
