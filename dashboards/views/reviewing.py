"""The page "Review"."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.counting.sections import REVIEW
from dashboards.figures.reviewing import reviewing_page
from dashboards.shown.built import built
from dashboards.shown.page import show_page
from dashboards.shown.section import findings_of


def page() -> None:
    """Show it."""
    findings = findings_of(REVIEW)
    if findings is not None:
        show_page(built(reviewing_page, (REVIEW,), _lately()))


def _lately() -> datetime:
    """The time, to ten minutes: how long the oldest item has waited is told no finer."""
    now = datetime.now(UTC)
    return now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)


if __name__ == "__main__":
    page()
