"""What judges were put to: asked the same again, and attacked. Both stand in the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from annotate.bootstrap import Estimate, numbered
from annotate.passport_columns import Resampling
from annotate.passport_contests import contests_of
from annotate.passport_reliability import retest_agreement
from ledger.queries import Done, every
from ledger.records import Comparison
from ledger.store import Ledger


@dataclass(frozen=True)
class Retested:
    """One time that a judge was asked again what it had answered."""

    at: str  # UTC, ISO 8601
    same: Estimate  # share of the questions, in one order, with the same preference both times
    invalid: int  # this time; they are not compared


@dataclass(frozen=True)
class AttackKind:
    """The attacks of one kind: how many the judge preferred to an honest answer."""

    kind: str
    rate: float
    low: float
    high: float
    valid: int
    invalid: int


@dataclass(frozen=True)
class Attacked:
    """One attack on a judge."""

    at: str  # UTC, ISO 8601
    present: bool  # by the rubric versions that the passport is of
    kinds: tuple[AttackKind, ...]


def retests_of(ledger: Ledger, judge: str) -> tuple[Retested, ...]:
    """Each time that a judge was asked again, the earliest first."""
    return tuple(_retested(ledger, done) for done in every(ledger, "retest", "finished") if _of(done, judge))


def attacks_on(ledger: Ledger, judge: str, rubrics: tuple[str, ...]) -> Attacked | None:
    """The last attack on a judge by these rubric versions; else by any."""
    found = [_attacked(done, rubrics) for done in every(ledger, "attack", "finished") if _of(done, judge)]
    present = [each for each in found if each.present]
    return next(reversed(present or found), None)


def _of(done: Done, judge: str) -> bool:
    return done.detail.get("judge") == judge


def _retested(ledger: Ledger, done: Done) -> Retested:
    again = dict(done.detail["verdicts"])
    first = ledger.get_many(Comparison, again)
    second = [replace(said, verdict=again[key]) for key, said in first.items()]
    contests = contests_of([*first.values(), *second], {})
    same = retest_agreement(contests, numbered([each.prompt for each in contests]), Resampling())
    return Retested(done.when, same, sum(verdict == "invalid" for verdict in again.values()))


def _attacked(done: Done, rubrics: tuple[str, ...]) -> Attacked:
    present = not set(rubrics).isdisjoint(done.detail.get("rubrics", ()))
    kinds = [*done.detail["kinds"].items(), ("all", done.detail["total"])]
    return Attacked(done.when, present, tuple(_kind(name, said) for name, said in kinds if said["rate"] is not None))


def _kind(name: str, said: dict[str, Any]) -> AttackKind:
    return AttackKind(name, said["rate"], said["low"], said["high"], said["valid"], said["invalid"])
