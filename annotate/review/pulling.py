"""``wardround review pull``: surgeons' responses from the server, as comparisons into the ledger."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from annotate.assessor_kinds import SURGEON
from annotate.review.answers import Answers, Status, read_response, seconds_spent, to_append
from annotate.review.argilla_api import Argilla
from annotate.review.inert_markdown import as_written
from annotate.review.serving import datasets, open_argilla
from annotate.review.surgeons import read_surgeons
from ledger.errors import EndpointError, StageError
from ledger.records import Candidate, Comparison, ReviewItem
from ledger.screen import result, say
from ledger.store import Ledger
from ledger.tables import comparisons
from ledger.workspace import Workspace

FINAL: tuple[Status, ...] = ("submitted", "discarded")
SHOWN_REJECTED = 5


@dataclass
class PullReport:
    """What a pull brought."""

    responses: int = 0  # submitted or skipped, new and known
    new: int = 0  # that were not known, or were changed
    corrected: int = 0  # new answers that surgeons wrote
    verdicts: Counter[str] = field(default_factory=Counter)  # of the new ones
    rejected: list[str] = field(default_factory=list)  # new ones that cannot be read, with the reason; they are kept
    unknown: int = 0  # records that are none of ours, and responses of users who are no surgeons

    def text(self) -> str:
        """For people."""
        said = ", ".join(f"{verdict} {count}" for verdict, count in sorted(self.verdicts.items()))
        lines = [f"{self.responses} responses, {self.new} new or changed{': ' if said else ''}{said}"]
        if self.corrected:
            lines.append(f"{self.corrected} corrected answers")
        if self.rejected:
            shown = "; ".join(self.rejected[:SHOWN_REJECTED])
            lines.append(f"{len(self.rejected)} cannot be read, and are kept as invalid: {shown}")
        if self.unknown:
            lines.append(f"{self.unknown} left alone: not ours, or not by a surgeon of surgeons.toml")
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return dict(vars(self))


class _Response(NamedTuple):
    """One surgeon's response to one item."""

    item: ReviewItem
    surgeon: str
    values: Mapping[str, Any]
    status: Status
    at: datetime


def review_pull(workspace: Workspace) -> PullReport:
    """Bring what surgeons have answered into the ledger; safe while they work, and whenever it is run again.

    Raises:
        StageError: the server does not run.
        ConfigError: ``surgeons.toml`` is missing or malformed, or the server's key is not set.
        EndpointError: the server does not answer; run it again to go on.
    """
    report = PullReport()
    ledger = workspace.ledger
    with workspace.stage("review pull") as outcome, open_argilla(workspace) as server:
        items = {item.id: item for item in ledger.read(ReviewItem)}
        found = list(_responses(server, items, {each.id for each in read_surgeons(workspace.root)}, report))
        seconds = _seconds(found)
        before = _known(ledger)
        for response in found:
            _enter(ledger, response, seconds[response.item.id, response.surgeon], before, report)
        outcome.update(report.facts())
    return report


def watch(workspace: Workspace, every: float, *, as_json: bool = False) -> None:
    """Pull again and again until interrupted, ``every`` so many seconds; a server that is away now may be back then."""
    complaint = ""
    while True:
        try:
            report = review_pull(workspace)
        except (EndpointError, StageError) as error:
            if str(error) != complaint:
                complaint = str(error)
                say(f"error: {complaint}")
        else:
            complaint = ""
            if report.new:
                result(report.text(), report.facts(), as_json=as_json)
        time.sleep(every)


def _responses(
    server: Argilla, items: Mapping[str, ReviewItem], surgeons: set[str], report: PullReport
) -> Iterator[_Response]:
    logins = {user.id: login for login, user in server.users().items()}
    for dataset in datasets(server).values():
        for record in server.records(dataset):
            item = items.get(record["external_id"])
            for response in record.get("responses") or ():
                if response["status"] not in FINAL:
                    continue
                login = logins.get(response["user_id"], "")
                if item is None or login not in surgeons:
                    report.unknown += 1
                    continue
                values = {name: _plain(said.get("value")) for name, said in (response["values"] or {}).items()}
                at = datetime.fromisoformat(response["updated_at"])
                yield _Response(item, login, values, response["status"], at)


def _plain(value: object) -> object:
    """What surgeons copied from the page comes with the guards that made it inert there."""
    return as_written(value) if isinstance(value, str) else value


def _seconds(found: list[_Response]) -> dict[tuple[str, str], float]:
    by_surgeon: dict[str, list[_Response]] = defaultdict(list)
    for each in found:
        by_surgeon[each.surgeon].append(each)
    return {
        (each.item.id, surgeon): spent
        for surgeon, said in by_surgeon.items()
        for each, spent in zip(said, seconds_spent([one.at for one in said]), strict=True)
    }


def _known(ledger: Ledger) -> dict[tuple[str, str], list[Comparison]]:
    """What each surgeon said of each item before, in the order in which it was written down."""
    found: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for each in ledger.read(Comparison, comparisons.c.item.is_not(None)):
        found[each.item or "", each.assessor].append(each)
    return found


def _enter(
    ledger: Ledger,
    response: _Response,
    seconds: float,
    before: Mapping[tuple[str, str], list[Comparison]],
    report: PullReport,
) -> None:
    item, assessor = response.item, f"{SURGEON}{response.surgeon}"
    answers = Answers(ledger.get(Candidate, item.a), ledger.get(Candidate, item.b))
    read = read_response(item, answers, assessor, response.values, response.status, seconds=seconds)
    added = to_append(read, item, answers, before.get((item.id, assessor), ()))
    ledger.append(added)
    report.responses += 1
    report.corrected += sum(isinstance(each, Candidate) for each in added)
    if added:
        report.new += 1
        report.verdicts[read.comparison.verdict] += 1
        if read.rejected:
            report.rejected.append(f"{assessor} on {item.id[:8]}: {read.rejected}")
