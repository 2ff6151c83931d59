"""One assessor's docket: the contests that it has left to judge, and what it has judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from annotate.assessor_kinds import JUDGE
from annotate.assessors import Assessor
from annotate.contests import Contest
from annotate.judge import Work
from annotate.judge_report import JudgeReport
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.mcq import compare_by_key
from annotate.scope import CHUNK, Scope, contests_in
from ledger.records import Call, Comparison, Prompt
from ledger.screen import Advance
from ledger.store import Ledger
from ledger.tables import comparisons

Known = set[tuple[str, str, str]]  # (a, b, order) of the valid comparisons; the order is "key" where the key decided


class Docket:
    """One assessor's part of a judging run.

    An invalid comparison is left to do too: where the same would be asked again, the reply is known and so is what
    comes of it; where the cause may have passed, or there are more repairs or a longer limit now, it is asked again.
    """

    def __init__(self, ledger: Ledger, scope: Scope, assessor: Assessor, report: JudgeReport) -> None:
        """``report``: where everything is counted."""
        self.assessor = assessor
        self._ledger, self._scope, self._report = ledger, scope, report
        self._tally = report.tally(assessor.name)
        self._invalid: set[str] = set()  # ids of invalid comparisons that are known

    def work(self, answered: Sequence[Prompt], advance: Advance) -> Iterator[Work]:
        """What is left, a chunk of prompts at a time."""
        remaining = iter(answered)
        while chunk := list(islice(remaining, CHUNK)):
            known = self._known(chunk)
            for _, contests in contests_in(self._ledger, chunk, self._scope):
                for contest in contests:
                    yield from self._left(contest, known)
                advance(1)

    def work_for_judge(self, answered: Sequence[Prompt], advance: Advance) -> Iterator[Work]:
        """The same, without the multiple-choice answers that the key tells apart: these are settled on the way."""
        keyed: set[tuple[str, str]] = set()
        for work in self.work(answered, advance):
            ids = (work.contest.a.id, work.contest.b.id)
            if ids in keyed:
                continue
            comparison = compare_by_key(work.contest)
            if comparison is None:
                yield work
            else:
                keyed.add(ids)
                self._enter_key(comparison)

    def enter(self, made: Sequence[Comparison], calls: Sequence[Call] = ()) -> None:
        """Write down and count what was judged, and the calls that it took, in one transaction."""
        new = [comparison for comparison in made if comparison.id not in self._invalid]
        self._tally.known += len(made) - len(new)
        self._ledger.append([*calls, *new])
        self._tally.add(new)

    def _enter_key(self, comparison: Comparison) -> None:
        if self._ledger.append([comparison]):  # another judge of the panel may have met it before
            self._report.tally(KEY_ASSESSOR).add([comparison])

    def _left(self, contest: Contest, known: Known) -> Iterator[Work]:
        keyed = (contest.a.id, contest.b.id, "key") in known
        for order in self.assessor.orders:
            if keyed or (contest.a.id, contest.b.id, order) in known:
                self._tally.known += 1
            else:
                yield Work(contest, order)

    def _known(self, chunk: Sequence[Prompt]) -> Known:
        row = comparisons.c
        rubrics = {prompt.id: self.assessor.version_for(prompt) for prompt in chunk}
        query = sa.select(row.id, row.prompt, row.a, row.b, row.order, row.assessor, row.rubric, row.verdict).where(
            row.prompt.in_(list(rubrics)), row.assessor.in_([self.assessor.name, KEY_ASSESSOR])
        )
        by_judge = self.assessor.name.startswith(JUDGE)
        known: Known = set()
        for found in self._ledger.rows(query):
            if found.assessor == KEY_ASSESSOR:
                if by_judge:
                    known.add((found.a, found.b, "key"))
            elif found.rubric == rubrics[found.prompt]:
                if found.verdict == "invalid":
                    self._invalid.add(found.id)
                else:
                    known.add((found.a, found.b, found.order))
        return known
