"""The judges' passports: what the ledger says of each judge on this workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from annotate.assessor_kinds import JUDGE, METRIC, SURGEON
from annotate.assessors import Judge, configured_assessors
from annotate.each_judge import EachJudge
from annotate.families import models_of_family
from annotate.passport import Passport, passport
from annotate.passport_contests import JudgedContest, Setting, contests_of
from annotate.retesting import retested
from ledger.errors import StageError
from ledger.queries import last_finished, standing
from ledger.records import Comparison
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, prompts, ratings
from ledger.workspace import Workspace

AT_ONCE = 500  # prompts


def judge_passports(workspace: Workspace) -> EachJudge[Passport]:
    """A passport for each judge that has compared by the present rubric, the configured ones first; logged.

    Raises:
        StageError: none has.
    """
    ledger = workspace.ledger
    assessors = configured_assessors(workspace)
    names = [each.name for each in assessors]
    versions = sorted({version for each in assessors for version in each.versions})
    said = _said(ledger, versions, derived=any(isinstance(each, Judge) and each.pointwise for each in assessors))
    if not said:
        raise StageError(
            f"{', '.join(names)} has judged nothing by this rubric yet", where="ledger", advice="run `wardround judge`"
        )
    others = others_of(ledger)
    ordered = sorted(said, key=lambda name: (name not in names, name))
    return EachJudge(tuple(_logged(workspace, name, said[name], others) for name in ordered))


class Others(NamedTuple):
    """What is known besides the judges' own verdicts."""

    surgeons: Sequence[Comparison]
    settings: Mapping[str, Setting]


def others_of(ledger: Ledger) -> Others:
    """What surgeons said in their last words, and about which prompts."""
    by_surgeons = comparisons.c.assessor.startswith(SURGEON)
    return Others(list(ledger.read(Comparison, by_surgeons, standing(), comparisons.c["count"] > 0)), _settings(ledger))


def _said(ledger: Ledger, versions: Sequence[str], *, derived: bool) -> dict[str, list[Comparison]]:
    """What each judge was asked and said by these rubric versions; ``derived``: comparisons are made of its points."""
    row = comparisons.c
    by_judges = sa.or_(row.assessor.startswith(JUDGE), row.assessor.startswith(METRIC))
    where = (row.rubric.in_(versions), by_judges, *(() if derived else (asked_for(),)))
    found: dict[str, list[Comparison]] = defaultdict(list)
    for each in ledger.read(Comparison, *where):
        found[each.assessor].append(each)
    return found


def _logged(workspace: Workspace, name: str, said: Sequence[Comparison], others: Others) -> Passport:
    with workspace.stage("passport", assessor=name) as outcome:
        made = passport_of(workspace, name, said, others)
        outcome.update(made.facts())
    return made


def passport_of(workspace: Workspace, name: str, said: Sequence[Comparison], others: Others) -> Passport:
    """The passport of a judge by what it ``said``; reads the ledger and writes nothing."""
    ledger = workspace.ledger
    return passport(
        name,
        judged_contests(workspace, name, said, others),
        attack_success=_attack_success(ledger, name, {each.rubric for each in said}),
        cost_per_1000=_cost(ledger, name, said),
    )


def judged_contests(workspace: Workspace, name: str, said: Sequence[Comparison], others: Others) -> list[JudgedContest]:
    """What a judge ``said``, by contest, with all else that a passport is made of; its newest retest among it."""
    own = models_of_family(workspace, name.removeprefix(JUDGE))
    heard = [*said, *_said_again(workspace.ledger, name, said)]
    lengths = lengths_of(workspace.ledger, said)
    return contests_of(heard, lengths, others.surgeons, settings=others.settings, own=own)


def asked_for() -> sa.ColumnElement[bool]:
    """Condition: the verdict was asked of a judge or computed by a metric; it was not settled without a call."""
    row = comparisons.c
    return sa.or_(row.call.is_not(None), row.seconds > 0, row.assessor.startswith(METRIC))


def _said_again(ledger: Ledger, name: str, said: Iterable[Comparison]) -> list[Comparison]:
    """What it said when it was asked a second time, as further comparisons of the same contests."""
    again = retested(ledger, name)
    if not again:
        return []
    return [replace(each, verdict=again[each.id]) for each in said if each.id in again]


def lengths_of(ledger: Ledger, said: Iterable[Comparison]) -> dict[str, float]:
    """The lengths in characters, by id, of all answers to the prompts that something is said of."""
    row = candidates.c
    asked = sorted({each.prompt for each in said})
    found: dict[str, float] = {}
    for start in range(0, len(asked), AT_ONCE):
        some = row.prompt.in_(asked[start : start + AT_ONCE])
        query = sa.select(row.id, sa.func.length(row.text).label("length")).where(some)
        found |= {each.id: float(each.length) for each in ledger.rows(query)}
    return found


def _settings(ledger: Ledger) -> dict[str, Setting]:
    row = prompts.c
    return {found.id: Setting(found.mode, found.topic) for found in ledger.rows(sa.select(row.id, row.mode, row.topic))}


def _attack_success(ledger: Ledger, name: str, versions: Collection[str]) -> dict[str, float]:
    """Success by kind, where this judge was attacked by these rubric versions; from the newest such run."""
    for found in last_finished(ledger, "attack"):
        if found.get("judge") == name and not set(versions).isdisjoint(found.get("rubrics", ())):
            kinds = found["kinds"]
            return {kind: each["rate"] for kind, each in kinds.items() if each["rate"] is not None}
    return {}


def _cost(ledger: Ledger, name: str, said: Sequence[Comparison]) -> float | None:
    """Of 1,000 judgments, whether they were comparisons or ratings of single answers."""
    row = ratings.c
    by_judge = (row.assessor == name, row.rubric.in_({each.rubric for each in said}))
    rated = list(ledger.rows(sa.select(row.candidate, row.rubric, row.cost).where(*by_judge)))
    total = sum(each.cost for each in rated or said)
    answers = len({(each.candidate, each.rubric) for each in rated})
    contests = len({(each.a, each.b, each.order, each.rubric) for each in said})
    return 1000 * total / (answers or contests) if total else None
