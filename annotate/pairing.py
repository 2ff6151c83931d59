"""The pairs stage: comparisons from the ledger, preference pairs back into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from annotate.assessor_kinds import PEOPLE
from annotate.contamination import contaminated_prompts
from annotate.kto_labels import ClassRatio, class_ratio, labels_from_pairs, labels_from_ratings
from annotate.pair_choice import Place, Proposal, chosen_of_all
from annotate.pair_report import PairsReport
from annotate.pairs import Answers, Tally, proposed, weighing
from annotate.reliability import measured
from annotate.reviewed import reviewed_contests
from ledger.errors import StageError
from ledger.queries import ComparisonRow, comparisons_by_prompt
from ledger.records import ModelVersion, Pair, Rating
from ledger.store import Ledger, uncollected
from ledger.tables import candidates, comparisons, prompts, ratings
from ledger.workspace import Workspace

BATCH = 10_000
PLAIN = Answers()


def build_pairs(workspace: Workspace, policy: ModelVersion) -> PairsReport:
    """Make preference pairs from the comparisons of a policy's answers to train prompts.

    They are compared with one another, and with other models' where those were judged on train prompts too. Held-out
    prompts never give a pair, nor do near-duplicates of them. How far each assessor is believed is measured on all
    train prompts that surgeons reviewed, whoever's answers those are (`annotate/reliability.py`).

    Raises:
        StageError: there are no comparisons.
    """
    report = PairsReport()
    with workspace.stage("pairs", policy=policy.id) as outcome:
        with uncollected():
            by_prompt = _proposals(workspace, policy, report)
        if not report.prompts:
            raise StageError(
                f"no comparisons of {policy.name}'s answers", where="ledger", advice="run `wardround judge`"
            )
        places = _places(workspace.ledger)
        choice = chosen_of_all(by_prompt, places, workspace.config.pairs)
        report.left_out.update(choice.dropped)
        report.count(choice.kept, places)
        if workspace.config.align.method == "kto":
            report.kto = _kto_classes(workspace, policy, [each.pair for each in choice.kept])
        for start in range(0, len(choice.kept), BATCH):
            report.new += workspace.ledger.append(each.pair for each in choice.kept[start : start + BATCH])
        outcome.update(report.facts())
    return report


def _proposals(workspace: Workspace, policy: ModelVersion, report: PairsReport) -> list[Sequence[Proposal]]:
    """The pairs that each prompt would give."""
    ledger, config = workspace.ledger, workspace.config.pairs
    contaminated = contaminated_prompts(workspace)
    report.trust = measured(list(reviewed_contests(ledger)))
    weigh = weighing(report.trust, config.dependence)
    answers = _answers(ledger)
    tally, found = Tally(), list[Sequence[Proposal]]()
    for prompt, rows in comparisons_by_prompt(ledger, *_on_train_prompts(policy.id)):
        report.prompts += 1
        if prompt in contaminated:
            report.near_held_out += 1
            report.left_out["near-duplicate of a held-out prompt"] += _contests(rows)
        elif made := proposed(rows, answers.get(prompt, PLAIN), config, weigh, tally):
            found.append(made)
    report.left_out.update(tally.left_out)
    return found


def _kto_classes(workspace: Workspace, policy: ModelVersion, pairs: Iterable[Pair]) -> dict[str, ClassRatio]:
    """What the pairs label, and what ratings of the policy's answers to train prompts would, where there are any."""
    found = {"pairs": class_ratio(labels_from_pairs(pairs))}
    config, row = workspace.config.pairs, ratings.c
    rated = list(workspace.ledger.read(Rating, row.model == policy.id, row.prompt.in_(_train())))
    if rated:
        cut = {answer for answers in _answers(workspace.ledger).values() for answer in answers.truncated}
        labels = labels_from_ratings(rated, config.desirable, config.undesirable, truncated=cut)
        found["ratings"] = class_ratio(labels)
    return found


def _contests(rows: Sequence[ComparisonRow]) -> int:
    return len({(row.a, row.b) for row in rows if not row.hidden})


def _on_train_prompts(policy: str) -> tuple[sa.ColumnElement[bool], ...]:
    row = comparisons.c
    return sa.or_(row.model_a == policy, row.model_b == policy), row.prompt.in_(_train())


def _train() -> sa.Select[tuple[str]]:
    return sa.select(prompts.c.id).where(prompts.c.split == "train")


def _answers(ledger: Ledger) -> dict[str, Answers]:
    """By train prompt, which of its answers the token limit cut, and which a surgeon wrote."""
    row = candidates.c
    by_people = sa.or_(*(row.model.startswith(who) for who in PEOPLE))
    cut, written = dict[str, set[str]](), dict[str, set[str]]()
    query = sa.select(row.prompt, row.id, row.finish_reason == "length").where(
        sa.or_(row.finish_reason == "length", by_people), row.prompt.in_(_train())
    )
    rows: Iterator[Any] = ledger.rows(query)
    for prompt, candidate, is_cut in rows:
        (cut if is_cut else written).setdefault(prompt, set()).add(candidate)
    return {
        prompt: Answers(frozenset(cut.get(prompt, ())), frozenset(written.get(prompt, ())))
        for prompt in cut.keys() | written.keys()
    }


def _places(ledger: Ledger) -> dict[str, Place]:
    row = prompts.c
    query = sa.select(row.id, row.mode, row.topic).where(row.split == "train")
    rows: Iterator[Any] = ledger.rows(query)
    return {prompt: Place(mode, topic) for prompt, mode, topic in rows}
