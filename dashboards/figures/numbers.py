"""Numbers in sentences."""

from __future__ import annotations


def n_of(n: int, thing: str, things: str = "") -> str:
    """How many of a thing: "1 pair", "1,200 pairs"; ``things``: several of them, where an "s" is not enough."""
    return f"{n:,} {thing if n == 1 else things or f'{thing}s'}"
