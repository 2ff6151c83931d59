"""One training pair's way back, read when it is asked for: its question, its answers, and every rating behind it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from annotate.assessor_kinds import SURGEON
from ledger.queries import utc
from ledger.records import Candidate, Comparison, Pair, Prompt
from ledger.store import Ledger
from ledger.tables import comparisons, training_pairs

CHOSEN, REJECTED = "the chosen answer", "the rejected answer"
WORDS = {"tie": "tie", "both_bad": "both bad", "invalid": "invalid"}


@dataclass(frozen=True)
class ListedPair:
    """A pair in a list."""

    id: str
    question: str
    weight: float  # probability that chosen is better
    ratings: int


@dataclass(frozen=True)
class PairRating:
    """One comparison behind a pair, said of the chosen and the rejected answer."""

    assessor: str  # surgeons are not told apart
    better: str
    strength: float | None  # P(the answer that was chosen is better); None where the verdict is invalid
    rubric: str
    said: str  # why
    when: str  # UTC, ISO 8601
    id: str


@dataclass(frozen=True)
class PairWayBack:
    """Everything that one pair rests on."""

    pair: Pair
    prompt: Prompt
    chosen: Candidate
    rejected: Candidate
    ratings: tuple[PairRating, ...]


def listed_pairs(ledger: Ledger, model: str, start: int, n: int) -> list[ListedPair]:
    """``n`` of the pairs that a model was trained on, from the ``start``-th on."""
    of_model = sa.select(training_pairs.c.pair).where(training_pairs.c.model == model)
    some = of_model.order_by(training_pairs.c.row).offset(start).limit(n)
    found = ledger.get_many(Pair, [each.pair for each in ledger.rows(some)]).values()
    asked = ledger.get_many(Prompt, {pair.prompt for pair in found})
    return [ListedPair(pair.id, asked[pair.prompt].question, pair.weight, len(pair.comparisons)) for pair in found]


def way_back(ledger: Ledger, pair_id: str) -> PairWayBack:
    """From a pair to its ratings.

    Raises:
        InputError: there is no such pair.
    """
    pair = ledger.get(Pair, pair_id)
    return PairWayBack(
        pair,
        ledger.get(Prompt, pair.prompt),
        ledger.get(Candidate, pair.chosen),
        ledger.get(Candidate, pair.rejected),
        tuple(_ratings(ledger, pair)),
    )


def _ratings(ledger: Ledger, pair: Pair) -> list[PairRating]:
    row = comparisons.c
    written = {each.id: each.at for each in ledger.rows(sa.select(row.id, row.at).where(row.id.in_(pair.comparisons)))}
    said = ledger.get_many(Comparison, pair.comparisons)
    return [_rating(each, pair, utc(written[each.id])) for each in said.values()]


def _rating(said: Comparison, pair: Pair, when: str) -> PairRating:
    roles = {pair.chosen: CHOSEN, pair.rejected: REJECTED}
    preferred = {"a": said.a, "b": said.b}.get(said.verdict)
    better = WORDS[said.verdict] if preferred is None else roles.get(preferred, "another answer")
    for_chosen = said.strength if said.a == pair.chosen else 1 - said.strength
    about_both = {said.a, said.b} == set(roles) and said.verdict != "invalid"
    return PairRating(
        assessor="a surgeon" if said.assessor.startswith(SURGEON) else said.assessor,
        better=better,
        strength=for_chosen if about_both else None,
        rubric=said.rubric,
        said=said.cause or said.rationale,
        when=when,
        id=said.id,
    )
