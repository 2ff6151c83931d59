"""How far a judge can be relied on: with itself, with surgeons, and at its word. Each with an interval over prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate.agreement import CohenKappa, KrippendorffAlpha, RawAgreement
from annotate.bootstrap import BoolArray, Estimate, FloatArray, IntArray, Sums, ratio, ratio_of_sums
from annotate.passport_columns import VALUE, Columns, Resampling
from annotate.passport_contests import JudgedContest
from annotate.settle import preference

BINS = 5  # of the judge's confidence, from 0.5 to 1


def retest_agreement(contests: Sequence[JudgedContest], prompts: IntArray, by: Resampling) -> Estimate:
    """The share of pairs of samples of one question, in one order, that prefer the same.

    Repetition stability (Shi et al., 2024) over pairs instead of against the commonest, which is the higher the fewer
    the samples. An invalid sample is not compared.
    """
    samples, groups = [], []
    for contest, prompt in zip(contests, prompts, strict=True):
        for first, others in ((contest.ab, contest.retests_ab), (contest.ba, contest.retests_ba)):
            if others:
                samples.append([VALUE[preference(each)] for each in (first, *others)])
                groups.append(int(prompt))
    width = max(map(len, samples), default=2)
    ratings = np.array([[*each, *[np.nan] * (width - len(each))] for each in samples], dtype=float).reshape(-1, width)
    return by.agreement(RawAgreement(), ratings, np.array(groups, dtype=np.int64))


def invalid_share(contests: Sequence[JudgedContest], prompts: IntArray, by: Resampling) -> Estimate:
    """The share of verdicts asked for that are invalid, retests apart."""
    counts = [(each.ab, each.ba).count("invalid") for each in contests]
    return by.of(_share_of_asked(contests, counts), prompts)


def invalid_by_cause(contests: Sequence[JudgedContest], prompts: IntArray, by: Resampling) -> dict[str, Estimate]:
    """The same by cause, without its details (what follows a colon); the commonest first."""
    causes = [[cause.partition(":")[0] for cause in each.causes] for each in contests]
    kinds = sorted({cause for each in causes for cause in each})
    found = {kind: by.of(_share_of_asked(contests, [each.count(kind) for each in causes]), prompts) for kind in kinds}
    return dict(sorted(found.items(), key=lambda each: -(each[1].estimate or 0)))


def _share_of_asked(contests: Sequence[JudgedContest], counts: Sequence[int]) -> Sums:
    asked = [(each.ab is not None) + (each.ba is not None) for each in contests]
    return ratio_of_sums(np.array(counts, dtype=float), np.array(asked, dtype=float))


@dataclass(frozen=True)
class SurgeonAgreement:
    """How far the judge's verdicts, both orders taken together, are the surgeons' (a, b or neither).

    Attributes:
        raw: share of contests with the same verdict
        kappa: Cohen's kappa
        alpha: Krippendorff's alpha, ordinal: a tie is between the two preferences
        worst: raw agreement if each contest without a valid verdict by the judge counts against it
        best: if it counts for it
    """

    raw: Estimate
    kappa: Estimate
    alpha: Estimate
    worst: float | None
    best: float | None


def surgeon_agreement(columns: Columns, by: Resampling, among: BoolArray | None = None) -> SurgeonAgreement:
    """Agreement with surgeons over the contests ``among`` all."""
    chosen = ~np.isnan(columns.surgeon) if among is None else among & ~np.isnan(columns.surgeon)
    ratings = np.stack([columns.verdict, columns.surgeon], axis=1)[chosen]
    prompts = columns.prompts[chosen]
    same, invalid = int((ratings[:, 0] == ratings[:, 1]).sum()), int(np.isnan(ratings[:, 0]).sum())
    total = len(ratings)
    return SurgeonAgreement(
        raw=by.agreement(RawAgreement(), ratings, prompts),
        kappa=by.agreement(CohenKappa(), ratings, prompts),
        alpha=by.agreement(KrippendorffAlpha("ordinal"), ratings, prompts),
        worst=same / total if total else None,
        best=(same + invalid) / total if total else None,
    )


@dataclass(frozen=True)
class ReliabilityBin:
    """Contests in which the judge was about as confident: how often it was right."""

    low: float
    high: float
    n_items: int
    confidence: float  # mean
    accuracy: float
    accuracy_low: float | None = None  # of its interval; None where the contests cannot carry one
    accuracy_high: float | None = None


@dataclass(frozen=True)
class Calibration:
    """Does strength mean what it says? Against the verdicts that surgeons decided.

    The confidence is that in the preferred answer, from 0.5 up; with no preference (strength 0.5) the judge is half
    right.

    Attributes:
        error: expected calibration error, the mean distance of accuracy and confidence over bins of the confidence
            (Naeini et al., 2015; Guo et al., 2017); biased upwards where bins hold few
        brier: mean squared distance of strength and outcome (Brier, 1950); always saying 0.5 gives 0.25
        bins: the reliability diagram
    """

    error: Estimate
    brier: Estimate
    bins: tuple[ReliabilityBin, ...]


def calibration(columns: Columns, by: Resampling) -> Calibration:
    """How strength and surgeons' verdicts go together."""
    counts = ~np.isnan(columns.strength) & (np.nan_to_num(columns.surgeon) != 0)
    lean = np.round(np.where(counts, columns.strength - 0.5, 0.0), 9)  # 0.7 and 1 - 0.3 are one strength
    surgeon = np.nan_to_num(columns.surgeon)
    confidence, right = 0.5 + np.abs(lean), (1 + np.sign(lean) * surgeon) / 2
    place = np.minimum(np.floor(np.round(np.abs(lean) * 2 * BINS, 6)), BINS - 1)
    within = (place[:, None] == np.arange(BINS)) & counts[:, None]
    parts = np.concatenate([within, within * right[:, None], within * confidence[:, None]], axis=1).astype(float)
    error = Sums(parts, counts, _calibration_error)
    brier = ratio_of_sums(np.where(counts, (lean + 0.5 - (1 + surgeon) / 2) ** 2, 0.0), 1.0 * counts, share=False)
    rates = [by.of(ratio_of_sums(each * right, 1.0 * each), columns.prompts) for each in within.T]
    bins = _bins(parts.sum(axis=0), rates)
    return Calibration(by.of(error, columns.prompts), by.of(brier, columns.prompts), bins)


def _calibration_error(sums: FloatArray) -> FloatArray:
    n, right, confidence = sums[..., :BINS], sums[..., BINS : 2 * BINS], sums[..., 2 * BINS :]
    return ratio(np.abs(right - confidence).sum(axis=-1), n.sum(axis=-1))


def _bins(sums: FloatArray, rates: Sequence[Estimate]) -> tuple[ReliabilityBin, ...]:
    n, right, confidence = sums.reshape(3, BINS).tolist()
    edges = [round(0.5 + at / (2 * BINS), 6) for at in range(BINS + 1)]
    return tuple(
        ReliabilityBin(
            edges[at],
            edges[at + 1],
            int(n[at]),
            confidence[at] / n[at],
            right[at] / n[at],
            rates[at].low,
            rates[at].high,
        )
        for at in range(BINS)
        if n[at]
    )
