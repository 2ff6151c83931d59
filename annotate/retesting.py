"""The judges asked again: how often does a judge say the same to the same question?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from annotate.assessors import Judge, configured_judges
from annotate.attack_report import CONFIDENCE, wilson
from annotate.budget import Budget, limits_of
from annotate.contests import Contest
from annotate.each_judge import EachJudge
from annotate.judge import Work, judge
from annotate.judged_apart import judged_apart
from ledger.errors import StageError
from ledger.queries import last_finished
from ledger.records import Candidate, Comparison, Order, Prompt, Verdict, digest
from ledger.screen import progress
from ledger.store import Ledger
from ledger.tables import comparisons, prompts
from ledger.workspace import Workspace
from sampling.prompts import MODES

SECOND = 1  # the sample index of the retest; the first judgment is 0


@dataclass(frozen=True)
class RetestReport:
    """One judge's verdicts when it was asked again, in the same order, by comparison id."""

    judge: str
    verdicts: tuple[tuple[str, Verdict], ...]
    same: int
    invalid: int  # this time

    def text(self) -> str:
        """For people."""
        valid = len(self.verdicts) - self.invalid
        low, high = wilson(self.same, valid)
        share = f"{self.same / valid:.1%} [{low:.1%}, {high:.1%}]" if valid else "-"
        return (
            f"{self.judge}: asked again {len(self.verdicts)} times, the same verdict in {share} "
            f"({CONFIDENCE:.0%} interval), {self.invalid} invalid"
        )

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {"judge": self.judge, "verdicts": self.verdicts, "same": self.same, "invalid": self.invalid}


def retest_judges(workspace: Workspace, number: int) -> EachJudge[RetestReport]:
    """Put ``number`` of the questions that each configured judge has answered to it once more, in the same order.

    The reports (`RetestReport`) are logged, where the passport finds them; nothing becomes a comparison, so that no
    contest counts twice. Which questions it is depends on nothing but the ledger, and a retest is not paid for twice.

    Raises:
        StageError: no judge is configured, it rates answers by themselves, or it has judged nothing by this rubric.
        EndpointError: a judge's server refuses or cannot be reached.
        BudgetError: the budget ended; run it again to go on.
    """
    judges = configured_judges(workspace)
    if not judges:
        raise StageError(
            "the reference metric always says the same", where="judge.model", advice="configure an LLM judge"
        )
    if judges[0].pointwise:
        raise StageError(
            "only verdicts on two answers are asked for again", where="judge.protocol", advice='set it to "pairwise"'
        )
    budget = Budget(limits_of(workspace.config.judge))
    return EachJudge(tuple(_retest(workspace, each, number, budget) for each in judges))


def _retest(workspace: Workspace, assessor: Judge, number: int, budget: Budget) -> RetestReport:
    before = _judged(workspace.ledger, assessor, number)
    if not before:
        raise StageError(
            f"{assessor.name} has judged nothing by this rubric yet", where="ledger", advice="run `wardround judge`"
        )
    with workspace.stage("retest", assessor=assessor.name, questions=len(before)) as outcome:
        made = _asked(workspace, assessor, before, budget)
        again = {(each.a, each.b, each.order): each.verdict for each in made}
        verdicts = tuple((each.id, again[each.a, each.b, each.order]) for each in before)
        same = sum(each.verdict == said for each, (_, said) in zip(before, verdicts, strict=True))
        invalid = sum(said == "invalid" for _, said in verdicts)
        report = RetestReport(assessor.name, verdicts, same, invalid)
        outcome.update(report.facts())
    return report


def _judged(ledger: Ledger, assessor: Judge, number: int) -> list[Comparison]:
    """Valid verdicts that it was asked for, one for each contest and order."""
    row = comparisons.c
    asked = (row.assessor == assessor.name, row.verdict != "invalid", row.call.is_not(None))
    once: dict[tuple[str, str, Order], Comparison] = {}
    for mode in MODES:  # each question by the rubric that it would be asked by now
        of_mode = row.prompt.in_(sa.select(prompts.c.id).where(prompts.c.mode == mode))
        said = ledger.read(Comparison, *asked, row.rubric == assessor.rubric.of(mode).version, of_mode)
        once |= {(each.a, each.b, each.order): each for each in said}
    return sorted(once.values(), key=lambda each: digest(["retest", each.a, each.b, each.order]))[:number]


def _asked(workspace: Workspace, assessor: Judge, before: Sequence[Comparison], budget: Budget) -> list[Comparison]:
    work = _work(workspace.ledger, before)
    with progress(f"Asking {assessor.name} again", len(before)) as advance:
        asked = judged_apart(
            workspace, assessor, budget, lambda caller: judge(work, caller, assessor.rubric, SECOND), advance
        )
        return asyncio.run(asked)


def _work(ledger: Ledger, before: Sequence[Comparison]) -> Iterator[Work]:
    for each in before:
        a, b = ledger.get(Candidate, each.a), ledger.get(Candidate, each.b)
        yield Work(Contest(ledger.get(Prompt, each.prompt), a, b, each.count), each.order)


def retested(ledger: Ledger, judge: str) -> dict[str, Verdict]:
    """What a judge said the second time, by comparison id, from the newest retest."""
    for found in last_finished(ledger, "retest"):
        if found.get("judge") == judge:
            return dict(found["verdicts"])
    return {}
