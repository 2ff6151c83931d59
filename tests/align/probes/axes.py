"""Axes by hand."""

from __future__ import annotations

from collections.abc import Sequence

from align.probes.axis import Axis
from ledger.records import Mode


def axis(name: str, values: Sequence[float], *, higher_is_better: bool = True, mode: Mode = "clinical") -> Axis:
    """Values of the prompts p000, p001, ... ."""
    by_prompt = {f"p{number:03d}": float(value) for number, value in enumerate(values)}
    return Axis(name, higher_is_better, by_prompt, dict.fromkeys(by_prompt, mode))


def binary(
    name: str, both: int, lost: int, gained: int, neither: int, *, higher_is_better: bool = True
) -> tuple[Axis, Axis]:
    """Before and after, where 1 is how often something is right, or wrong where less is better."""
    before = [1] * both + [1] * lost + [0] * gained + [0] * neither
    after = [1] * both + [0] * lost + [1] * gained + [0] * neither
    if not higher_is_better:
        before, after = [1 - value for value in before], [1 - value for value in after]
    first, second = (axis(name, values, higher_is_better=higher_is_better) for values in (before, after))
    return first, second
