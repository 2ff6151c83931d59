"""Calendar periods, in UTC, as fine as leaves few of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Literal

Unit = Literal["day", "week", "month", "year"]
UNITS: tuple[Unit, ...] = ("day", "week", "month", "year")
MOST = 12  # periods that a chart holds on a phone
EPOCH = date(1970, 1, 1)
DAY = 86_400_000  # milliseconds, the ledger's unit
MONDAY = 3  # days before the epoch, a Thursday


def unit_of(days: Collection[int], most: int = MOST) -> Unit:
    """The finest unit by which ``days`` (since the epoch) fall into few periods."""
    for unit in UNITS:
        if len({start_of(day, unit) for day in days}) <= most:
            return unit
    return "year"


def start_of(day: int, unit: Unit) -> str:
    """The first day, in ISO 8601, of the period that a day since the epoch is in."""
    that = EPOCH + timedelta(days=day - (day + MONDAY) % 7 if unit == "week" else day)
    if unit in ("day", "week"):
        return that.isoformat()
    return that.replace(day=1, month=that.month if unit == "month" else 1).isoformat()


def day_of(at: int) -> int:
    """The day since the epoch of a time in Unix milliseconds."""
    return at // DAY
