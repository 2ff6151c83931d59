"""What one assessor's two verdicts on a contest, one in each order, amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ledger.records import Comparison, Verdict

UNDECIDED = 0.5  # the least strength there is
PREFERS: Mapping[Verdict, Verdict] = MappingProxyType({"a": "a", "b": "b", "tie": "tie", "both_bad": "tie"})


@dataclass(frozen=True)
class Settled:
    """Both orders taken together, in canonical terms."""

    verdict: Verdict
    strength: float  # P(a is better)
    flipped: bool = False  # did the order change the preference? A surgeon should look


def settle(ab: Comparison | None, ba: Comparison | None) -> Settled:
    """One verdict for two orders (Zheng et al., 2023: a win only if it is one in both).

    - The same preference in both: that one, with the mean strength.
    - Different preferences, the one for "a" or "b" and the other for a tie among them: flipped. That is a tie of
      strength 0.5, however strongly either side was taken: the order was stronger.
    - One order invalid, or never asked: the other one's verdict and strength.
    - Neither valid: invalid.

    "Both bad" prefers neither, as a tie does; both orders have to say it for it to be the verdict.

    Raises:
        ValueError: these are not two orders of one contest, judged by one assessor and rubric.
    """
    _check(ab, ba)
    valid = [said for said in (ab, ba) if said is not None and said.verdict != "invalid"]
    if not valid:
        return Settled("invalid", UNDECIDED)
    if len({PREFERS[said.verdict] for said in valid}) > 1:
        return Settled("tie", UNDECIDED, flipped=True)
    first, last = valid[0].verdict, valid[-1].verdict
    strength = round(sum(said.strength for said in valid) / len(valid), 6)
    return Settled(first if first == last else "tie", strength)


def _check(ab: Comparison | None, ba: Comparison | None) -> None:
    if (ab is not None and ab.order != "ab") or (ba is not None and ba.order != "ba"):
        raise ValueError("the orders are mixed up")
    if ab is None or ba is None:
        return
    if (ab.a, ab.b, ab.assessor, ab.rubric) != (ba.a, ba.b, ba.assessor, ba.rubric):
        raise ValueError("two orders of one contest, by one assessor and one rubric, are settled")
