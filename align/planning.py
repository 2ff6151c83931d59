"""How many surgeons' ratings, and minutes, it takes to tell a win rate from one half."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from statistics import NormalDist
from typing import Any

import numpy as np
import sqlalchemy as sa

from align.prediction_powered import LEAST_PROMPTS, Contests
from align.surgeon_sample import surgeon_sample
from annotate.assessor_kinds import SURGEON
from ledger.config import ReviewConfig
from ledger.errors import InputError
from ledger.records import Prompt
from ledger.store import Ledger
from ledger.tables import comparisons, prompts
from ledger.workspace import Workspace

ASSUMED_DEVIATION = 0.5  # the most there can be: no ties, and the surgeons of an item always agree
ASSUMED_CORRELATION = 0.5
MANY = 2  # where the held-out questions are too few, the plan is for this many times the least number
DIFFERENCE = re.compile(r"\s*(\d*\.?\d+)\s*(pt|pts|pp|%|)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Spread:
    """What a plan rests on.

    Attributes:
        deviation: standard deviation of an item's score, the mean of its surgeons', between 0 and 1
        correlation: of the judge's scores with these
        questions: held-out ones, on which the judge gives a verdict
        measured: on so many questions; 0: assumed
    """

    deviation: float
    correlation: float
    questions: int
    measured: int = 0


@dataclass(frozen=True)
class Need:
    """What surgeons would have to do."""

    items: int  # of the random queue
    ratings: int
    minutes: int  # of all surgeons together


@dataclass(frozen=True)
class Plan:
    """What it takes to detect a difference."""

    difference: float
    power: float
    confidence: float
    spread: Spread
    questions: int  # held-out ones that it takes, whoever rates them
    alone: Need
    together: Need

    def text(self) -> str:
        """For people."""
        spread = self.spread
        source = f"measured on {spread.measured} questions" if spread.measured else "assumed"
        lines = [
            f"To tell a win rate of {0.5 + self.difference:.1%} from 50%, with power {self.power:.0%} and intervals of "
            f"{self.confidence:.0%}:",
            f"  surgeons alone      {_in_words(self.alone)}",
            f"  with the judge      {_in_words(self.together)}",
            f"standard deviation of an item's score {spread.deviation:.2f}, correlation with the judge "
            f"{spread.correlation:.2f}: {source}",
        ]
        if spread.questions < self.questions:
            lines.append(
                f"there are {spread.questions} held-out questions, and it takes {self.questions} at least; "
                f"with the judge is for {MANY * self.questions}"
            )
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self)


def _in_words(need: Need) -> str:
    return f"{need.items} items, {need.ratings} ratings, {need.minutes} minutes ({need.minutes / 60:.1f} hours)"


def parsed_difference(text: str) -> float:
    """A difference of a win rate from one half: "3pt", "3%" and "0.03" are the same.

    Raises:
        InputError: it is none, or not between 0 and one half.
    """
    matched = DIFFERENCE.fullmatch(text)
    value = float(matched[1]) / (100 if matched[2] else 1) if matched else 0.0
    if not 0 < value < 0.5:
        raise InputError(
            f"{text!r} is no difference between 0 and 50 points", where="--detect", advice="say 3pt, 3% or 0.03"
        )
    return value


def planned(difference: float, spread: Spread, review: ReviewConfig, *, power: float, confidence: float) -> Plan:
    """What it takes for an interval to leave one half out, with the chance ``power``, at this ``difference`` from it.

    For one contest a question, drawn into the random queue. With n items the variance of the surgeons' mean is s^2 / n,
    and with the judge s^2 ((1 - r^2) / n + r^2 / N) over N judged questions (Angelopoulos, Duchi & Zrnic, 2023): the
    judge saves ratings, not questions. Half the squared normal quantile is added for Student's t (Guenther, 1981).

    Raises:
        InputError: the power or the correlation is out of range.
    """
    if not 0.5 <= power < 1:
        raise InputError(f"a power of {power} is not between 0.5 and 1", where="--power", advice="say 0.8")
    if not 0 <= spread.correlation < 1:
        raise InputError(
            f"a correlation of {spread.correlation} is not between 0 and 1", where="--correlation", advice="say 0.5"
        )
    two_sided = NormalDist().inv_cdf((1 + confidence) / 2)
    per_item = (spread.deviation * (two_sided + NormalDist().inv_cdf(power)) / difference) ** 2
    added = two_sided**2 / 2
    alone = per_item + added
    least = max(LEAST_PROMPTS, ceil(alone))
    judged = spread.questions if spread.questions >= least else MANY * least
    known = spread.correlation**2
    together = per_item * (1 - known) / (1 - known * per_item / judged) + added
    return Plan(
        difference=difference,
        power=power,
        confidence=confidence,
        spread=spread,
        questions=least,
        alone=_need(alone, review),
        together=_need(min(together, alone), review),
    )


def _need(items: float, review: ReviewConfig) -> Need:
    number = max(LEAST_PROMPTS, ceil(items))
    ratings = number * review.overlap_random
    return Need(number, ratings, ceil(ratings * review.seconds_per_rating / 60))


def plan(workspace: Workspace, difference: float, *, power: float = 0.8, correlation: float | None = None) -> Plan:
    """A plan by what the ledger holds, and by assumptions where that is not enough.

    Raises:
        InputError: a number is out of range.
    """
    config = workspace.config
    spread = spread_in(workspace, correlation)
    return planned(difference, spread, config.review, power=power, confidence=config.evaluate.confidence)


def spread_in(workspace: Workspace, correlation: float | None = None) -> Spread:
    """As measured on the two models that surgeons rated most on held-out questions; else assumed.

    A ``correlation`` that is given takes the measured one's place.
    """
    ledger = workspace.ledger
    questions = ledger.count(Prompt, prompts.c.split == "eval")
    pair = _most_rated(ledger)
    contests = surgeon_sample(ledger, workspace.config.judge, *pair).contests if pair else None
    measured = _measured(contests) if contests else None
    if contests is None or measured is None:
        assumed = ASSUMED_CORRELATION if correlation is None else correlation
        return Spread(ASSUMED_DEVIATION, assumed, questions)
    deviation, n = measured
    seen = max(contests.correlation() or 0.0, 0.0) if correlation is None else correlation
    return Spread(deviation, seen, questions, n)


def _measured(contests: Contests) -> tuple[float, int] | None:
    """The deviation, and on how many questions; None where they are too few, or do not differ."""
    rated = contests.rated
    n = len({prompt for prompt, said in zip(contests.prompt, rated, strict=True) if said})
    if n < LEAST_PROMPTS:
        return None
    weights, scores = contests.weights[rated], contests.surgeon[rated]
    variance = float(np.average((scores - np.average(scores, weights=weights)) ** 2, weights=weights))
    return (variance**0.5, n) if variance > 0 else None


def _most_rated(ledger: Ledger) -> tuple[str, str] | None:
    row = comparisons.c
    held_out = sa.select(prompts.c.id).where(prompts.c.split == "eval")
    query = sa.select(row.model_a, row.model_b, sa.func.count().label("n")).where(
        row.assessor.startswith(SURGEON), row.item.is_not(None), row.model_a != row.model_b, row.prompt.in_(held_out)
    )
    rows: Iterator[Any] = ledger.rows(query.group_by(row.model_a, row.model_b))
    counted = Counter[tuple[str, str]]()
    for each in rows:
        one, other = sorted((str(each.model_a), str(each.model_b)))
        if not (one.startswith(SURGEON) or other.startswith(SURGEON)):
            counted[one, other] += each.n
    return min(counted, key=lambda pair: (-counted[pair], pair)) if counted else None
