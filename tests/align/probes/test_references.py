from __future__ import annotations

import math
from dataclasses import asdict
from importlib import import_module

import orjson
import pytest

from align.probes.references import Referred, perplexity_estimate, reference_quality, repetition
from align.probes.rouge import rouge_l, words

PAIRS = [
    ("The drain comes out on day four.", "The drain is removed on the fourth day."),
    ("Stop warfarin five days before surgery and check the INR.", "Warfarin is stopped five days before surgery."),
    ("An inguinal hernia lies above the ligament.", "An inguinal hernia lies above the inguinal ligament."),
    ("No.", "Yes, the wound can be washed after two days."),
    ("Give oxygen, call for help and look at the wound.", "Call for help, give oxygen and inspect the wound."),
]
ANSWERS = [Referred(f"p{number}", *pair) for number, pair in enumerate(PAIRS)]


def test_bleu_is_that_of_sacrebleu() -> None:
    found = reference_quality(ANSWERS)
    assert found is not None
    whole = import_module("sacrebleu").corpus_bleu([a for a, _ in PAIRS], [[r for _, r in PAIRS]])
    assert found.bleu.estimate == pytest.approx(whole.score)
    assert found.bleu.low is not None
    assert found.bleu.high is not None
    assert 0 <= found.bleu.low < whole.score < found.bleu.high <= 100
    assert found.bleu_signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")


def test_bleu_s_interval_is_near_that_of_sacrebleu() -> None:
    many = [Referred(f"{each.prompt}-{copy}", each.answer, each.reference) for copy in range(12) for each in ANSWERS]
    found = reference_quality(many)
    assert found is not None
    peer = import_module("sacrebleu.metrics.bleu").BLEU()
    score = peer.corpus_score([each.answer for each in many], [[each.reference for each in many]], n_bootstrap=1_000)
    assert found.bleu.low == pytest.approx(score._mean - score._ci, abs=1.5)
    assert found.bleu.high == pytest.approx(score._mean + score._ci, abs=1.5)


def test_bleu_without_any_common_sequence_of_four_is_smoothed_in_the_interval_too() -> None:
    found = reference_quality([Referred(f"p{each}", "out is the drain now", "the drain is out") for each in range(4)])
    assert found is not None
    assert found.bleu.estimate
    assert found.bleu.low == pytest.approx(found.bleu.estimate)


def test_a_prompt_counts_by_the_mean_over_its_answers() -> None:
    reference = "The drain is removed on the fourth day."
    twice = [Referred("p", reference, reference), Referred("p", "No", reference), Referred("q", "No", "Yes")]
    found = reference_quality(twice)
    assert found is not None
    assert found.n == 2
    assert found.rouge1.estimate == 0.25
    assert found.words.estimate == ((8 + 1) / 2 + 1) / 2
    assert (found.rouge1.n_items, found.rouge1.n_prompts) == (3, 2)


def test_means_have_intervals_over_prompts() -> None:
    found = reference_quality(ANSWERS)
    assert found is not None
    expected = sum(rouge_l(words(a), words(r)) for a, r in PAIRS) / len(PAIRS)
    assert found.rouge_l.estimate == pytest.approx(expected)
    assert found.rouge_l.low is not None
    assert found.rouge_l.high is not None
    assert found.rouge_l.low < expected < found.rouge_l.high
    narrow = reference_quality(ANSWERS, confidence=0.5)
    assert narrow is not None
    assert narrow.rouge_l.low is not None
    assert narrow.rouge_l.low > found.rouge_l.low


def test_answers_that_are_their_references() -> None:
    found = reference_quality([Referred(each.prompt, each.reference, each.reference) for each in ANSWERS])
    assert found is not None
    assert found.bleu.estimate == pytest.approx(100)
    assert found.rouge1.estimate == found.rouge2.estimate == found.rouge_l.estimate == 1.0
    assert found.rouge_l.low is not None
    assert found.rouge_l.low < 1


def test_empty_answers_are_measured_too() -> None:
    found = reference_quality([Referred("p", "", "The drain is out."), Referred("q", "", "Yes.")])
    assert found is not None
    assert found.bleu.estimate == found.rouge1.estimate == found.words.estimate == 0.0
    assert found.text()
    assert reference_quality([]) is None


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a b c d e f g", 0.0),
        ("a b c", 0.0),
        ("", 0.0),
        ("a b c d a b c d", 1 / 5),
        ("a a a a a a a a a a a a a", 0.9),
    ],
)
def test_repetition_is_the_share_of_sequences_that_came_before(text: str, share: float) -> None:
    assert repetition(text.split()) == pytest.approx(share)


def test_perplexity_is_over_tokens_and_resampled_by_prompt() -> None:
    likelihoods = {"p": (-2.0, 1), "q": (-3.0, 9), "r": (-8.0, 6), "s": (0.0, 0)}
    found = reference_quality(ANSWERS, likelihoods)
    assert found is not None
    assert found.perplexity == perplexity_estimate(likelihoods)
    assert found.perplexity is not None
    assert found.perplexity.estimate == pytest.approx(math.exp(13 / 16))
    assert found.perplexity.low is not None
    assert found.perplexity.high is not None
    assert found.perplexity.low < math.exp(13 / 16) < found.perplexity.high
    assert found.perplexity.n_prompts == 3
    assert perplexity_estimate({}) is None
    assert perplexity_estimate({"s": (0.0, 0)}) is None


def test_the_report_says_that_nothing_is_decided_by_it() -> None:
    found = reference_quality(ANSWERS, {"p": (-2.0, 1)})
    assert found is not None
    assert "never decided by" in found.text()
    assert "perplexity of the references 7.39" in found.text()
    facts = orjson.loads(orjson.dumps(asdict(found)))
    assert facts["n"] == 5
    assert facts["bleu"]["estimate"] == found.bleu.estimate
