"""A new parser over old replies, without a call."""

from __future__ import annotations

from dataclasses import replace

from annotate.attempts import taken_apart
from annotate.judge_protocol import ruling
from annotate.level_odds import Odds, strength_of
from annotate.rubric import Rubric
from ledger.records import Comparison, storable

READABLE = ("", "unparsable")  # what a judge said to its end, read then or not


def reparse(comparison: Comparison, rubric: Rubric, odds: Odds | None = None) -> Comparison | None:
    """What today's parser reads in the raw reply that a comparison has kept.

    Of several attempts the last readable one counts. The tokens stay with the comparison that was paid for, so that
    adding both up bills them once.

    Args:
        comparison: by an LLM judge; its own ``order`` says which answer was shown first.
        rubric: by which it was made; scores on other axes are left out.
        odds: the probabilities of the levels in that reply (`Call.levels`), where they were kept.

    Returns:
        None where there is nothing to read, nothing can be read, or it is what the comparison says already.
    """
    for attempt in reversed(taken_apart(comparison.reply, comparison.cause)):
        if attempt.cause not in READABLE:
            continue
        if not attempt.text:
            return None  # all of it is in the comparison's fields
        said = ruling(attempt.text, comparison.order, rubric.axes)
        if said is not None:
            break
    else:
        return None
    read = replace(
        comparison,
        verdict=said.verdict,
        strength=strength_of(said, comparison.order, odds),
        axes=said.axes,
        rationale=storable(said.rationale),
        cause="",
        tokens=0,
        cost=0.0,
        seconds=0.0,
    )
    return None if _says_the_same(read, comparison) else read


def _says_the_same(one: Comparison, other: Comparison) -> bool:
    """Do two comparisons differ in nothing but, at most, a finer strength?"""
    return (one.verdict, one.rationale, one.axes, one.cause) == (
        other.verdict,
        other.rationale,
        other.axes,
        other.cause,
    )
