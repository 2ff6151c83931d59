"""What judges cost: verdicts, calls, tokens and money, by period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from annotate.assessor_kinds import JUDGE
from dashboards.findings.judge_sample import Scan
from dashboards.findings.periods import DAY, Unit, start_of
from ledger.store import Ledger
from ledger.tables import calls, ratings


@dataclass(frozen=True)
class Spent:
    """What one judge did in one period, and what that took.

    Attributes:
        start: the first day, ISO 8601
        judgments: verdicts on two answers, and points for one that it rated by itself, as safety probes'; invalid ones
            too; a comparison that is made of points is none
        tokens: of these, as the server counted them
        cost: of these, in the currency of the price list
        requests: to its server, those among them that failed, asked again or attacked
        tokens_in: of the requests
        tokens_out: of the requests
        requests_cost: of the requests
    """

    start: str
    judgments: int = 0
    tokens: int = 0
    cost: float = 0.0
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    requests_cost: float = 0.0


Days = Mapping[str, Mapping[int, tuple[float, ...]]]  # by judge and day
NOTHING = 0, 0, 0.0  # judgments, tokens, cost


@dataclass(frozen=True)
class Bills:
    """What was paid for besides comparisons, by judge and day."""

    calls: Days
    ratings: Days


def bills(ledger: Ledger) -> Bills:
    """Read them."""
    call, rating = calls.c, ratings.c
    paid = (sa.func.sum(each) for each in (call.attempts, call.tokens_in, call.tokens_out, call.cost))
    rated = (sa.func.count(), sa.func.sum(rating.tokens), sa.func.sum(rating.cost))
    return Bills(
        _by_day(ledger.rows(_daily(calls, *paid))),
        _by_day(ledger.rows(_daily(ratings, *rated).where(rating.assessor.startswith(JUDGE)))),
    )


def spent_in(scan: Scan, bought: Bills, judge: str, unit: Unit) -> tuple[Spent, ...]:
    """One judge's spending, the earliest period first. Points are billed, and not what is made of them."""
    compared, rated, paid = _compared(scan, judge), bought.ratings.get(judge, {}), bought.calls.get(judge, {})
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * 7)
    for day in {*compared, *rated, *paid}:
        judged = map(sum, zip(compared.get(day, NOTHING), rated.get(day, NOTHING), strict=True))
        row = (*judged, *paid.get(day, (0, *NOTHING)))
        start = start_of(day, unit)
        sums[start] = [before + more for before, more in zip(sums[start], row, strict=True)]
    return tuple(_spent(start, added) for start, added in sorted(sums.items()))


def _spent(start: str, sums: list[float]) -> Spent:
    n, tokens, cost, requests, tokens_in, tokens_out, paid = sums
    return Spent(start, int(n), int(tokens), cost, int(requests), int(tokens_in), int(tokens_out), paid)


def _compared(scan: Scan, judge: str) -> Mapping[int, tuple[float, ...]]:
    """By day, what was asked of two answers."""
    found: dict[int, tuple[float, ...]] = defaultdict(lambda: NOTHING)
    for asked, days in scan.days.items():
        for day, tally in days.items() if asked.judge == judge and asked not in scan.derived else ():
            n, tokens, cost = found[day]
            found[day] = n + tally.comparisons, tokens + tally.tokens, cost + tally.cost
    return found


def _daily(table: sa.Table, *sums: sa.ColumnElement[Any]) -> sa.Select[Any]:
    day = (table.c.at // DAY).label("day")
    return sa.select(table.c.assessor, day, *sums).group_by(table.c.assessor, day)


def _by_day(rows: Iterator[Any]) -> Days:
    found: dict[str, dict[int, tuple[float, ...]]] = defaultdict(dict)
    for judge, day, *sums in rows:
        found[judge][int(day)] = tuple(map(float, sums))
    return found
