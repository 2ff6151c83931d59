"""How near answers come to references, by measures that are shown and never decided by.

In MedHELM (Bedi et al., 2025) ROUGE-L agreed with clinicians less than an LLM jury did, .36 against .47.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from align.probes.rouge import ngrams, rouge_l, rouge_n, words
from align.resampling import SEED, expanded_percentiles, mean_interval
from annotate.bootstrap import Estimate, FloatArray, resampled_sums

SHOWN_ONLY = (
    "shown, never decided by: likeness to a reference agrees little with clinicians"
    " (MedHELM: ROUGE-L .36, an LLM jury .47)"
)
REPEATED = 4  # words that count as a repetition where they come again


class Referred(NamedTuple):
    """One answer and the reference of its prompt."""

    prompt: str  # id
    answer: str
    reference: str


@dataclass(frozen=True)
class ReferenceQuality:
    """One model's answers beside references; intervals are over prompts."""

    n: int  # prompts
    bleu: Estimate  # of the corpus, 0 to 100 (Papineni et al., 2002; Post, 2018)
    bleu_signature: str  # how sacrebleu counted
    rouge1: Estimate  # F1, in [0, 1], as the others
    rouge2: Estimate
    rouge_l: Estimate
    words: Estimate  # of an answer
    repetition: Estimate  # share of an answer's sequences of four words that occurred in it before
    perplexity: Estimate | None  # of the references, over all their tokens; None: not measured

    def text(self) -> str:
        """For people."""
        lines = [
            f"beside {self.n} references: BLEU {_shown(self.bleu, 1)}, ROUGE-1 {_shown(self.rouge1, 3)},"
            f" ROUGE-2 {_shown(self.rouge2, 3)}, ROUGE-L {_shown(self.rouge_l, 3)}",
            f"answers: {_shown(self.words, 0)} words, repetition {_shown(self.repetition, 3)}",
        ]
        if self.perplexity:
            lines.append(f"perplexity of the references {_shown(self.perplexity, 2)}")
        return "\n".join([*lines, SHOWN_ONLY])


def reference_quality(
    answers: Sequence[Referred],
    likelihoods: Mapping[str, tuple[float, int]] | None = None,
    *,
    resamples: int = 1_000,
    confidence: float = 0.95,
) -> ReferenceQuality | None:
    """The measures of one model's answers; None for no answer.

    Args:
        answers: one or more a prompt; a prompt counts by the mean over its answers.
        likelihoods: summed log-probability and number of tokens of the reference, by prompt id
            (`likelihood.completion_logprobs`).
        resamples: of the prompts.
        confidence: of the intervals.
    """
    if not answers:
        return None
    by_prompt: dict[str, list[Referred]] = defaultdict(list)
    for each in answers:
        by_prompt[each.prompt].append(each)
    grouped = list(by_prompt.values())
    measured = np.array([np.mean([_measures(each) for each in of], axis=0) for of in grouped])

    def mean(column: int) -> Estimate:
        values = measured[:, column]
        bounds = (0.0, max(1.0, 2 * float(values.max())))  # words have no upper one: where all are as many, twice that
        low, high = mean_interval(values, resamples, confidence, bounds)
        return Estimate(float(values.mean()), low, high, len(answers), len(values))

    bleu, signature = _bleu(grouped, resamples, confidence)
    return ReferenceQuality(
        n=len(grouped),
        bleu=bleu,
        bleu_signature=signature,
        rouge1=mean(0),
        rouge2=mean(1),
        rouge_l=mean(2),
        words=mean(3),
        repetition=mean(4),
        perplexity=perplexity_estimate(likelihoods, resamples=resamples, confidence=confidence),
    )


def perplexity_estimate(
    likelihoods: Mapping[str, tuple[float, int]] | None, *, resamples: int = 1_000, confidence: float = 0.95
) -> Estimate | None:
    """The perplexity over all tokens of all texts, by their prompts' ids; None where there is no token."""
    told = [each for each in (likelihoods or {}).values() if each[1]]
    if not told:
        return None
    parts = np.array(told, dtype=float)
    return _of_sums(parts, lambda sums: np.exp(-sums[..., 0] / sums[..., 1]), len(told), resamples, confidence)


def repetition(text: Sequence[str]) -> float:
    """The share of sequences of four words that occurred before, in [0, 1]; 0 where there are none."""
    sequences = ngrams(text, REPEATED)
    return 1 - len(set(sequences)) / len(sequences) if sequences else 0.0


def _measures(each: Referred) -> tuple[float, ...]:
    answer, reference = words(each.answer), words(each.reference)
    overlaps = (rouge_n(answer, reference, 1), rouge_n(answer, reference, 2), rouge_l(answer, reference))
    return (*overlaps, float(len(each.answer.split())), repetition(answer))


def _bleu(grouped: Sequence[Sequence[Referred]], resamples: int, confidence: float) -> tuple[Estimate, str]:
    """BLEU over all answers, and how it was counted. What prompts add to its counts is resampled."""
    from sacrebleu.metrics.bleu import BLEU

    of_sentence, of_corpus = BLEU(effective_order=True), BLEU()
    parts = np.zeros((len(grouped), 10))
    for row, of in enumerate(grouped):
        for each in of:
            found = of_sentence.sentence_score(each.answer, [each.reference])
            parts[row] += [*found.counts, *found.totals, found.sys_len, found.ref_len]

    def value(sums: FloatArray) -> FloatArray:
        return np.array([_corpus_bleu(BLEU, each) for each in np.atleast_2d(sums)])

    answers = [each for of in grouped for each in of]
    whole = of_corpus.corpus_score([each.answer for each in answers], [[each.reference for each in answers]])
    spread = _of_sums(parts, value, len(answers), resamples, confidence)
    return Estimate(whole.score, spread.low, spread.high, len(answers), len(grouped)), str(of_corpus.get_signature())


def _corpus_bleu(bleu: Any, sums: FloatArray) -> float:
    counted = [round(each) for each in sums]
    found = bleu.compute_bleu(counted[:4], counted[4:8], counted[8], counted[9], smooth_method="exp")
    return float(found.score)


def _of_sums(
    parts: FloatArray,
    value: Callable[[FloatArray], FloatArray],
    n_items: int,
    resamples: int,
    confidence: float,
) -> Estimate:
    """A statistic of the sums of ``parts`` [prompts, d]; no interval for one prompt."""
    (estimate,) = np.atleast_1d(value(parts.sum(axis=0)))
    if len(parts) < 2:
        return Estimate(float(estimate), None, None, n_items, len(parts))
    resampled = value(resampled_sums(parts, resamples, np.random.default_rng(SEED)))
    low, high = expanded_percentiles(resampled, len(parts), confidence)
    return Estimate(float(estimate), low, high, n_items, len(parts))


def _shown(estimate: Estimate, digits: int) -> str:
    figures = (estimate.estimate, estimate.low, estimate.high)
    value, low, high = ("?" if each is None else f"{each:.{digits}f}" for each in figures)
    return value if estimate.low is None else f"{value} [{low}, {high}]"
