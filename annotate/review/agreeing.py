"""The agreement of surgeons, read off the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from annotate.assessor_kinds import MACHINES, SIMULATED, SURGEON, SURGEONS
from annotate.assessors import configured_assessors, leading_assessor
from annotate.passport_columns import Resampling
from annotate.review.agreement import (
    CHOSEN,
    UNBIASED,
    Opinion,
    against_judges,
    agreement,
    agreement_by,
    consistency,
    disagreements,
)
from annotate.review.agreement_report import AgreementReport
from annotate.review.agreement_standing_in import contests_rated, routing_of, standing_in, weighed
from annotate.review.answers import on_the_item
from annotate.routing import Routing
from ledger.errors import StageError
from ledger.queries import standing
from ledger.records import Comparison, Queue, ReviewItem
from ledger.store import Ledger
from ledger.tables import comparisons, prompts, review_items
from ledger.workspace import Workspace

WHO = {SURGEON: SURGEONS, SIMULATED: "simulated assessors"}
BY_DEFAULT = Resampling()


def review_agreement(workspace: Workspace, *, simulated: bool = False, by: Resampling = BY_DEFAULT) -> AgreementReport:
    """How far surgeons agree with each other, with themselves and with the judges of the present rubric; logged.

    Args:
        workspace: where.
        simulated: of the simulated assessors instead, who are never counted among the surgeons.
        by: how intervals are made.

    Raises:
        StageError: none has answered a review item.
        ConfigError: the judges' rubric or criteria cannot be used.
    """
    who, items, opinions = _heard(workspace, simulated=simulated)
    if not opinions:
        raise StageError(
            f"no {who} have answered a review item yet", where="ledger", advice="run `wardround review pull`"
        )
    with workspace.stage("agreement", of=who) as outcome:
        report = _report(workspace, who, opinions, items, by)
        outcome.update(report.summary())
    return report


def agreement_report(
    workspace: Workspace, *, simulated: bool = False, by: Resampling = BY_DEFAULT
) -> AgreementReport | None:
    """The same, which writes nothing; None where nobody has answered a review item.

    Raises:
        ConfigError: the judges' rubric or criteria cannot be used.
    """
    who, items, opinions = _heard(workspace, simulated=simulated)
    return _report(workspace, who, opinions, items, by) if opinions else None


def _heard(workspace: Workspace, *, simulated: bool) -> tuple[str, list[ReviewItem], list[Opinion]]:
    """Who is asked, about which items, and what they say."""
    kind = SIMULATED if simulated else SURGEON
    items = {each.id: each for each in workspace.ledger.read(ReviewItem)}
    return WHO[kind], list(items.values()), list(_opinions(workspace.ledger, kind, items))


def certificate(workspace: Workspace) -> Routing | None:
    """Which contests the configured judge may decide alone; None for a panel, or where surgeons have said too little.

    Raises:
        ConfigError: the judges' rubric or criteria cannot be used.
    """
    judge = leading_assessor(workspace.config.judge)
    items = {each.id: each for each in workspace.ledger.read(ReviewItem)}
    unbiased = _of_queues(list(_opinions(workspace.ledger, SURGEON, items)), UNBIASED)
    said = _judges(workspace).get(judge, []) if unbiased else []
    if not said:
        return None
    drawn = {each.prompt for each in items.values() if each.queue in UNBIASED}
    routing = routing_of(said, contests_rated(unbiased), drawn)
    return None if routing.refused else routing


def _report(
    workspace: Workspace, who: str, opinions: Sequence[Opinion], items: Sequence[ReviewItem], by: Resampling
) -> AgreementReport:
    unbiased = _of_queues(opinions, UNBIASED)
    row = prompts.c
    asked = sa.select(row.id, row.kind, row.mode, row.topic).where(row.id.in_(sa.select(review_items.c.prompt)))
    known = {each.id: each for each in workspace.ledger.rows(asked)}
    judges, contests = _judges(workspace), contests_rated(unbiased)
    weights, drawn = weighed(contests, by), {each.prompt for each in items if each.queue in UNBIASED}
    chosen = {queue: some for queue in CHOSEN if (some := _of_queues(opinions, [queue]))}
    return AgreementReport(
        who=who,
        confidence=by.confidence,
        n_assessors=len({each.said.assessor for each in opinions}),
        n_items=len({each.item.id for each in opinions if not each.item.repeat_of}),
        n_opinions=len(opinions),
        overall=agreement(unbiased, by),
        by_kind=agreement_by(unbiased, lambda prompt: known[prompt].kind, by),
        by_mode=agreement_by(unbiased, lambda prompt: known[prompt].mode, by),
        by_topic=agreement_by(unbiased, lambda prompt: known[prompt].topic, by),
        by_queue={queue: agreement(some, by) for queue, some in chosen.items()},
        repeats=consistency(opinions, by),
        judges=against_judges(judges, unbiased, by),
        weighed=weights,
        standing_in=standing_in(judges, contests, weights, drawn, by),
        disagreements=tuple(disagreements(opinions, [each for each in items if each.queue == "adjudicate"])),
    )


def _opinions(ledger: Ledger, kind: str, items: Mapping[str, ReviewItem]) -> Iterator[Opinion]:
    """What assessors of a kind say of the items, in their last words; corrections of an item are not said of it."""
    row = comparisons.c
    said = ledger.read(
        Comparison,
        row.prompt.in_(sa.select(review_items.c.prompt)),
        row.assessor.startswith(kind),
        row.item.is_not(None),
        standing(),
    )
    for each in said:
        item = items.get(each.item or "")
        if item is not None and on_the_item(each, item):
            yield Opinion(item, each)


def _of_queues(opinions: Sequence[Opinion], queues: Sequence[Queue]) -> list[Opinion]:
    return [each for each in opinions if each.item.queue in queues]


def _judges(workspace: Workspace) -> dict[str, list[Comparison]]:
    """What the judges and metrics say of the prompts under review, by the present rubric versions."""
    row = comparisons.c
    versions = sorted({version for each in configured_assessors(workspace) for version in each.versions})
    found: dict[str, list[Comparison]] = defaultdict(list)
    asked = (row.rubric.in_(versions), row.prompt.in_(sa.select(review_items.c.prompt)))
    for each in workspace.ledger.read(Comparison, *asked):
        if each.assessor.startswith(MACHINES):
            found[each.assessor].append(each)
    return found
