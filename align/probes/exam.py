"""Answers to multiple-choice questions, each asked in several orders of its options. Pure.

The same whether an answer was generated (`annotate.mcq.stated_option`) or is the likeliest letter (`likeliest`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from align.probes.areas import ACCURACY
from align.probes.axis import Axis
from align.probes.option_orders import Order
from align.probes.paired import exact_mcnemar
from ledger.records import Prompt
from sampling.chat import LETTERS

INVALID = "unreadable exam answers"


@dataclass(frozen=True)
class ExamAnswer:
    """What one model chose where a question was shown in one order."""

    question: str  # id of the prompt as it is written
    order: Order
    chosen: str | None  # the letter as it was shown; None: unreadable

    @property
    def option(self) -> int | None:
        """The number of the written option that was chosen; None where unreadable, or no option has that letter."""
        place = LETTERS.find(self.chosen) if self.chosen else -1
        return self.order[place] if 0 <= place < len(self.order) else None


@dataclass(frozen=True)
class McNemar:
    """Two models on the same questions, each in one order: how many only the one got right.

    ``p`` is exact and two-sided (McNemar, 1947, by the binomial distribution of the questions that differ).
    """

    n: int  # questions that both were asked
    gained: int  # wrong before, right after
    lost: int  # right before, wrong after
    p: float

    def text(self) -> str:
        """One phrase for people."""
        return f"{self.gained} gained, {self.lost} lost of {self.n} questions (McNemar's exact p = {self.p:.3g})"


def likeliest(logprobs: Sequence[float]) -> str | None:
    """The letter of the likeliest option; None where there are none, the first of equals."""
    return LETTERS[max(range(len(logprobs)), key=logprobs.__getitem__)] if logprobs else None


def is_right(question: Prompt, answer: ExamAnswer) -> bool:
    """Was the right option chosen? An unreadable answer is not right."""
    return answer.option is not None and question.answer == LETTERS[answer.option]


def accuracy_axis(questions: Mapping[str, Prompt], answers: Iterable[ExamAnswer]) -> Axis:
    """The share of right answers to each question, over the orders in which it was asked.

    Args:
        questions: as written, by id; those that were not asked do not count.
        answers: of one model; those to other questions do not count.
    """
    asked = by_question(questions, answers)
    return _axis(ACCURACY, questions, asked, higher_is_better=True, of=is_right)


def invalid_axis(questions: Mapping[str, Prompt], answers: Iterable[ExamAnswer]) -> Axis:
    """The share of answers to each question that state no option; arguments as in `accuracy_axis`."""
    asked = by_question(questions, answers)
    return _axis(INVALID, questions, asked, higher_is_better=False, of=lambda _, answer: answer.option is None)


def by_question(questions: Mapping[str, Prompt], answers: Iterable[ExamAnswer]) -> dict[str, list[ExamAnswer]]:
    """The answers to each question that was asked, by its id."""
    asked: dict[str, list[ExamAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.question in questions:
            asked[answer.question].append(answer)
    return dict(asked)


def mcnemar(questions: Mapping[str, Prompt], before: Iterable[ExamAnswer], after: Iterable[ExamAnswer]) -> McNemar:
    """Two models on the questions that both were asked, each in the first order in which both were shown it."""
    old, new = (_right_by_order(questions, answers) for answers in (before, after))
    first = dict(sorted(old.keys() & new.keys(), reverse=True))  # of a question's orders the smallest comes last
    gained = sum(new[each] and not old[each] for each in first.items())
    lost = sum(old[each] and not new[each] for each in first.items())
    return McNemar(len(first), gained, lost, exact_mcnemar(gained, lost))


def _axis(
    name: str,
    questions: Mapping[str, Prompt],
    asked: Mapping[str, Sequence[ExamAnswer]],
    *,
    higher_is_better: bool,
    of: Callable[[Prompt, ExamAnswer], bool],
) -> Axis:
    values = {
        question: sum(of(questions[question], each) for each in answers) / len(answers)
        for question, answers in asked.items()
    }
    return Axis(name, higher_is_better, values, {question: questions[question].mode for question in asked})


def _right_by_order(questions: Mapping[str, Prompt], answers: Iterable[ExamAnswer]) -> dict[tuple[str, Order], bool]:
    """Was each question answered right, by the order in which it was shown?"""
    return {
        (answer.question, answer.order): is_right(questions[answer.question], answer)
        for answer in answers
        if answer.question in questions
    }
