"""Probes, log-probabilities of given texts, and what a round was decided by.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CONTENT_ID = sa.String(32)


def upgrade() -> None:
    """Make the tables; decisions that are there were made without rules."""
    op.create_table(
        "probes",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("set", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_index("ix_probes_prompt", "probes", ["prompt"])
    op.create_table(
        "likelihoods",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("model", CONTENT_ID, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("setting", sa.Text(), nullable=False),
        sa.Column("logprobs", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_index("ix_likelihoods_model", "likelihoods", ["model", "of"])
    for name in ("outcome", "follows"):
        op.add_column("decisions", sa.Column(name, sa.Text(), nullable=True))
    for name, nothing in (("rules", ""), ("forced", ""), ("evidence", "{}")):
        op.add_column("decisions", sa.Column(name, sa.Text(), nullable=False, server_default=nothing))
    with op.batch_alter_table("decisions") as table:  # the default was for the rows that are there
        for name in ("rules", "forced", "evidence"):
            table.alter_column(name, server_default=None, existing_type=sa.Text(), existing_nullable=False)


def downgrade() -> None:
    """Refuse: what is written stays."""
    raise NotImplementedError("a ledger is append-only: go back with a backup")
