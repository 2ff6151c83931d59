"""Which records fall into a share of them: by what they are, so the same in every run and on every machine."""

from __future__ import annotations

from ledger.records import digest

STEPS = 2**32


def lot(purpose: str, name: str) -> float:
    """A number in [0, 1) that depends on both alone: ``name`` is in a share where its lot is below it."""
    return int(digest([purpose, name])[:8], 16) / STEPS
