from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.probes.rouge import longest_common, rouge_l, rouge_n, words

WORDS = st.lists(st.sampled_from(["the", "Drain", "is", "removed", "on", "day", "4", "no"]), max_size=40).map(" ".join)
TEXTS = st.one_of(WORDS, st.text(max_size=80))


@pytest.fixture(scope="module")
def peer() -> Any:
    return import_module("rouge_score.rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)


def ours(answer: str, reference: str) -> list[float]:
    a, r = words(answer), words(reference)
    return [rouge_n(a, r, 1), rouge_n(a, r, 2), rouge_l(a, r)]


@settings(deadline=None, max_examples=300)
@given(TEXTS, TEXTS)
def test_figures_are_those_of_rouge_score(peer: Any, answer: str, reference: str) -> None:
    theirs = peer.score(reference, answer)
    assert ours(answer, reference) == pytest.approx([theirs[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")])


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (
            "Warfarin is stopped five days before surgery; INR is checked.",
            "Stop warfarin 5 days before; check the INR the day before surgery.",
        ),
        ("", "Yes."),
        ("Naïve œdema, 37.5 °C", "naive oedema 37.5 C"),
        ("a " * 500, "b a " * 300),
        ("UPPER_case-words", "upper case words"),
    ],
)
def test_figures_on_texts_are_those_of_rouge_score(peer: Any, answer: str, reference: str) -> None:
    theirs = peer.score(reference, answer)
    assert ours(answer, reference) == pytest.approx([theirs[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")])


def test_a_text_is_all_like_itself_and_nothing_like_another() -> None:
    assert ours("The drain is out", "the DRAIN is out!") == [1.0, 1.0, 1.0]
    assert ours("The drain is out", "Suture removal tomorrow") == [0.0, 0.0, 0.0]


def test_the_longest_common_subsequence() -> None:
    assert longest_common(["a", "b", "c", "b", "d", "a", "b"], ["b", "d", "c", "a", "b", "a"]) == 4
    assert longest_common([], ["a"]) == longest_common(["a"], []) == 0
