"""Calls to judges, each with its reply and its bill, and ratings of single answers.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CONTENT_ID = sa.String(32)


def upgrade() -> None:
    """Make the tables, and let comparisons name their call: those that are there name none."""
    op.create_table(
        "calls",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("assessor", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("levels", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_index("ix_calls_key", "calls", ["key"])
    op.create_table(
        "ratings",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("candidate", CONTENT_ID, sa.ForeignKey("candidates.id"), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("assessor", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("met", sa.Text(), nullable=False),
        sa.Column("rubric", sa.Text(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_index("ix_ratings_prompt", "ratings", ["prompt", "assessor"])
    op.add_column("comparisons", sa.Column("call", sa.Text(), nullable=True))


def downgrade() -> None:
    """Refuse: what is written stays."""
    raise NotImplementedError("a ledger is append-only: go back with a backup")
