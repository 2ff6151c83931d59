"""Which contests are sent to surgeons, in which queue, and with what chance.

Each push is a sample survey of its own. It fills its queues one after the other, in the order of `ORDER`; a contest is
in one of them at most, and the next push may draw it for another. The probability stored with it is its chance, given
what this push had drawn for the queues before. Estimates hold with it as follows (Horvitz & Thompson, 1952):

- *calibration* is a simple random sample of everything, and *random* one of what is left of what was never in that
  queue. Leaving out a simple random sample favours nobody, so a mean over *random* by itself is unbiased, for any kind
  of contest. This is why *random* is drawn before *safety*, which would take all the dangerous ones out of its reach;
  what *random* takes of them is asked all the same.
- *safety* and *routed* are drawn from what the queues before them have left. The total of some ``y`` over all that such
  a queue could have held is estimated without bias by the sum of ``y / p`` over the queue and of ``y`` over those that
  the same push drew before it.
- What an earlier push has sent to a queue is a stratum that is known in full: it is counted as it is, and the later
  push speaks for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import ceil, nan

from annotate.review.draws import Key, proportional, simple_random
from ledger.config import ReviewConfig
from ledger.records import Mode, Queue

ORDER: tuple[Queue, ...] = ("calibration", "random", "safety", "routed")

LEAST_DOUBT = 0.05  # so that what the judges are sure of is asked now and then
LOW_STRENGTH = 0.5  # the doubt from which a verdict is called weak: P(a is better) between 0.25 and 0.75
EVEN = 0.5
NO_ROUNDING = 1e-9  # a share of the ratings that comes to 41.99999999999999 is 42


@dataclass(frozen=True)
class Reviewable:
    """A contest that surgeons may be asked about, and what is known of it.

    Raises:
        ValueError: the answers are out of order or one, or the strength is no probability.
    """

    prompt: str  # content ids
    a: str
    b: str
    mode: Mode
    topic: str
    flipped: bool  # a judge's preference changed with the order of the answers
    disagree: bool  # the judges of a panel differ
    strength: float | None  # mean of the judges' P(a is better); None: nobody judged it
    safety: bool  # it is on a safety probe, or somebody flagged a possible harm
    certified: bool = False  # the judge may decide it alone (`annotate/routing.py`)
    failed: bool = False  # an answer to a safety probe harms, or refuses what is harmless, as the judges see it

    def __post_init__(self) -> None:
        if not self.a < self.b:
            raise ValueError("a contest's answers are two, in the order of their ids")
        if self.strength is not None and not 0 <= self.strength <= 1:
            raise ValueError(f"a strength lies between 0 and 1, which {self.strength} does not")

    @property
    def key(self) -> Key:
        """Its answers, which no other contest has."""
        return self.a, self.b

    @property
    def confidence(self) -> float:
        """The judges' in what they prefer; NaN where they prefer neither, or do not agree, or flipped."""
        if self.flipped or self.disagree or self.strength is None or self.strength == EVEN:
            return nan
        return max(self.strength, 1 - self.strength)

    @property
    def doubt(self) -> float:
        """How much there is to learn from asking a surgeon, in [`LEAST_DOUBT`, 1]."""
        if self.certified:
            return LEAST_DOUBT
        if self.flipped or self.disagree or self.strength is None:
            return 1.0
        return max(LEAST_DOUBT, 1 - 2 * abs(self.strength - 0.5))


@dataclass(frozen=True)
class Selected:
    """A contest that is sent to a queue."""

    contest: Reviewable
    queue: Queue
    selection_probability: float  # given what the same push drew for the queues before
    why: str


def select(
    reviewable: Sequence[Reviewable], taken: Mapping[Queue, Set[Key]], sizes: Mapping[Queue, int], seed_text: str
) -> list[Selected]:
    """What one push sends, queue by queue; every queue gets its size, or all there is.

    Args:
        reviewable: all that could be sent, each contest once.
        taken: the answers (a, b) of the contests that earlier pushes sent to each queue. Nothing is sent there again,
            and *calibration* is filled once only.
        sizes: how many contests each queue gets (`sizes_of`).
        seed_text: what the randomness is drawn from; it must name the push.

    Raises:
        ValueError: a contest stands twice in ``reviewable``.
    """
    contests = {each.key: each for each in reviewable}
    if len(contests) < len(reviewable):
        raise ValueError("a contest stands twice among those to choose from")
    selected: dict[Key, Selected] = {}
    for queue in ORDER:
        frame = [each for each in contests.values() if each.key not in selected and _open(queue, each, taken)]
        for key, probability in _draw(queue, frame, sizes.get(queue, 0), f"{queue}, {seed_text}").items():
            selected[key] = Selected(contests[key], queue, probability, _why(queue, contests[key]))
    return list(selected.values())


def _open(queue: Queue, contest: Reviewable, taken: Mapping[Queue, Set[Key]]) -> bool:
    before = taken.get(queue, frozenset())
    if queue == "calibration":
        return not before
    return contest.key not in before and (queue != "safety" or contest.safety)


def _draw(queue: Queue, frame: Sequence[Reviewable], n: int, seed: str) -> dict[Key, float]:
    if queue == "routed":
        return proportional({each.key: each.doubt for each in frame}, n, seed)
    if queue == "safety":
        first = simple_random((each.key for each in frame if each.failed), n, f"failed, {seed}")
        return first | simple_random((each.key for each in frame if not each.failed), n - len(first), seed)
    return simple_random((each.key for each in frame), n, seed)


def _why(queue: Queue, contest: Reviewable) -> str:
    if queue == "routed":
        return _doubt_in_words(contest)
    safety = "failed a safety probe" if contest.failed else "safety probe or possible harm"
    return {"calibration": "rated by everyone", "safety": safety}.get(queue, "random sample")


def _doubt_in_words(contest: Reviewable) -> str:
    reasons = [("judge flipped", contest.flipped), ("judges disagree", contest.disagree)]
    if said := [words for words, holds in reasons if holds]:
        return ", ".join(said)
    if contest.strength is None:
        return "not judged"
    return "low strength" if contest.doubt >= LOW_STRENGTH else "spot check of a clear verdict"


def sizes_of(config: ReviewConfig, surgeons: int, first: bool) -> dict[Queue, int]:
    """How many contests a push sends to each queue, for the surgeons' minutes.

    A contest costs a rating by each surgeon of its queue's overlap, which is no more than there are surgeons. The
    ``first`` push takes the calibration items and their hidden repeats off the top, one rating each by every surgeon,
    as many items as the minutes allow. The minutes are never overspent.
    """
    ratings = config.minutes * 60 // config.seconds_per_rating
    if surgeons <= 0:
        return dict.fromkeys(ORDER, 0)
    calibration = _calibration(config, ratings // surgeons) if first else 0
    ratings -= surgeons * (calibration + repeats_of(calibration, config.repeats))

    def size(share: float, overlap: int) -> int:
        return int(ratings * share / min(overlap, surgeons) + NO_ROUNDING)

    return {
        "calibration": calibration,
        "random": size(config.random, config.overlap_random),
        "safety": size(config.safety, config.overlap_safety),
        "routed": size(config.routed, config.overlap_routed),
    }


def repeats_of(items: int, share: float) -> int:
    """How many of so many calibration items are asked again; one at least where the share is not 0."""
    return min(items, ceil(items * share - NO_ROUNDING))


def _calibration(config: ReviewConfig, each: int) -> int:
    """The most items, up to the configured number, that with their repeats are no more than ``each`` surgeon rates."""
    allowed = (n for n in range(config.calibration, 0, -1) if n + repeats_of(n, config.repeats) <= each)
    return next(allowed, 0)
