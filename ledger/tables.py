"""The tables: one per record type, its columns read off the record's fields.

Each has ``row`` (integer key: appends stay sequential on disk), ``id`` (content id, unique), the record's fields,
``at`` (when it was appended, Unix milliseconds) and ``seal`` (hash over id, ``at`` and the descriptive fields).
"""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ledger.codec import column_kind
from ledger.records import (
    ID_DIGITS,
    Call,
    Candidate,
    Comparison,
    Decision,
    Likelihood,
    LogEntry,
    ModelVersion,
    Pair,
    Probe,
    Prompt,
    Rating,
    Record,
    ReviewItem,
    Round,
)

metadata = MetaData()

# SQLite gives sequential row ids to INTEGER PRIMARY KEY alone, so the wide type is for other databases.
ROW_KEY = BigInteger().with_variant(Integer, "sqlite")
CONTENT_ID = String(ID_DIGITS)

NAMES: dict[type[Record], str] = {
    Prompt: "prompts",
    Probe: "probes",
    Candidate: "candidates",
    Call: "calls",
    Rating: "ratings",
    ReviewItem: "review_items",
    Comparison: "comparisons",
    Pair: "pairs",
    ModelVersion: "models",
    Round: "rounds",
    Decision: "decisions",
    Likelihood: "likelihoods",
    LogEntry: "log",
}

FOREIGN_KEYS: dict[tuple[str, str], str] = {
    ("probes", "prompt"): "prompts.id",
    ("candidates", "prompt"): "prompts.id",
    ("ratings", "prompt"): "prompts.id",
    ("ratings", "candidate"): "candidates.id",
    ("review_items", "prompt"): "prompts.id",
    ("review_items", "a"): "candidates.id",
    ("review_items", "b"): "candidates.id",
    ("comparisons", "prompt"): "prompts.id",
    ("comparisons", "a"): "candidates.id",
    ("comparisons", "b"): "candidates.id",
    ("pairs", "prompt"): "prompts.id",
    ("pairs", "chosen"): "candidates.id",
    ("pairs", "rejected"): "candidates.id",
    ("models", "parent"): "models.id",
    ("rounds", "policy"): "models.id",
    ("decisions", "round"): "rounds.id",
    ("decisions", "model"): "models.id",
    ("decisions", "opponent"): "models.id",
    ("likelihoods", "prompt"): "prompts.id",
    ("likelihoods", "model"): "models.id",
}

COLUMN_TYPES = {"text": Text, "json": Text, "int": BigInteger, "float": Double, "bool": Boolean}


def _table(kind: type[Record]) -> Table:
    name = NAMES[kind]
    columns: list[Column[object]] = [Column("row", ROW_KEY, primary_key=True, autoincrement=True)]
    columns.append(Column("id", CONTENT_ID, nullable=False, unique=True))
    for f in fields(kind):
        target = FOREIGN_KEYS.get((name, f.name))
        keys = [ForeignKey(target)] if target else []
        column_type = CONTENT_ID if target else COLUMN_TYPES[column_kind(str(f.type))]
        columns.append(Column(f.name, column_type, *keys, nullable="None" in str(f.type)))
    columns.append(Column("at", BigInteger, nullable=False))
    columns.append(Column("seal", CONTENT_ID, nullable=False))
    return Table(name, metadata, *columns)


TABLES: dict[type[Record], Table] = {kind: _table(kind) for kind in NAMES}

# Which pairs a model was trained on.
training_pairs = Table(
    "training_pairs",
    metadata,
    Column("row", ROW_KEY, primary_key=True, autoincrement=True),
    Column("model", CONTENT_ID, ForeignKey("models.id"), nullable=False),
    Column("pair", CONTENT_ID, ForeignKey("pairs.id"), nullable=False),
    UniqueConstraint("model", "pair"),
)

prompts = TABLES[Prompt]
probes = TABLES[Probe]
candidates = TABLES[Candidate]
calls = TABLES[Call]
ratings = TABLES[Rating]
review_items = TABLES[ReviewItem]
comparisons = TABLES[Comparison]
pairs = TABLES[Pair]
models = TABLES[ModelVersion]
rounds = TABLES[Round]
decisions = TABLES[Decision]
likelihoods = TABLES[Likelihood]
log = TABLES[LogEntry]

Index("ix_prompts_split", prompts.c.split)
Index("ix_candidates_prompt", candidates.c.prompt, candidates.c.model)
Index("ix_probes_prompt", probes.c.prompt)
Index("ix_likelihoods_model", likelihoods.c.model, likelihoods.c.of)
Index("ix_calls_key", calls.c.key)
Index("ix_review_items_prompt", review_items.c.prompt)
Index("ix_comparisons_supersedes", comparisons.c.supersedes)
Index("ix_ratings_prompt", ratings.c.prompt, ratings.c.assessor)
# Holds all that a win rate reads, so that it is counted from the index alone. The prompt comes first because stages
# append prompt by prompt: led by the models, the same index cost half as much again to write (benchmarks/ledger.py).
Index(
    "ix_comparisons_contest",
    comparisons.c.prompt,
    comparisons.c.assessor,
    comparisons.c.model_a,
    comparisons.c.model_b,
    comparisons.c.verdict,
    comparisons.c["count"],
)
Index("ix_pairs_prompt", pairs.c.prompt)
