"""Length-controlled win rates of several models at once, as far as they can be counted while somebody waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from align.evaluate import resampling_of
from align.length_control import LengthControlled, each_length_controlled
from align.length_evidence import numbered_evidence
from annotate.bootstrap import BoolArray
from annotate.settled_contests import SettledContests
from ledger.config import EvaluateConfig
from ledger.store import Ledger

AFFORDABLE = 80_000  # contests times models: three seconds; a model's regression is fitted 500 times


def length_controls(
    ledger: Ledger, settled: SettledContests, models: Sequence[str], opponent: str, config: EvaluateConfig
) -> Mapping[str, LengthControlled]:
    """By model, against one opponent, from one fit to as many of the newest models as can be afforded.

    The fit to all of them is the one of `wardround evaluate`.

    Args:
        ledger: where the answers' lengths are.
        settled: the contests.
        models: ids, the newest first.
        opponent: id.
        config: how sure the intervals are.
    """
    kept, fitted = _affordable(settled, models, opponent)
    if not fitted:
        return {}
    found = numbered_evidence(ledger, settled.only(kept), fitted[0], opponent)
    if found is None:
        return {}
    judged, names = found
    confidence = resampling_of(config)["confidence"]
    rates = each_length_controlled(judged, range(len(names)), confidence=confidence)
    return {names[number]: rate for number, rate in rates.items()}


def _affordable(settled: SettledContests, models: Sequence[str], opponent: str) -> tuple[BoolArray, list[str]]:
    """Which contests, and of which models."""
    kept: BoolArray = np.zeros(len(settled.verdict), dtype=bool)
    fitted: list[str] = []
    for model in models:
        forth, back = settled.between(model, opponent)
        more = (forth | back) & settled.valid
        if not more.any():
            continue
        if (kept | more).sum() * (len(fitted) + 2) > AFFORDABLE:
            break
        kept |= more
        fitted.append(model)
    return kept, fitted
