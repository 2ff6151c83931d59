"""A few surgeons' ratings and many verdicts of a judge, as one report on a model against another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from align.monitoring import confidence_sequence
from align.prediction_powered import Rate, prediction_powered, surgeons_alone
from align.rogan_gladen import CorrectedRate, corrected_by_surgeons
from align.surgeon_sample import SurgeonSample, surgeon_sample
from annotate.bootstrap import Estimate, estimated, ratio_of_sums
from ledger.records import ModelVersion
from ledger.workspace import Workspace

NO_RANDOM = "no item of a random queue is answered: what was sent in doubt speaks for itself alone"


@dataclass(frozen=True)
class Monitored:
    """The surgeons' win rate as it may be looked at every day: it holds at all times together."""

    estimate: float
    low: float
    high: float
    n_prompts: int


@dataclass(frozen=True)
class HumanAndJudge:
    """One model against another on the held-out prompts, by surgeons and by the judge.

    Attributes:
        model: ids
        opponent: the same
        assessor: the judge
        together: the surgeons' win rate, from their ratings and the judge's verdicts: the one to go by
        surgeons: the same from their ratings alone
        judge: the judge's own win rate, uncorrected, over the contests with a verdict
        corrected: the judge's, by its sensitivity and specificity (Rogan & Gladen, 1978)
        correlation: of the judge's scores with the surgeons' mean scores of the same contests, by weight
        monitored: of the random queues' prompts in the order in which they came; None before the first
        n_contests: that could be sent to surgeons
        n_surgeons: with a valid rating
        n_ratings: valid ones
        invalid: other ratings by cause; they are left out
        answered: contests with a valid rating, by queue
        unjudged: contests without a valid verdict of the judge
        newer: contests left out, since they were compared after the last push
        unsampled: surgeons' ratings left out, since the chance of asking for them is not known
    """

    model: str
    opponent: str
    assessor: str
    together: Rate
    surgeons: Rate
    judge: Estimate
    corrected: CorrectedRate
    correlation: float | None
    monitored: Monitored | None
    n_contests: int
    n_surgeons: int
    n_ratings: int
    invalid: Mapping[str, int]
    answered: Mapping[str, int]
    unjudged: int
    newer: int
    unsampled: int

    def text(self) -> str:
        """For people."""
        prompts = self.together.n_prompts
        on = f" on {prompts} prompts" if prompts else ""
        lines = [
            f"{self.together.text()} ({self.n_ratings} ratings by {self.n_surgeons} surgeons{on})",
            self.surgeons.text(),
            f"{self.assessor} alone: {_interval(self.judge.estimate, self.judge.low, self.judge.high)}",
            f"{self.assessor} corrected (Rogan-Gladen): {_corrected(self.corrected)}",
        ]
        if self.correlation is not None:
            lines.append(f"correlation of {self.assessor} with the surgeons: {self.correlation:.2f}")
        if self.monitored:
            seen = self.monitored
            lines.append(f"looked at every day: {_interval(seen.estimate, seen.low, seen.high)}")
        return "\n".join([*lines, *self._left_out()])

    def _left_out(self) -> list[str]:
        said = {
            "invalid ratings": sum(self.invalid.values()),
            "ratings outside the queues": self.unsampled,
            "contests compared after the last push": self.newer,
        }
        counted = ", ".join(f"{count} {what}" for what, count in said.items() if count)
        return [f"left out: {counted}"] if counted else []

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return asdict(self)


def human_and_judge(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> HumanAndJudge:
    """What surgeons and the judge, together and apart, say of two models on the held-out prompts.

    Raises:
        InputError: the models are one.
    """
    config = workspace.config
    sample = surgeon_sample(workspace.ledger, config.judge, model.id, opponent.id)
    confidence = config.evaluate.confidence
    contests = sample.contests
    together, surgeons = prediction_powered(contests, confidence), surgeons_alone(contests, confidence)
    corrected = corrected_by_surgeons(contests, confidence)
    if sample.ratings and not contests.rated.any():
        together, surgeons = replace(together, refused=NO_RANDOM), replace(surgeons, refused=NO_RANDOM)
        corrected = replace(corrected, refused=NO_RANDOM)
    return HumanAndJudge(
        model=model.id,
        opponent=opponent.id,
        assessor=sample.assessor,
        together=together,
        surgeons=surgeons,
        judge=_judge_alone(sample, confidence),
        corrected=corrected,
        correlation=contests.correlation(),
        monitored=_monitored(sample, confidence),
        n_contests=len(contests.share),
        n_surgeons=sample.surgeons,
        n_ratings=sample.ratings,
        invalid=sample.invalid,
        answered=sample.answered,
        unjudged=int((~sample.judged).sum()),
        newer=sample.newer,
        unsampled=sample.unsampled,
    )


def _judge_alone(sample: SurgeonSample, confidence: float) -> Estimate:
    """Each prompt counts once, by the mean over its contests with a verdict."""
    contests, judged = sample.contests, sample.judged
    shares = np.where(judged, contests.share, 0.0)
    by_prompt: dict[object, float] = {}
    for prompt, share in zip(contests.prompt, shares, strict=True):
        by_prompt[prompt] = by_prompt.get(prompt, 0.0) + share
    whole = np.array([by_prompt[prompt] or 1.0 for prompt in contests.prompt])
    sums = ratio_of_sums(shares / whole * contests.judge, shares / whole)
    return estimated(sums, contests.prompt, confidence=confidence)


def _monitored(sample: SurgeonSample, confidence: float) -> Monitored | None:
    if not sample.arrivals:
        return None
    seen = confidence_sequence(sample.arrivals, confidence)
    return Monitored(float(seen.mean[-1]), float(seen.low[-1]), float(seen.high[-1]), len(seen.mean))


def _interval(estimate: float | None, low: float | None, high: float | None) -> str:
    if estimate is None:
        return "no estimate"
    return f"wins {estimate:.1%}" if low is None or high is None else f"wins {estimate:.1%} [{low:.1%}, {high:.1%}]"


def _corrected(rate: CorrectedRate) -> str:
    if rate.refused:
        return f"no estimate, {rate.refused}"
    errors = f"sensitivity {rate.sensitivity:.2f}, specificity {rate.specificity:.2f}"
    return f"{_interval(rate.estimate, rate.low, rate.high)}, {errors}"
