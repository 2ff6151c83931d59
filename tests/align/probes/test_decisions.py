from __future__ import annotations

import json
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.probes.decisions import DECISIONS, chosen_option, decision_accuracy, decisions_of, stated_decision
from align.probes.exam import ExamAnswer
from align.probes.option_orders import showings
from ledger.records import Message, Prompt
from tests.real_data import real_file


def columns() -> tuple[list[str], list[str], list[str]]:
    text = real_file("pubmedqa/pubmedqa_dev500.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.strip().split("\n")]
    names = ("final_decision", "annotator_with_context_only", "annotator_with_conclusion")
    gold, context, conclusion = ([row[name] for row in rows] for name in names)
    return gold, context, conclusion


def figures(gold: list[str], predicted: list[str]) -> tuple[float, float, float | None]:
    found = decision_accuracy(gold, predicted)
    assert found is not None
    assert (found.n, found.unreadable) == (500, 0)
    return (
        round(found.accuracy, 4),
        round(found.macro_f1, 4),
        found.kappa if found.kappa is None else round(found.kappa, 4),
    )


def test_annotators_of_pubmedqa_have_the_figures_that_its_readme_states() -> None:
    gold, context, conclusion = columns()
    assert figures(gold, context) == (0.7820, 0.6946, 0.6012)
    assert figures(gold, conclusion) == (0.9280, 0.8881, 0.8748)
    agreement, _, kappa = figures(context, conclusion)
    assert (agreement, kappa) == (0.7120, 0.4804)


def test_the_majority_of_pubmedqa_has_the_figures_that_its_readme_states() -> None:
    gold, _, _ = columns()
    accuracy, macro_f1, kappa = figures(gold, ["yes"] * 500)
    assert (round(accuracy, 3), round(macro_f1, 3), kappa) == (0.552, 0.237, 0.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DECISIONS), st.sampled_from([*DECISIONS, "unsure"])), min_size=1))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = zip(*pairs, strict=True)
    found = decision_accuracy(gold, predicted)
    assert found is not None
    metrics = import_module("sklearn.metrics")
    expected = metrics.f1_score(gold, predicted, labels=list(DECISIONS), average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(expected)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(gold, predicted))


def test_unreadable_answers_are_never_right() -> None:
    found = decision_accuracy(["yes", "no", "maybe", "yes"], ["yes", None, "perhaps", None])
    assert found is not None
    assert (found.n, found.unreadable, found.accuracy) == (4, 3, 0.25)
    assert found.macro_f1 == pytest.approx((2 / 3) / 3)


def test_nothing_asked_and_what_cannot_be_compared() -> None:
    assert decision_accuracy([], []) is None
    with pytest.raises(ValueError, match="zip"):
        decision_accuracy(["yes"], ["yes", "no"])
    with pytest.raises(ValueError, match="no label perhaps"):
        decision_accuracy(["perhaps"], ["yes"])


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("yes", "yes"),
        ("No.", "no"),
        ("**Maybe**, since the sample is small.", "maybe"),
        ("Yes, early drain removal is safe.", "yes"),
        ("The data are mixed. The answer is: no.", "no"),
        ("Final decision: maybe", "maybe"),
        ("Yes, one could think so; but the answer is no", "no"),
        ("Answer: **Yes**", "yes"),
        ("No evidence of a difference was found.", None),
        ("Noted.", None),
        ("It depends on the yes and the no.", None),
        ("", None),
    ],
)
def test_a_stated_decision(text: str, decision: str | None) -> None:
    assert stated_decision(text) == decision


def asked(number: int, answer: str) -> Prompt:
    return Prompt((Message("user", f"Is it {number}?"),), "exam", "mcq", options=DECISIONS, answer=answer)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("Yes, it is.", "A"), ("The answer is B.", "B"), ("The answer is maybe.", "C"), ("It is seven.", None)],
)
def test_of_yes_no_and_maybe_the_word_will_do(text: str, letter: str | None) -> None:
    assert chosen_option(asked(1, "A"), text) == letter
    _, other = showings(asked(1, "A"), 2)
    if letter and "B" not in text:
        word = DECISIONS["ABC".index(letter)]
        assert other.prompt.options["ABC".index(chosen_option(other.prompt, text) or "")] == word
    words = Prompt((Message("user", "Which?"),), "exam", "mcq", options=("yes", "no", "never"), answer="A")
    assert chosen_option(words, "Yes, it is.") is None


def test_decisions_are_those_of_the_options_wherever_they_stood() -> None:
    questions = [asked(number, "ABC"[number % 3]) for number in range(6)]
    answers = [
        ExamAnswer(each.question, each.order, each.prompt.answer)
        for prompt in questions
        for each in showings(prompt, 3)
    ]
    found = decisions_of({each.id: each for each in questions}, answers)
    assert found is not None
    assert (found.n, found.accuracy, found.macro_f1) == (18, 1.0, 1.0)
    always = [ExamAnswer(each.id, (0, 1, 2), "A") for each in questions]
    guessed = decisions_of({each.id: each for each in questions}, always)
    assert guessed is not None
    assert guessed.accuracy == pytest.approx(1 / 3)
    assert decisions_of({}, answers) is None
