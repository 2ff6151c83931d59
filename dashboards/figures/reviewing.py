"""What the page "Review" says: the plain sentence, then progress, pace, minutes, agreement and what is unsettled."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.figures.estimates import percent
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Line, Missing, Page, Part
from dashboards.figures.review_agreement import agreement_part, unsettled_part
from dashboards.figures.review_progress import pace_part, progress_part
from dashboards.findings.reviewing import Planned, Reviewing


def reviewing_page(findings: Reviewing, now: datetime | None = None) -> Page:
    """The whole page; ``now``: for the age of what waits."""
    if not findings.queues:
        plan = (_plan(findings.planned),) if findings.planned else ()
        return Page(notes=plan, missing=Missing("Nothing was sent to surgeons yet.", "wardround review push"))
    parts: list[Part | None] = [
        progress_part(findings),
        pace_part(findings),
        minutes_part(findings),
        agreement_part(findings),
        unsettled_part(findings),
    ]
    return Page(headline(findings), notes(findings, now or datetime.now(UTC)), tuple(part for part in parts if part))


def headline(findings: Reviewing) -> Line:
    """How far the work has come, in one sentence."""
    items, done = sum(each.items for each in findings.queues), sum(each.done for each in findings.queues)
    given, left = sum(each.ratings for each in findings.queues), findings.time.open
    if not given:
        return Line(f"{n_of(items, 'item')} wait for surgeons; no answer is here yet.", "warning")
    rated = f"{done:,} of {n_of(items, 'item')} ({percent(done / max(1, items))})"
    sentence = f"Surgeons have rated {rated} as often as wanted"
    if not left:
        return Line(f"{sentence}; nothing is left to rate.")
    return Line(f"{sentence}; about {_minutes(findings.time.needed)} of their time are left to do.")


def notes(findings: Reviewing, now: datetime) -> tuple[Line, ...]:
    """Who has answered, what waits longest, and what brings answers here."""
    if not findings.surgeons:
        lines = [Line("wardround review pull brings here what surgeons have answered.")]
    else:
        who = n_of(findings.surgeons, "surgeon has", "surgeons have")
        given = sum(each.ratings for each in findings.queues)
        lines = [Line(f"{who} answered, {given:,} ratings in all. New ones come with wardround review pull.")]
    waiting = [(each.oldest, each.queue) for each in findings.queues if each.oldest]
    if waiting:
        oldest, queue = min(waiting)
        days = (now - datetime.fromisoformat(oldest)).days
        age = "today" if days < 1 else f"{n_of(days, 'day')} ago"
        lines.append(Line(f"The oldest item without an answer was sent {age} ({oldest[:10]}), in the queue {queue}."))
    return tuple(lines)


def minutes_part(findings: Reviewing) -> Part:
    """What surgeons spent, what is left, and what a reliable win rate would take; sentences only."""
    time, lines = findings.time, []
    if time.told + time.untold:
        reckoned = f", {time.untold:,} of them reckoned, since their time is not known" if time.untold else ""
        answers = f"{time.told + time.untold:,} answers{reckoned}"
        lines.append(Line(f"Spent: about {_minutes(time.spent)} of all surgeons together, on {answers}."))
    source = "as measured" if time.measured else "as [review] seconds_per_rating has it"
    lines.append(
        Line(
            f"Left: about {_minutes(time.needed)} for {time.open:,} ratings, at {time.pace:.0f} seconds each, {source}."
        )
    )
    if findings.planned:
        lines.append(_plan(findings.planned))
    return Part("Surgeons' time", lines=tuple(lines))


def _plan(planned: Planned) -> Line:
    """What it takes in all to see a difference."""
    points = 100 * planned.difference
    low, high = 50 - points, 50 + points
    basis = f"measured on {planned.measured:,} questions" if planned.measured else "by cautious assumptions"
    command = f"wardround plan --detect {points:.0f}pt"
    return Line(
        f"Wanted in all, to tell a win rate of {high:.0f}% (or {low:.0f}%) from 50% in four of five cases: "
        f"{_minutes(planned.minutes)} with the judge's help, {_minutes(planned.alone)} without ({basis}): {command}."
    )


def _minutes(number: float) -> str:
    if number >= 120:
        return f"{number / 60:,.0f} hours"
    return n_of(max(1, round(number)) if number else 0, "minute")
