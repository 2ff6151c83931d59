"""What the page "Review" says: how far surgeons have come, and how far they agree. Nobody is named or ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from align.planning import plan
from annotate.review.agreeing import agreement_report
from annotate.review.agreement import Agreement, Consistency, Disagreement
from dashboards.findings.review_progress import Daily, Progress, Ratings, Time, daily, progress, ratings_in, time_spent
from ledger.records import Prompt, ReviewItem
from ledger.store import Ledger
from ledger.tables import prompts
from ledger.workspace import Workspace

DETECTED = 0.05  # difference of a win rate from one half that surgeons' work is planned for
QUESTION = 120  # characters
NO_TIME = Time()
LISTED = 200  # disagreements
State = Literal["to send", "sent", "settled"]  # to adjudication
STATES: tuple[State, ...] = ("to send", "sent", "settled")


@dataclass(frozen=True)
class Agreed:
    """How far surgeons agree: with each other on the random and calibration items, and with themselves.

    Attributes:
        n_items: that anybody rated, in any queue, hidden repeats apart
        chosen: on the queues chosen for being hard or risky
    """

    confidence: float
    n_items: int
    overall: Agreement
    by_kind: Mapping[str, Agreement]
    by_mode: Mapping[str, Agreement]
    chosen: Mapping[str, Agreement]
    repeats: Consistency


@dataclass(frozen=True)
class Unsettled:
    """Two answers over which surgeons differ."""

    prompt: str
    question: str
    about: tuple[str, ...]
    state: State


@dataclass(frozen=True)
class Planned:
    """What surgeons would have to do to tell a win rate from one half, with a chance of 80%."""

    difference: float
    items: int  # of the random queue, with the judge
    minutes: int
    alone: int  # minutes, without the judge
    measured: int  # questions that this rests on; 0: assumed


@dataclass(frozen=True)
class Reviewing:
    """What the page "Review" says.

    Attributes:
        surgeons: how many have answered anything
        expected: how many are to; the overlap of the calibration items
        queues: those that anything was sent to, in the order of the page
        days: ratings that came in, by day and queue
        time: what surgeons spent, and what is left to do
        agreed: None before anybody has answered
        unsettled: what they differ over, harm first; the first of them where they are many
        n_unsettled: by state
        planned: None where nothing was imported
    """

    surgeons: int = 0
    expected: int = 0
    queues: tuple[Progress, ...] = ()
    days: tuple[Daily, ...] = ()
    time: Time = NO_TIME
    agreed: Agreed | None = None
    unsettled: tuple[Unsettled, ...] = ()
    n_unsettled: Mapping[str, int] | None = None
    planned: Planned | None = None


def find_reviewing(workspace: Workspace) -> Reviewing:
    """Read it from the ledger.

    Raises:
        ConfigError: the judges' rubric or criteria cannot be used.
    """
    ledger = workspace.ledger
    if not ledger.count(ReviewItem):
        return Reviewing(planned=_planned(workspace))
    found = ratings_in(workspace)
    report = agreement_report(workspace)
    unsettled = [] if report is None else _unsettled(ledger, report.disagreements, found)
    queues = progress(found)
    return Reviewing(
        surgeons=found.surgeons,
        expected=found.expected,
        queues=queues,
        days=daily(found),
        time=time_spent(found, queues, workspace.config.review.seconds_per_rating),
        agreed=None
        if report is None
        else Agreed(
            report.confidence,
            report.n_items,
            report.overall,
            report.by_kind,
            report.by_mode,
            report.by_queue,
            report.repeats,
        ),
        unsettled=tuple(unsettled[:LISTED]),
        n_unsettled={state: sum(each.state == state for each in unsettled) for state in STATES},
        planned=_planned(workspace),
    )


def _unsettled(ledger: Ledger, found: Sequence[Disagreement], ratings: Ratings) -> list[Unsettled]:
    """What surgeons differ over, what is to be sent first."""
    answered = {each.item for each in ratings.ratings if not each.skipped}
    third = [each for each in ratings.items.values() if each.queue == "adjudicate" and each.id in answered]
    settled = {(each.a, each.b) for each in third}
    states: dict[tuple[str, str], State] = {}
    for each in found:
        key = each.a, each.b
        states[key] = "settled" if key in settled else "sent" if each.sent else "to send"
    ordered = sorted(found, key=lambda each: STATES.index(states[each.a, each.b]))
    asked = ledger.get_many(Prompt, (each.prompt for each in ordered[:LISTED]))
    return [
        Unsettled(each.prompt, _short(asked.get(each.prompt)), each.about, states[each.a, each.b]) for each in ordered
    ]


def _short(prompt: Prompt | None) -> str:
    question = " ".join(prompt.question.split()) if prompt else ""
    return question if len(question) <= QUESTION else f"{question[: QUESTION - 1]}…"


def _planned(workspace: Workspace) -> Planned | None:
    """The plan for a difference of 5 points, by what the ledger holds."""
    if not workspace.ledger.count(Prompt, prompts.c.split == "eval"):
        return None
    made = plan(workspace, DETECTED)
    return Planned(DETECTED, made.together.items, made.together.minutes, made.alone.minutes, made.spread.measured)
