"""Today's parser over the replies that are kept word for word, without a call: ``wardround judge --reparse``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import sqlalchemy as sa

from annotate.assessors import Judge, configured_judges
from annotate.call_cache import known_calls
from annotate.each_judge import EachJudge
from annotate.reparse import reparse, reparse_rating
from annotate.rubric import Rubric
from ledger.errors import StageError
from ledger.records import Comparison, Rating
from ledger.store import Ledger
from ledger.tables import comparisons, ratings
from ledger.workspace import Workspace

CHUNK = 1_000


@dataclass
class ReparseReport:
    """What today's parser reads in one judge's old replies."""

    judge: str
    read: Counter[str] = field(default_factory=Counter)  # verdicts in place of invalid ones, written down
    still_invalid: int = 0
    ratings: int = 0  # in place of invalid ones; `wardround judge` compares by them
    ratings_still_invalid: int = 0
    differing: int = 0  # valid verdicts that would be read otherwise today; they stand as they are

    def text(self) -> str:
        """For people."""
        shares = ", ".join(f"{verdict} {count}" for verdict, count in sorted(self.read.items()))
        line = f"{self.judge}: {self.read.total()} invalid verdicts can be read now{': ' if shares else ''}{shares}"
        lines = [f"{line}; {self.still_invalid} cannot"]
        if self.ratings or self.ratings_still_invalid:
            lines.append(f"  {self.ratings} invalid ratings can be read now; {self.ratings_still_invalid} cannot")
        if self.differing:
            lines.append(f"  {self.differing} valid verdicts would be read otherwise today; they stand as they are")
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {**vars(self), "read_now": self.read.total()}


def reparse_replies(workspace: Workspace) -> EachJudge[ReparseReport]:
    """Read again what each configured judge said by the present rubric, where no verdict could be read.

    A verdict that can be read now is a comparison of its own, which takes the place of the invalid one.

    Raises:
        StageError: no judge is configured.
    """
    judges = configured_judges(workspace)
    if not judges:
        raise StageError(
            "the reference metric has no replies", where="judge.model", advice="configure the LLM judge that has"
        )
    return EachJudge(tuple(_reparse(workspace, each) for each in judges))


def _reparse(workspace: Workspace, judge: Judge) -> ReparseReport:
    ledger = workspace.ledger
    report = ReparseReport(judge.name)
    rubrics = {used.version: used for used in (judge.rubric.of("clinical"), judge.rubric.of("exam"))}
    with workspace.stage("reparse", assessor=judge.name) as outcome:
        row = comparisons.c
        by_judge = (row.assessor == judge.name, row.rubric.in_(judge.versions), row.reply != "")
        said = ledger.read(Comparison, *by_judge, newest_first=True)
        while chunk := list(islice(said, CHUNK)):
            ledger.append(list(_readable(ledger, chunk, rubrics, report)))
        ledger.append(list(_readable_ratings(ledger, judge, report)))
        outcome.update(report.facts())
    return report


def _readable(
    ledger: Ledger, chunk: Sequence[Comparison], rubrics: Mapping[str, Rubric], report: ReparseReport
) -> Iterator[Comparison]:
    answered = _answered(ledger, chunk)
    made = known_calls(ledger, [each.call for each in chunk if each.call])
    for each in chunk:
        call = made.get(each.call or "")
        read = reparse(each, rubrics[each.rubric], call.levels if call else None)
        if each.verdict != "invalid":
            report.differing += read is not None
        elif _slot(each) not in answered:
            if read is None:
                report.still_invalid += 1
                continue
            answered.add(_slot(each))
            report.read[read.verdict] += 1
            yield read


def _readable_ratings(ledger: Ledger, judge: Judge, report: ReparseReport) -> Iterator[Rating]:
    by_version = {used.version: used for used in (judge.criteria.of("clinical"), judge.criteria.of("exam"))}
    row = ratings.c
    by_judge = (row.assessor == judge.name, row.rubric.in_(by_version))
    query = sa.select(row.candidate, row.rubric).where(*by_judge, row.score.is_not(None))
    done = {(found.candidate, found.rubric) for found in ledger.rows(query)}
    for each in ledger.read(Rating, *by_judge, row.score.is_(None), row.reply != "", newest_first=True):
        if (each.candidate, each.rubric) in done:
            continue
        read = reparse_rating(each, by_version[each.rubric])
        if read is None:
            report.ratings_still_invalid += 1
        else:
            done.add((each.candidate, each.rubric))
            report.ratings += 1
            yield read


def _answered(ledger: Ledger, chunk: Sequence[Comparison]) -> set[tuple[str, ...]]:
    """Where a valid verdict stands in an invalid one's place already."""
    row = comparisons.c
    doubtful = {each.prompt for each in chunk if each.verdict == "invalid"}
    assessors = {each.assessor for each in chunk}
    valid = ledger.read(Comparison, row.prompt.in_(doubtful), row.assessor.in_(assessors), row.verdict != "invalid")
    return {_slot(each) for each in valid}


def _slot(comparison: Comparison) -> tuple[str, ...]:
    return (comparison.a, comparison.b, comparison.order, comparison.rubric, comparison.assessor)
