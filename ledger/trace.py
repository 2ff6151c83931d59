"""A model's whole ancestry, verified: model -> pairs -> comparisons -> candidates -> prompts, and its parents'.

Ids are content hashes and records name each other by id, so a model's id commits to everything behind it: a Merkle tree
(Merkle, 1988), and whoever holds the id can tell whether any byte of it was changed since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from ledger.codec import Row, from_row, intact, to_row
from ledger.errors import InputError, TamperError
from ledger.records import Candidate, Comparison, ModelVersion, Pair, Prompt, Record, content_id, pairs_hash
from ledger.store import Ledger
from ledger.tables import NAMES, TABLES, models, pairs, training_pairs

PROMPTS_AT_ONCE = 200
IDS_AT_ONCE = 500
DESCRIBED = ("id", "name", "method", "code", "at", "parent")
COUNTED = ("pairs", "comparisons", "candidates", "prompts")

Rows = dict[str, Row]  # by id


@dataclass(frozen=True)
class TracedModel:
    """One model of the ancestry, and how many records its own training set rests on."""

    id: str
    name: str
    method: str
    code: str
    at: int  # when it was appended, Unix milliseconds
    parent: str | None
    pairs: int
    comparisons: int
    candidates: int
    prompts: int


@dataclass(frozen=True)
class Trace:
    """A verified ancestry: the model asked for, its parents, then other models that its training answers came from."""

    models: tuple[TracedModel, ...]


def trace(ledger: Ledger, handle: str) -> Trace:
    """Walk the ancestry of a model, given by name, id or the start of its id, and verify every record of it.

    Raises:
        InputError: no model, or more than one, goes by ``handle``.
        TamperError: a record is not what was written, or not there; the first one found is named.
    """
    waiting = [find_model(ledger, handle)]
    seen: dict[str, TracedModel] = {}
    while waiting:
        wanted = waiting.pop(0)
        if wanted in seen:
            continue
        row = _verified(ledger, ModelVersion, [wanted])[wanted]
        counts, sources = _training_set(ledger, from_row(ModelVersion, row))
        facts: dict[str, Any] = {name: row[name] for name in DESCRIBED} | {name: counts[name] for name in COUNTED}
        seen[wanted] = TracedModel(**facts)
        parents = [row["parent"]] if row["parent"] else []
        waiting = [*parents, *waiting, *sorted(sources)]
    return Trace(tuple(seen.values()))


def find_model(ledger: Ledger, handle: str) -> str:
    """The id of the model that ``handle`` means: its id, else its name, else the start of its id.

    Raises:
        InputError: no model, or more than one, goes by ``handle``.
        TamperError: no model does, and one of the models is not what was written: its name may be what was changed.
    """
    known = [row._mapping for row in ledger.rows(sa.select(models).order_by(models.c.row))]
    for found in (
        [row for row in known if row["id"] == handle],
        [row for row in known if row["name"] == handle],
        [row for row in known if handle and row["id"].startswith(handle)],
    ):
        if len(found) == 1:
            return str(_check(ModelVersion, found[0])["id"])
        if found:
            raise InputError(f"{len(found)} models go by that", where=handle, advice=f"name one of {_choices(found)}")
    for row in known:
        _check(ModelVersion, row)
    raise InputError("no such model", where=handle, advice=f"name one of {_choices(known) or 'none yet: train one'}")


def _choices(rows: Iterable[Row]) -> str:
    return ", ".join(f"{row['name']} ({row['id'][:12]})" for row in rows)


def _training_set(ledger: Ledger, model: ModelVersion) -> tuple[Counter[str], set[str]]:
    """Verify all that a model was trained on; count it by table, and name the models that sampled its candidates."""
    if pairs_hash(ledger.trained_on(model.id)) != model.pairs:
        raise TamperError(model.id, "the pairs listed for this model are not those that it was trained on")
    counts: Counter[str] = Counter()
    sources: set[str] = set()
    with closing(_prompts_at_once(ledger, model.id)) as batches:
        for pair_ids in batches:
            behind = _verify(ledger, pair_ids)
            counts.update({NAMES[kind]: len(rows) for kind, rows in behind.items()})
            sources |= {row["model"] for row in behind[Candidate].values() if ":" not in row["model"]}
    return counts, sources


def _prompts_at_once(ledger: Ledger, model_id: str) -> Generator[list[str], None, None]:
    """The ids of the pairs of a training set, in batches of whole prompts.

    Everything behind a pair belongs to its prompt, so nothing is counted twice although memory stays flat.
    """
    listed = training_pairs.outerjoin(pairs, training_pairs.c.pair == pairs.c.id)
    query = sa.select(training_pairs.c.pair, pairs.c.prompt).select_from(listed)
    rows = ledger.rows(query.where(training_pairs.c.model == model_id).order_by(pairs.c.prompt))
    grouped = groupby(rows, key=itemgetter(1))
    while batch := [row[0] for _, group in islice(grouped, PROMPTS_AT_ONCE) for row in group]:
        yield batch


def _verify(ledger: Ledger, pair_ids: list[str]) -> dict[type[Record], Rows]:
    """Verify some pairs and the records behind them, and that these agree with each other."""
    paired = _verified(ledger, Pair, pair_ids)
    of_pair = {key: from_row(Pair, row) for key, row in paired.items()}
    compared = _verified(ledger, Comparison, (each for pair in of_pair.values() for each in pair.comparisons))
    answers = [
        *(row[side] for row in paired.values() for side in ("chosen", "rejected")),
        *(row[side] for row in compared.values() for side in ("a", "b")),
    ]
    drawn = _verified(ledger, Candidate, answers)
    named = (row["prompt"] for rows in (paired, compared, drawn) for row in rows.values())
    asked = _verified(ledger, Prompt, named)
    for pair in of_pair.values():
        behind = [*(compared[each] for each in pair.comparisons), drawn[pair.chosen], drawn[pair.rejected]]
        _agree(pair.id, all(row["prompt"] == pair.prompt for row in behind), "rests on answers to another prompt")
    for row in compared.values():
        _agree_on_sides(row, drawn[row["a"]], drawn[row["b"]])
    return {Pair: paired, Comparison: compared, Candidate: drawn, Prompt: asked}


def _agree_on_sides(comparison: Row, a: Row, b: Row) -> None:
    one_prompt = a["prompt"] == b["prompt"] == comparison["prompt"]
    _agree(comparison["id"], one_prompt, "compares answers to another prompt")
    same_models = (a["model"], b["model"]) == (comparison["model_a"], comparison["model_b"])
    _agree(comparison["id"], same_models, "names other models than its candidates do")


def _agree(record_id: str, agrees: bool, otherwise: str) -> None:
    if not agrees:
        raise TamperError(record_id, otherwise)


def _verified(ledger: Ledger, kind: type[Record], ids: Iterable[str]) -> Rows:
    """The stored rows with these ids, each what was written.

    Raises:
        TamperError: one of them is not, or is not there.
    """
    table = TABLES[kind]
    wanted = list(dict.fromkeys(ids))
    found: Rows = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        query = sa.select(table).where(table.c.id.in_(wanted[start : start + IDS_AT_ONCE]))
        rows = [row._mapping for row in ledger.rows(query)]
        found.update((row["id"], _check(kind, row)) for row in rows)
    for record_id in wanted:
        _agree(record_id, record_id in found, f"is gone from the {NAMES[kind]}, though another record refers to it")
    return found


def _check(kind: type[Record], row: Row) -> Row:
    if not intact(kind, row):
        raise TamperError(_written_as(kind, row), f"this record of the {NAMES[kind]} is not what was written")
    return row


def _written_as(kind: type[Record], row: Row) -> str:
    """The id under which a changed row was written: the stored one, unless the seal shows that it is what changed."""
    stored: Any = row["id"]
    try:
        content = content_id(from_row(kind, row))
        sealed = to_row(from_row(kind, {**row, "id": content}), row["at"])["seal"] == row["seal"]
    except (ValueError, TypeError):
        return str(stored)
    return content if sealed else str(stored)
