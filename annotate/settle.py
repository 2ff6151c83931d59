"""What one assessor's verdicts on a contest, one in each order, amount to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from ledger.records import Verdict

Preference = Literal["a", "b", "tie"]

UNDECIDED = 0.5  # the least strength there is
PREFERENCES: Mapping[Verdict, Preference] = MappingProxyType({"a": "a", "b": "b", "tie": "tie", "both_bad": "tie"})


class Opinion(Protocol):
    """A `Comparison`, or as much of it as is needed."""

    @property
    def verdict(self) -> Verdict:
        """What was said."""

    @property
    def strength(self) -> float:
        """P(a is better)."""


class Settled(NamedTuple):
    """All orders taken together, in canonical terms."""

    verdict: Verdict
    strength: float  # P(a is better); 0.5 for a tie
    flipped: bool = False  # did the preference change with the order? A surgeon should look


def preference(verdict: Verdict | None) -> Preference | None:
    """Which answer a verdict prefers; None where it is invalid, or there is none."""
    return None if verdict is None else PREFERENCES.get(verdict)


def settle(said: Sequence[Opinion]) -> Settled:
    """One verdict for the verdicts of one assessor (Zheng et al., 2023: a win only if it is one in both orders).

    - The same preference in all: that one, with the mean strength; a tie has 0.5, whichever side it leans to.
    - Different preferences, the one for an answer and the other for a tie among them: flipped. That is a tie of
      strength 0.5, however strongly either side was taken: the order was stronger.
    - Invalid ones are left out; where no valid one is left, it is invalid.

    "Both bad" prefers neither, as a tie does; all have to say it for it to be the verdict.
    """
    valid = [each for each in said if each.verdict != "invalid"]
    if not valid:
        return Settled("invalid", UNDECIDED)
    if len({PREFERENCES[each.verdict] for each in valid}) > 1:
        return Settled("tie", UNDECIDED, flipped=True)
    verdict = valid[0].verdict
    if verdict in ("a", "b"):
        return Settled(verdict, round(sum(each.strength for each in valid) / len(valid), 6))
    return Settled(verdict if len({each.verdict for each in valid}) == 1 else "tie", UNDECIDED)
