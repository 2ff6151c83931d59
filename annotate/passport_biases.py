"""What sways a judge that should not: the order, the length, the author. Each with an interval over prompts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate.agreement import CohenKappa, RawAgreement
from annotate.bootstrap import Estimate, FloatArray, Sums, ratio, ratio_of_sums
from annotate.passport_columns import Columns, Resampling

HALVINGS = 60


@dataclass(frozen=True)
class OrderEffects:
    """What showing one answer first does, from the contests with a valid verdict in both orders.

    Attributes:
        consistency: share of contests with the same verdict in both orders (Zheng et al., 2023; position consistency
            in Shi et al., 2024)
        kappa: Cohen's kappa between the orders, since judges who nearly always say the same agree by chance (LLMBar:
            Zeng et al., 2024)
        first_place: share of the decided verdicts that are for the answer shown first; without a bias it is a half,
            whatever the answers are, as each is shown first once
        flips_to_first: share of the contests whose verdict changes with the order, from a verdict that is better for
            each answer when it comes first (primacy in Shi et al., 2024); the others are better for it in second place
    """

    consistency: Estimate
    kappa: Estimate
    first_place: Estimate
    flips_to_first: Estimate

    @property
    def bias(self) -> Estimate:
        """``first_place`` less a half: positive for the first place, negative for the second."""
        return self.first_place.minus(0.5)

    @property
    def flips_to_second(self) -> Estimate:
        """The rest of the flips."""
        return self.flips_to_first.complement()


def order_effects(columns: Columns, by: Resampling) -> OrderEffects:
    """How the order matters."""
    ratings = np.stack([columns.ab, columns.ba], axis=1)
    both = ~np.isnan(ratings).any(axis=1)
    ab, ba = np.where(both, columns.ab, 0), np.where(both, columns.ba, 0)
    first = ratio_of_sums((ab > 0) + 1.0 * (ba < 0), (ab != 0) + 1.0 * (ba != 0))
    flips = ratio_of_sums(1.0 * (ab > ba), 1.0 * (ab != ba))
    return OrderEffects(
        consistency=by.agreement(RawAgreement(), ratings, columns.prompts),
        kappa=by.agreement(CohenKappa(), ratings, columns.prompts),
        first_place=by.of(first, columns.prompts),
        flips_to_first=by.of(flips, columns.prompts),
    )


@dataclass(frozen=True)
class LengthBias:
    """What an answer's length does.

    Attributes:
        longer_wins: share of the decided contests that the longer answer wins
        surgeons_longer_wins: the same by surgeons' verdicts, on their decided contests that the judge ruled on too
        gap: how much more often the judge sides with surgeons who prefer the longer answer than with surgeons who
            prefer the shorter (after Saito et al., 2023, who take the fairness criterion of equal opportunity): what
            surgeons see in longer answers is in both, so a judge who errs without regard to length has 0
        slope: of the log-odds that an answer wins, per tanh(z) of the length difference z in standard deviations: the
            length term of Dubois et al. (2024), without their terms for models and prompts
    """

    longer_wins: Estimate
    surgeons_longer_wins: Estimate
    gap: Estimate
    slope: Estimate


def length_bias(columns: Columns, by: Resampling) -> LengthBias:
    """How the length matters."""
    also = np.where(np.isnan(columns.verdict), np.nan, columns.surgeon)
    return LengthBias(
        longer_wins=by.of(_wins(columns.longer, columns.verdict), columns.prompts),
        surgeons_longer_wins=by.of(_wins(columns.longer, also), columns.prompts),
        gap=by.of(_opportunity_gap(columns.longer, columns.verdict, columns.surgeon), columns.prompts),
        slope=by.of(_slope(columns.excess_length, columns.verdict), columns.prompts),
    )


@dataclass(frozen=True)
class SelfPreference:
    """What it does that an answer is by the judge's own family, from the contests where one of the two is.

    Attributes:
        own_wins: share of the decided contests that the own answer wins
        gap_to_surgeons: how much more often the judge sides with surgeons who prefer the own answer than with surgeons
            who prefer the other (equal opportunity, as in Wataoka et al., 2024)
        gap_to_reference: the same with a reference judge in the surgeons' place
    """

    own_wins: Estimate
    gap_to_surgeons: Estimate
    gap_to_reference: Estimate


def self_preference(columns: Columns, by: Resampling) -> SelfPreference:
    """How the author matters."""
    own, verdict = columns.own, columns.verdict
    return SelfPreference(
        own_wins=by.of(_wins(own, verdict), columns.prompts),
        gap_to_surgeons=by.of(_opportunity_gap(own, verdict, columns.surgeon), columns.prompts),
        gap_to_reference=by.of(_opportunity_gap(own, verdict, columns.reference), columns.prompts),
    )


def _wins(side: FloatArray, verdict: FloatArray) -> Sums:
    """The share of decided contests that ``side`` wins; neither sides of 0 nor unknown ones count."""
    outcome = np.nan_to_num(side * verdict)
    return ratio_of_sums(1.0 * (outcome > 0), np.abs(outcome))


def _opportunity_gap(side: FloatArray, verdict: FloatArray, truth: FloatArray) -> Sums:
    """How much oftener ``verdict`` is with ``truth`` where that is for ``side`` than where it is against it.

    A tie of the judge's counts a half; contests that the truth leaves undecided do not count (Hardt et al., 2016).
    """
    right = (1 + verdict * truth) / 2
    outcome = np.where(np.isnan(verdict), 0.0, np.nan_to_num(side * truth))
    with_side, against = outcome > 0, outcome < 0
    parts = np.stack([with_side * np.nan_to_num(right), with_side, against * np.nan_to_num(right), against], axis=1)

    def value(sums: FloatArray) -> FloatArray:
        return ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3])

    return Sums(parts.astype(float), with_side | against, value)


def _slope(excess: FloatArray, verdict: FloatArray) -> Sums:
    """The coefficient of a logistic regression without intercept: which answer is called a is no one's doing.

    A resample takes one Newton step from the estimate, which is as good as fitting it anew (k-step bootstrap: Andrews,
    2002). Undefined where the longer answer always wins, or never: no finite coefficient fits best. The standard
    deviation of the differences is that about 0, their mean in either naming.
    """
    decided = (np.nan_to_num(excess) != 0) & (np.nan_to_num(verdict) != 0)
    spread = np.sqrt(np.mean(excess[decided] ** 2)) if decided.any() else 1.0
    size = np.where(decided, np.tanh(np.nan_to_num(excess) / spread), 0.0)
    won = np.where(decided, size * np.nan_to_num(verdict), 0.0)  # positive where the longer answer won
    fitted = _fit(won) if (won > 0).any() and (won < 0).any() else np.nan
    chance = _chance_of_the_other(won, float(np.nan_to_num(fitted)))
    parts = np.stack([won * chance, won**2 * chance * (1 - chance)], axis=1)
    return Sums(parts, decided, lambda sums: fitted + ratio(sums[..., 0], sums[..., 1]))


def _fit(won: FloatArray) -> float:
    """The slope where the score, which only falls, is 0: between two bounds, halved until they meet."""
    low, high = -1.0, 1.0
    while _score(won, low) < 0:
        low *= 2
    while _score(won, high) > 0:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(won, middle) > 0 else (low, middle)
    return (low + high) / 2


def _score(won: FloatArray, slope: float) -> float:
    return float((won * _chance_of_the_other(won, slope)).sum())


def _chance_of_the_other(won: FloatArray, slope: float) -> FloatArray:
    """The probability that the model gives to what did not happen; by tanh, which cannot overflow."""
    return np.asarray((1 - np.tanh(slope * won / 2)) / 2)
