"""How a model did in an exam, for people and for ``--json``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from align.probes.exam import ExamAnswer, by_question, is_right
from align.resampling import mean_interval
from annotate.bootstrap import BoolArray, Estimate, FloatArray
from ledger.records import Prompt
from sampling.chat import LETTERS


@dataclass(frozen=True)
class Place:
    """How often one place was picked, and how often the right option stood there, over all readable answers.

    A model without a favourite place picks each about as often as the right option stands there: where it does not,
    ``excess`` lies off 0.
    """

    letter: str
    picked: int
    keys: int
    excess: Estimate  # share of a question's picks less share of its keys, the mean over questions

    @property
    def is_favoured(self) -> bool:
        """Is it picked more often than chance would have it?"""
        return self.excess.low is not None and self.excess.low > 0


@dataclass(frozen=True)
class Exam:
    """One model's answers to the questions of an exam, each in several orders; shares with intervals over questions."""

    questions: int
    showings: int
    unreadable: int  # of the showings
    chance: float  # accuracy of guessing
    accuracy: Estimate  # the mean over questions of the share right; unreadable is not right
    readable_accuracy: Estimate  # the same among the readable answers
    consistency: Estimate  # share of questions, readable in two orders or more, that get the same option in all of them
    places: tuple[Place, ...]

    def text(self) -> str:
        """For people."""
        lines = [
            f"exam accuracy {_share(self.accuracy)} on {self.questions} questions ({self.chance:.1%} by guessing),"
            f" {self.showings} answers"
        ]
        if self.unreadable:
            lines.append(
                f"{self.unreadable} of them state no option and count as not right;"
                f" accuracy among the others {_share(self.readable_accuracy)}"
            )
        if self.consistency.estimate is not None:
            lines.append(
                f"the same option in every order {_share(self.consistency)}"
                f" of {self.consistency.n_prompts} questions asked in several"
            )
        picks = (f"{place.letter} {place.picked} ({place.keys})" for place in self.places)
        lines.append(f"picks by place (right options there): {', '.join(picks)}")
        lines.extend(
            f"{place.letter} is picked too often, by {place.excess.estimate:.1%} of all picks: favours a place"
            for place in self.places
            if place.is_favoured
        )
        return "\n".join(lines)


def exam(
    questions: Mapping[str, Prompt],
    answers: Iterable[ExamAnswer],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> Exam | None:
    """The report on one model's answers; None where no question was asked.

    Args:
        questions: as written, by id.
        answers: of one model.
        resamples: of the questions, for the intervals.
        confidence: of the intervals.
    """
    asked = by_question(questions, answers)
    if not asked:
        return None
    right = np.array([sum(is_right(questions[question], each) for each in of) for question, of in asked.items()])
    shown = np.array([len(of) for of in asked.values()])
    readable = np.array([sum(each.option is not None for each in of) for of in asked.values()])
    told = readable > 0
    picked, keys = _places(questions, asked)
    excess = (picked - keys)[:, told] / readable[told]
    several, same = _agreeing(asked)

    def mean(values: FloatArray, least: float = 0.0) -> Estimate:
        """Over questions, of values from ``least`` to 1."""
        if not len(values):
            return Estimate(None, None, None, 0, 0)
        low, high = mean_interval(values, resamples, confidence, (least, 1.0))
        return Estimate(float(values.mean()), low, high, len(values), len(values))

    return Exam(
        questions=len(asked),
        showings=int(shown.sum()),
        unreadable=int((shown - readable).sum()),
        chance=float(np.mean([1 / len(questions[question].options) for question in asked])),
        accuracy=mean(right / shown),
        readable_accuracy=mean(right[told] / readable[told]),
        consistency=mean(same[several]),
        places=tuple(
            Place(LETTERS[place], int(picked[place].sum()), int(keys[place].sum()), mean(excess[place], -1.0))
            for place in range(len(picked))
        ),
    )


def _agreeing(asked: Mapping[str, Sequence[ExamAnswer]]) -> tuple[BoolArray, FloatArray]:
    """Was each question readable in several orders [questions], and got it the same option in these [questions]?"""
    chosen = [[each.option for each in of if each.option is not None] for of in asked.values()]
    several = np.array([len(options) > 1 for options in chosen])
    same = np.array([len(set(options)) == 1 for options in chosen], dtype=float)
    return several, same


def _places(
    questions: Mapping[str, Prompt], asked: Mapping[str, Sequence[ExamAnswer]]
) -> tuple[FloatArray, FloatArray]:
    """How often each place was picked, and had the right option, in readable answers: [places, questions] each."""
    most = max(len(questions[question].options) for question in asked)
    picked, keys = np.zeros((most, len(asked))), np.zeros((most, len(asked)))
    for column, (question, of) in enumerate(asked.items()):
        key = LETTERS.find(questions[question].answer or " ")
        for answer in of:
            if answer.option is None:
                continue
            picked[answer.order.index(answer.option), column] += 1
            if key in answer.order:
                keys[answer.order.index(key), column] += 1
    return picked, keys


def _share(estimate: Estimate) -> str:
    if estimate.estimate is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.estimate:.1%}"
    return f"{estimate.estimate:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"
