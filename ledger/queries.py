"""Questions asked of the ledger as a whole: answered in SQL, streamed, with flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from ledger.errors import InputError
from ledger.records import Order, Verdict
from ledger.store import Ledger
from ledger.tables import comparisons, log

TALLIES_AT_ONCE = 20_000
LOOKED_BACK = 50  # entries of the log


class PromptTally(NamedTuple):
    """How often one model's answers to one prompt beat another's, by one assessor."""

    prompt: str
    assessor: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    invalid: int


class ComparisonRow(NamedTuple):
    """What pairs are built from: a `Comparison` without its texts."""

    id: str
    prompt: str
    a: str
    b: str
    assessor: str
    verdict: Verdict
    strength: float
    order: Order
    flags: tuple[str, ...]
    hidden: bool = False  # a hidden repeat, of which harm flags alone are heard


class Done(NamedTuple):
    """One line of the log."""

    when: str  # UTC, ISO 8601
    stage: str
    event: str
    detail: Mapping[str, Any]
    code: str
    run: str


def either_way(model: str, opponent: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Conditions: the model's answer is `a` and the opponent's `b`, and the other way round."""
    row = comparisons.c
    forth = sa.and_(row.model_a == model, row.model_b == opponent)
    return forth, sa.and_(row.model_a == opponent, row.model_b == model)


def superseded() -> sa.Select[tuple[str]]:
    """The ids of the comparisons in whose place their assessor has put another one: they stay, and count nowhere."""
    # Not "IS NOT NULL": not every build of SQLite takes an index for that.
    return sa.select(comparisons.c.supersedes).where(comparisons.c.supersedes > "")


def standing(said: sa.FromClause = comparisons) -> sa.ColumnElement[bool]:
    """Condition: the comparison is not superseded. Looks it up for each row; `superseded` suits many rows better."""
    later = comparisons.alias()
    return ~sa.exists().where(later.c.supersedes == said.c.id)


def heard() -> sa.ColumnElement[bool]:
    """Condition: a harm flag, or a verdict that counts; not a hidden repeat's, which tells of consistency alone.

    A critical harm is never unsaid because it was said on the second look.
    """
    return sa.or_(comparisons.c["count"] > 0, comparisons.c.flags.contains("harm_", autoescape=True))


def contest_table(
    ledger: Ledger, model: str, opponent: str, assessors: Sequence[str] | None = None
) -> Iterator[PromptTally]:
    """Count the verdicts between two models, per prompt and assessor, as seen by the first.

    An invalid verdict is left out where the same assessor was asked again on the same contest, in the same order and by
    the same rubric: the later answer takes its place. Superseded comparisons are left out, whatever they say.

    Args:
        ledger: where to count.
        model: id of the model whose wins are counted.
        opponent: id of the other.
        assessors: count these alone; all of them where None.

    Raises:
        InputError: a model against itself has neither wins nor losses.
    """
    if model == opponent:
        raise InputError("a model is not compared with itself", where=f"model {model}", advice="name two models")
    counted = [sa.or_(*either_way(model, opponent))]
    if assessors is not None:
        counted.append(comparisons.c.assessor.in_(assessors))
    return _of_last_words(ledger, counted, _tallies(model, opponent).where(*counted))


def _tallies(model: str, opponent: str) -> sa.Select[Any]:
    row = comparisons.c
    forth, back = either_way(model, opponent)
    won = sa.or_(forth & (row.verdict == "a"), back & (row.verdict == "b"))
    lost = sa.or_(forth & (row.verdict == "b"), back & (row.verdict == "a"))
    return sa.select(
        row.prompt,
        row.assessor,
        *(_count(case) for case in (won, lost)),
        *(_count(row.verdict == verdict) for verdict in ("tie", "both_bad", "invalid")),
    ).group_by(row.prompt, row.assessor)


def _of_last_words(
    ledger: Ledger, counted: Sequence[sa.ColumnElement[bool]], query: sa.Select[Any]
) -> Iterator[PromptTally]:
    # What takes another's place is rare, so it is asked for apart: the counting itself reads nothing but its index.
    # The superseded come first: one that is superseded only now is then counted once more, and never below nothing.
    gone = {each[:2]: each for each in map(PromptTally._make, ledger.rows(_of_superseded(query)))}
    tallies = map(PromptTally._make, ledger.rows(query))
    while some := list(islice(tallies, TALLIES_AT_ONCE)):
        if gone:
            some = [_less(each, gone[each[:2]]) if each[:2] in gone else each for each in some]
        doubtful = {each.prompt for each in some if each.invalid}
        replaced = _replaced(ledger, [*counted, comparisons.c.prompt.in_(doubtful)]) if doubtful else {}
        yield from (
            some if not replaced else (each._replace(invalid=each.invalid - replaced.get(each[:2], 0)) for each in some)
        )


def _of_superseded(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.where(comparisons.c.id.in_(superseded()))


def _less(tally: PromptTally, gone: PromptTally) -> PromptTally:
    counts = (each - less for each, less in zip(tally[2:], gone[2:], strict=True))
    return PromptTally(tally.prompt, tally.assessor, *counts)


def _replaced(ledger: Ledger, counted: Sequence[sa.ColumnElement[bool]]) -> dict[tuple[str, str], int]:
    """Per prompt and assessor, the invalid verdicts in whose place there is a later one."""
    row, later = comparisons.c, comparisons.alias()
    same = (row.prompt, row.assessor, row.model_a, row.model_b, row.a, row.b, row.order, row.rubric)
    again = sa.exists().where(
        *(later.c[column.name] == column for column in same),
        sa.or_(later.c.verdict != "invalid", later.c.row > row.row),
        later.c["count"] > 0,
        standing(later),
    )
    query = (
        sa.select(row.prompt, row.assessor, _count(sa.true()))
        .where(*counted, row.verdict == "invalid", standing(), again)
        .group_by(row.prompt, row.assessor)
    )
    rows: Iterator[Any] = ledger.rows(query)
    return {(prompt, assessor): count for prompt, assessor, count in rows}


def _count(case: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    # PostgreSQL sums wide integers to decimals.
    return sa.cast(sa.func.sum(sa.case((case, comparisons.c["count"]), else_=0)), sa.BigInteger)


def comparisons_by_prompt(ledger: Ledger, *where: sa.ColumnElement[bool]) -> Iterator[tuple[str, list[ComparisonRow]]]:
    """Stream the comparisons, all of one prompt at a time, those of a prompt in the order of their ids.

    So what is derived from them does not depend on who wrote first. Superseded ones are left out, and those that are
    not to be `heard`.
    """
    row = comparisons.c
    query = sa.select(
        row.id, row.prompt, row.a, row.b, row.assessor, row.verdict, row.strength, row.order, row.flags, row["count"]
    ).where(heard(), *where)
    gone = {each for (each,) in ledger.rows(superseded())}
    rows: Iterator[Any] = ledger.rows(query.order_by(row.prompt))
    for prompt, found in groupby(rows, key=itemgetter(1)):
        lean = [
            ComparisonRow(record_id, prompt, a, b, assessor, verdict, strength, order, _flags(flags), not count)
            for record_id, _, a, b, assessor, verdict, strength, order, flags, count in found
            if record_id not in gone
        ]
        if lean:
            yield prompt, sorted(lean)


def _flags(stored: str) -> tuple[str, ...]:
    return () if stored == "[]" else tuple(orjson.loads(stored))


def latest(ledger: Ledger, n: int, stage: str | None = None) -> list[Done]:
    """The last ``n`` entries of the log, of one stage or of all; the newest comes last."""
    query = sa.select(log).order_by(log.c.row.desc()).limit(n)
    if stage is not None:
        query = query.where(log.c.stage == stage)
    return list(_done(ledger, query))[::-1]


def every(ledger: Ledger, stage: str, event: str) -> Iterator[Done]:
    """All entries of the log on one event of a stage; the newest comes last."""
    return _done(ledger, sa.select(log).where(log.c.stage == stage, log.c.event == event).order_by(log.c.row))


def _done(ledger: Ledger, query: sa.Select[Any]) -> Iterator[Done]:
    for row in ledger.rows(query):
        yield Done(utc(row.at), row.stage, row.event, orjson.loads(row.detail), row.code, row.run)


def last_finished(ledger: Ledger, stage: str) -> Iterator[Mapping[str, Any]]:
    """How a stage's last runs ended, as they told the log; the newest comes first."""
    return (done.detail for done in reversed(latest(ledger, LOOKED_BACK, stage)) if done.event == "finished")


def utc(at: int) -> str:
    """Unix milliseconds, as the ledger keeps them, in ISO 8601."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
