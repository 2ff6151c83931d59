from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from align.probes.exam import (
    ExamAnswer,
    accuracy_axis,
    invalid_axis,
    is_right,
    likeliest,
    mcnemar,
)
from align.probes.option_orders import showings
from ledger.records import Message, Mode, Prompt
from sampling.chat import LETTERS


def question(number: int, answer: str = "B", mode: Mode = "exam") -> Prompt:
    return Prompt(
        (Message("user", f"Case {number}?"),),
        mode=mode,
        kind="mcq",
        options=("Gauze", "Drain", "Suture", "Clip"),
        answer=answer,
    )


def answered(prompt: Prompt, *chosen: str | None) -> list[ExamAnswer]:
    """One answer to each showing of a question, in the order of its showings."""
    shown = showings(prompt, len(chosen))
    return [ExamAnswer(each.question, each.order, letter) for each, letter in zip(shown, chosen, strict=True)]


def test_a_letter_means_the_option_that_stood_there() -> None:
    prompt = question(1)
    shifted = ExamAnswer(prompt.id, (1, 2, 3, 0), "A")
    assert shifted.option == 1
    assert is_right(prompt, shifted)
    assert not is_right(prompt, ExamAnswer(prompt.id, (0, 1, 2, 3), "A"))
    assert ExamAnswer(prompt.id, (1, 0), "C").option is None
    assert ExamAnswer(prompt.id, (1, 0), "Z").option is None
    assert ExamAnswer(prompt.id, (1, 0), None).option is None


def test_the_key_of_every_showing_is_right() -> None:
    for letter in LETTERS[:4]:
        prompt = question(2, letter)
        for shown in showings(prompt, 4):
            assert is_right(prompt, ExamAnswer(prompt.id, shown.order, shown.prompt.answer))


def test_accuracy_is_the_mean_over_orders_and_unreadable_is_not_right() -> None:
    one, two, three = question(1), question(2, mode="clinical"), question(3)
    right = [each.prompt.answer for each in showings(one, 2)]
    answers = [*answered(one, *right), *answered(two, "B", None)]
    questions = {each.id: each for each in (one, two, three)}
    axis = accuracy_axis(questions, answers)
    assert axis.name == "exam accuracy"
    assert axis.higher_is_better
    assert axis.values == {one.id: 1.0, two.id: 0.5}
    assert axis.modes == {one.id: "exam", two.id: "clinical"}
    assert axis.invalid == frozenset()
    assert axis.mean == 0.75
    unreadable = invalid_axis(questions, answers)
    assert not unreadable.higher_is_better
    assert unreadable.values == {one.id: 0.0, two.id: 0.5}


def test_answers_to_unknown_questions_do_not_count() -> None:
    one, two = question(1), question(2)
    assert accuracy_axis({one.id: one}, answered(two, "B")).values == {}


def test_mcnemar_counts_each_question_once_in_the_first_order_that_both_were_shown() -> None:
    questions = [question(number) for number in range(8)]
    by_id = {each.id: each for each in questions}
    before = [answer for each in questions[:7] for answer in answered(each, "A", "A")]
    after = [answer for each in questions[1:] for answer in answered(each, "B", "A")]
    found = mcnemar(by_id, before, after)
    assert (found.n, found.gained, found.lost) == (6, 6, 0)
    assert found.p == pytest.approx(2 / 2**6)
    back = mcnemar(by_id, after, before)
    assert (back.n, back.gained, back.lost) == (6, 0, 6)
    assert "6 gained, 0 lost of 6" in found.text()
    assert mcnemar(by_id, before, before).p == 1.0


def test_mcnemar_goes_by_an_order_that_both_were_shown() -> None:
    asked = question(1)
    _, other = showings(asked, 2)
    right = [ExamAnswer(asked.id, other.order, other.prompt.answer)]
    wrong = [ExamAnswer(asked.id, other.order, None), *answered(asked, "B")]
    found = mcnemar({asked.id: asked}, wrong, right)
    assert (found.n, found.gained, found.lost) == (1, 1, 0)


@pytest.mark.parametrize(
    ("logprobs", "letter"), [((-3.0, -1.0, -2.0), "B"), ((-1.0, -1.0), "A"), ((), None), ((-5.0,), "A")]
)
def test_the_likeliest_option(logprobs: Sequence[float], letter: str | None) -> None:
    assert likeliest(logprobs) == letter


def test_a_guess_of_one_place_is_right_by_chance_in_all_orders() -> None:
    rng = random.Random(1)
    questions = [question(number, rng.choice("ABCD")) for number in range(200)]
    answers = [answer for each in questions for answer in answered(each, *"AAAA")]
    axis = accuracy_axis({each.id: each for each in questions}, answers)
    assert set(axis.values.values()) == {0.25}
