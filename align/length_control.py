"""Win rates as they would be if both answers were of the same length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.length_glm import Judged, LengthFit, LengthModel
from align.resampling import drawn_prompts, expanded_percentiles
from annotate.bootstrap import FloatArray, IntArray

RESAMPLES = 500
ROUGHLY = 1e-4  # log odds: far below what resamples differ by
LEAST_PROMPTS = 10  # below, a regression says nothing


@dataclass(frozen=True)
class LengthControlled:
    """A win rate without what the judge gives for length alone, and how much that is.

    ``length_effect``: by how much the log odds of a win rise where the answer is much longer than the opponent's rather
    than as long.
    """

    win_rate: float
    low: float
    high: float
    confidence: float
    n_prompts: int
    n_models: int  # that the length effect was fitted on
    length_effect: float
    length_effect_low: float
    length_effect_high: float

    def text(self) -> str:
        """One phrase for people."""
        return f"{self.win_rate:.1%} [{self.low:.1%}, {self.high:.1%}] at equal length"


def length_controlled(
    judged: Judged,
    model: int = 0,
    difficulty: FloatArray | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> LengthControlled | None:
    """The length-controlled win rate of one of the models in ``judged`` (Dubois et al., 2024), on any prompt set.

    A logistic model of the verdicts (`length_glm.LengthFit`) predicts them for answers that are as long as the
    opponent's; the win rate is the mean of these predictions over the model's prompts. The interval is from a bootstrap
    over prompts, the whole model being fitted anew to each resample. (The standard error that AlpacaEval publishes is
    that of the predictions, which leaves out that they are fitted: it is several times too small.)

    Fitted to the six models of AlpacaEval 2 of which we have the verdicts, with nothing known of the prompts, it comes
    within 1.6 points of the published win rates, whose fit had more models and two variants of the baseline.

    Args:
        judged: contests of one or more models against one opponent.
        model: which of them.
        difficulty: what is known of the prompts [prompts], in log odds.
        resamples: of the prompts.
        confidence: of the intervals.

    Returns:
        None where fewer than 10 prompts have a verdict on the model.
    """
    found = each_length_controlled(judged, (model,), difficulty, resamples=resamples, confidence=confidence)
    return found.get(model)


def each_length_controlled(
    judged: Judged,
    models: Sequence[int],
    difficulty: FloatArray | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> dict[int, LengthControlled]:
    """The same for several of the models, by their numbers, from one fit: it costs no more than for one."""
    asked = {model: np.unique(judged.prompt[judged.model == model]) for model in models}
    asked = {model: prompts for model, prompts in asked.items() if len(prompts) >= LEAST_PROMPTS}
    if not asked:
        return {}
    fit = LengthFit(judged, difficulty)
    found, ended = fit.fitted()
    drawn_rates: dict[int, list[tuple[float, float]]] = {model: [] for model in asked}
    for drawn in drawn_prompts(judged.n_prompts, resamples):
        again, _ = fit.fitted(drawn, ended, ROUGHLY)
        for model, prompts in asked.items():
            chosen = np.repeat(prompts, drawn[prompts])
            if len(chosen):
                drawn_rates[model].append((again.rate(model, chosen), float(again.length[model])))
    return {
        model: _controlled(found, judged, model, np.array(drawn_rates[model]), confidence=confidence) for model in asked
    }


def _controlled(
    found: LengthModel, judged: Judged, model: int, drawn: FloatArray, *, confidence: float
) -> LengthControlled:
    """From a fit, and the rates and length effects of its resamples [resamples, 2]."""
    prompts = np.unique(judged.prompt[judged.model == model])
    low, high = expanded_percentiles(drawn[:, 0], len(prompts), confidence)
    effect_low, effect_high = expanded_percentiles(drawn[:, 1], len(prompts), confidence)
    return LengthControlled(
        win_rate=found.rate(model, prompts),
        low=low,
        high=high,
        confidence=confidence,
        n_prompts=len(prompts),
        n_models=judged.n_models,
        length_effect=float(found.length[model]),
        length_effect_low=effect_low,
        length_effect_high=effect_high,
    )


def from_weights(worth: float, slope: float, difficulty: FloatArray) -> float:
    """The length-controlled win rate that published weights amount to, given the ``difficulty`` [prompts]."""
    whole = LengthModel(np.array([worth]), np.zeros(1), np.array([slope]), difficulty)
    everything: IntArray = np.arange(len(difficulty))
    return whole.rate(0, everything)
