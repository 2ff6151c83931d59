"""Numbers in sentences."""

from __future__ import annotations


def n_of(n: int, thing: str) -> str:
    """How many of a thing: "1 pair", "1,200 pairs"."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
