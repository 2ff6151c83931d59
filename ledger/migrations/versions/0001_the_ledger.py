"""The ledger's tables.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CONTENT_ID = sa.String(32)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "log",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "models",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("parent", CONTENT_ID, sa.ForeignKey("models.id"), nullable=True),
        sa.Column("pairs", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("libraries", sa.Text(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "prompts",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "candidates",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reasoning", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("logprob", sa.Double(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("policy", CONTENT_ID, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "comparisons",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("a", CONTENT_ID, sa.ForeignKey("candidates.id"), nullable=False),
        sa.Column("b", CONTENT_ID, sa.ForeignKey("candidates.id"), nullable=False),
        sa.Column("model_a", sa.Text(), nullable=False),
        sa.Column("model_b", sa.Text(), nullable=False),
        sa.Column("assessor", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("order", sa.Text(), nullable=False),
        sa.Column("rubric", sa.Text(), nullable=False),
        sa.Column("axes", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("selection_probability", sa.Double(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("round", CONTENT_ID, sa.ForeignKey("rounds.id"), nullable=False),
        sa.Column("model", CONTENT_ID, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("opponent", CONTENT_ID, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("win_rate", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("n_prompts", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "pairs",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("id", CONTENT_ID, nullable=False, unique=True),
        sa.Column("prompt", CONTENT_ID, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("chosen", CONTENT_ID, sa.ForeignKey("candidates.id"), nullable=False),
        sa.Column("rejected", CONTENT_ID, sa.ForeignKey("candidates.id"), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("comparisons", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", CONTENT_ID, nullable=False),
    )
    op.create_table(
        "training_pairs",
        sa.Column("row", ROW_KEY, primary_key=True, autoincrement=True),
        sa.Column("model", CONTENT_ID, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("pair", CONTENT_ID, sa.ForeignKey("pairs.id"), nullable=False),
        sa.UniqueConstraint("model", "pair"),
    )
    op.create_index("ix_prompts_split", "prompts", ["split"])
    op.create_index("ix_candidates_prompt", "candidates", ["prompt", "model"])
    op.create_index(
        "ix_comparisons_contest", "comparisons", ["prompt", "assessor", "model_a", "model_b", "verdict", "count"]
    )
    op.create_index("ix_pairs_prompt", "pairs", ["prompt"])


def downgrade() -> None:
    """Refuse: what is written stays."""
    raise NotImplementedError("a ledger is append-only: go back with a backup")
