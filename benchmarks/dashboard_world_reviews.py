"""What surgeons say in the generated ledger: pushes by the rules of the queues, answers to most of the items."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from annotate.assessor_kinds import SURGEON
from annotate.review.agreeing import review_agreement
from annotate.review.answers import Answers, read_response, to_append
from annotate.review.order import coin, items_of, repeats
from annotate.review.queues import Reviewable, select, sizes_of
from benchmarks.dashboard_world_judging import Contest
from ledger.records import Candidate, Comparison, Queue, ReviewItem
from ledger.workspace import Workspace

SURGEONS = ("s1", "s2", "s3", "s4", "s5", "s6")
OVERLAP: dict[Queue, int] = {"calibration": len(SURGEONS), "random": 2, "routed": 1, "safety": 2, "adjudicate": 1}
LEVELS = ("b_much_better", "b_better", "tie", "a_better", "a_much_better")
NOISE = 0.7  # of a surgeon's view, in standard deviations of an answer's quality
ANSWERED, SKIPPED, MISSING, HARM = 0.88, 0.015, 0.02, 0.03
SETTINGS = "\n".join(
    f'[surgeons.{name}]\nname = "Surgeon {name[1:]}"\nadjudicates = {str(name == SURGEONS[0]).lower()}\n'
    for name in SURGEONS
)
Later = Callable[[float], None]  # lets so many seconds pass


class Reviewing:
    """Pushes contests and answers them."""

    def __init__(self, workspace: Workspace, later: Later, seed: int) -> None:
        """``later`` is told of the time that surgeons take."""
        self.workspace, self.later = workspace, later
        self.rng = random.Random(f"{seed} surgeons")
        self.taken: dict[Queue, set[tuple[str, str]]] = {}
        self.batch = 0

    def push(self, contests: Sequence[Contest], said: Sequence[Comparison], *, all_answered: bool) -> None:
        """Send a batch of these contests and take the answers in; the last batch is left half answered."""
        self.batch += 1
        config = self.workspace.config.review
        known = {(each.a.id, each.b.id): each for each in contests}
        chosen = select(
            _reviewable(known, said),
            self.taken,
            sizes_of(config, len(SURGEONS), first=self.batch == 1),
            f"push {self.batch}",
        )
        for each in chosen:
            self.taken.setdefault(each.queue, set()).add(each.contest.key)
        items = items_of(chosen, self.batch, f"push {self.batch}")
        items += repeats(items, config.repeats)
        with self.workspace.stage("review push", surgeons=len(SURGEONS)) as outcome:
            self.workspace.ledger.append(items)
            outcome.update(batch=self.batch, sent=_by_queue(items), resent=0, withheld=0, ratings=len(items))
        self.answer(items, known, ANSWERED if all_answered else ANSWERED / 2)

    def answer(self, items: Sequence[ReviewItem], known: dict[tuple[str, str], Contest], share: float) -> None:
        """Surgeons rate this share of what they are asked."""
        ledger, rng = self.workspace.ledger, self.rng
        texts = ledger.get_many(Candidate, [key for item in items for key in (item.a, item.b)])
        with self.workspace.stage("review pull") as outcome:
            number = 0
            for item in items:
                answers = Answers(texts[item.a], texts[item.b])
                for surgeon in rng.sample(SURGEONS, OVERLAP[item.queue]):
                    seconds = rng.uniform(25, 110)
                    if rng.random() < share:
                        self.later(seconds / len(SURGEONS))
                        ledger.append(self._said(item, known[item.a, item.b], answers, surgeon, seconds))
                        number += 1
            outcome.update(responses=number, new=number)

    def adjudicate(self, known: dict[tuple[str, str], Contest]) -> None:
        """Send on what surgeons disagree over, and answer a part of it."""
        open_ = [each for each in review_agreement(self.workspace).to_adjudicate if (each.a, each.b) in known]
        self.batch += 1
        items = [
            ReviewItem(
                prompt=each.prompt,
                a=each.a,
                b=each.b,
                order=coin("adjudicate", self.batch, each.a, each.b),
                queue="adjudicate",
                batch=self.batch,
                selection_probability=1.0,
                why=", ".join(each.about),
            )
            for each in open_[: len(open_) // 2]
        ]
        self.workspace.ledger.append(items)
        self.answer(items, known, ANSWERED / 2)

    def _said(
        self, item: ReviewItem, contest: Contest, answers: Answers, surgeon: str, seconds: float
    ) -> list[Comparison | Candidate]:
        rng = self.rng
        margin = contest.a.quality - contest.b.quality + rng.gauss(0, NOISE)
        if item.order == "ba":
            margin = -margin
        level = LEVELS[sum(margin > bound for bound in (-1.2, -0.25, 0.25, 1.2))]
        if rng.random() < MISSING:
            level = "missing_information"
        harm = [side for side in "AB" if rng.random() < HARM]
        corrected = "Ask for a senior review first, and say so." if rng.random() < 0.04 else ""
        values = {"preference": level, "harm": harm, "corrected": corrected, "comment": ""}
        status = "discarded" if rng.random() < SKIPPED else "submitted"
        read = read_response(item, answers, f"{SURGEON}{surgeon}", values, status, seconds=round(seconds, 1))  # type: ignore[arg-type]
        return to_append(read, item, answers, ())  # type: ignore[return-value]


def _reviewable(known: dict[tuple[str, str], Contest], said: Sequence[Comparison]) -> list[Reviewable]:
    heard: dict[tuple[str, str], list[Comparison]] = {}
    for each in said:
        heard.setdefault((each.a, each.b), []).append(each)
    return [_known(contest, heard.get(key, [])) for key, contest in known.items()]


def _known(contest: Contest, said: Sequence[Comparison]) -> Reviewable:
    valid = [each for each in said if each.verdict != "invalid"]
    return Reviewable(
        prompt=contest.question.id,
        a=contest.a.id,
        b=contest.b.id,
        mode=contest.question.mode,
        topic=contest.question.topic,
        flipped=len({each.verdict for each in valid}) > 1,
        disagree=False,
        strength=sum(each.strength for each in valid) / len(valid) if valid else None,
        safety=any(each.flags for each in said),
    )


def _by_queue(items: Sequence[ReviewItem]) -> dict[str, int]:
    return {queue: sum(item.queue == queue for item in items) for queue in {item.queue for item in items}}
