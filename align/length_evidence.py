"""What the ledger knows of lengths: contests against one opponent, with the lengths of their answers."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from align.length_glm import Judged
from annotate.bootstrap import FloatArray, numbered
from annotate.settled_contests import SettledContests
from ledger.store import Ledger
from ledger.tables import candidates, prompts


def length_evidence(ledger: Ledger, settled: SettledContests, model: str, opponent: str) -> Judged | None:
    """The valid contests on held-out prompts of all models against ``opponent``; number 0 is ``model``.

    None where that one has no such contest. Lengths are in characters, without what was set apart as reasoning. Where
    the answer key decided, length swayed nobody: such a contest is taken for one of equal lengths.
    """
    found = numbered_evidence(ledger, settled, model, opponent)
    return found[0] if found else None


def numbered_evidence(
    ledger: Ledger, settled: SettledContests, model: str, opponent: str
) -> tuple[Judged, tuple[str, ...]] | None:
    """The same, with the ids of the models in the order of their numbers."""
    if model not in settled.models or opponent not in settled.models:
        return None
    ours, theirs = settled.models.index(model), settled.models.index(opponent)
    back = settled.model_b != theirs
    other = np.where(back, settled.model_b, settled.model_a)
    met = (settled.model_a == theirs) != (settled.model_b == theirs)
    chosen = np.flatnonzero(met & settled.valid)
    if not (other[chosen] == ours).any():
        return None
    chosen = np.concatenate([chosen[other[chosen] == ours], chosen[other[chosen] != ours]])
    back = back[chosen]
    points = settled.points[chosen]
    lengths = _lengths(ledger, settled)
    a, b = lengths[settled.a[chosen]], lengths[settled.b[chosen]]
    opposing = np.where(back, a, b)
    facing = other[chosen].tolist()
    judged = Judged(
        model=numbered(facing),
        prompt=numbered(settled.prompt[chosen]),
        points=np.where(back, 1 - points, points),
        count=settled.count[chosen].astype(float),
        length=np.where(settled.by_key[chosen], opposing, np.where(back, b, a)),
        opponent_length=opposing,
    )
    return judged, tuple(settled.models[number] for number in dict.fromkeys(facing))


def _lengths(ledger: Ledger, settled: SettledContests) -> FloatArray:
    """The length of each candidate [candidates], in characters."""
    row = candidates.c
    asked = sa.select(prompts.c.id).where(prompts.c.split == "eval")
    query = sa.select(row.id, sa.func.length(row.text).label("length")).where(
        row.model.in_(settled.models), row.prompt.in_(asked)
    )
    found = {each.id: each.length for each in ledger.rows(query)}
    return np.array([found[each] for each in settled.candidates], dtype=float)
