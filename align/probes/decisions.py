"""Questions that are answered with yes, no or maybe (PubMedQA: Jin et al., 2019). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from align.probes.exam import ExamAnswer
from annotate.agreement import CohenKappa, coded
from annotate.mcq import stated_option
from ledger.records import Prompt
from sampling.chat import LETTERS

DECISIONS = ("yes", "no", "maybe")
UNREADABLE = "unreadable"
ENDED = r"(?=\W*$|\s*[.,;:!)\u2013\u2014-])"  # "No evidence was found" opens with no decision
OPENING = re.compile(rf"^\W*(yes|no|maybe)\b{ENDED}", re.IGNORECASE)
STATED = re.compile(
    rf"\b(?:answer|decision|conclusion)(?:\s+(?:is|would be)\b|\s*[:=])\W*(yes|no|maybe)\b{ENDED}", re.IGNORECASE
)


@dataclass(frozen=True)
class DecisionAccuracy:
    """How predicted decisions meet the right ones."""

    n: int
    unreadable: int  # predictions that are none of the labels: never right
    accuracy: float
    macro_f1: float  # the unweighted mean of the labels' F1; that of a label that is never met is 0
    kappa: float | None  # Cohen's (1960), "unreadable" being a category of its own; None: undefined

    def text(self) -> str:
        """One line for people."""
        kappa = "" if self.kappa is None else f", kappa {self.kappa:.2f}"
        return f"yes/no/maybe: accuracy {self.accuracy:.1%}, macro-F1 {self.macro_f1:.1%}{kappa} over {self.n} answers"


def stated_decision(text: str) -> str | None:
    """The decision that an answer states: the last "the answer is yes", or the one that it opens with; else None."""
    plain = text.replace("*", "")
    stated = STATED.findall(plain)
    opening = OPENING.match(plain)
    said = stated[-1] if stated else opening[1] if opening else None
    return said and said.lower()


def chosen_option(prompt: Prompt, text: str) -> str | None:
    """The letter of the option that an answer settles on, or None; of yes, no and maybe the word will do."""
    letter = stated_option(text, prompt.options)
    if letter is not None or not is_decision(prompt):
        return letter
    decision = stated_decision(text)
    return None if decision is None else LETTERS[prompt.options.index(decision)]


def is_decision(prompt: Prompt) -> bool:
    """Are its options yes, no and maybe, in whatever order?"""
    return sorted(prompt.options) == sorted(DECISIONS)


def decisions_of(questions: Mapping[str, Prompt], answers: Iterable[ExamAnswer]) -> DecisionAccuracy | None:
    """How answers meet the keys of the yes/no/maybe questions, in all orders; None where there are none."""
    pairs = [
        (_text(questions[answer.question], LETTERS.find(questions[answer.question].answer or " ")), answer)
        for answer in answers
        if answer.question in questions and is_decision(questions[answer.question])
    ]
    predicted = [_text(questions[answer.question], answer.option) for _, answer in pairs]
    return decision_accuracy([str(gold) for gold, _ in pairs], predicted)


def _text(prompt: Prompt, option: int | None) -> str | None:
    return None if option is None else prompt.options[option]


def decision_accuracy(
    gold: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str] = DECISIONS
) -> DecisionAccuracy | None:
    """Accuracy, macro-F1 and kappa of ``predicted`` [n] against ``gold`` [n]; None for no item.

    Raises:
        ValueError: the two differ in length, or a right decision is none of the labels.
    """
    if not gold and not predicted:
        return None
    if unknown := set(gold) - set(labels):
        raise ValueError(f"no label {min(unknown)}")
    read = [each if each in labels else UNREADABLE for each in predicted]
    met = Counter(right for right, each in zip(gold, read, strict=True) if right == each)
    meant, said = Counter(gold), Counter(read)
    f1 = [2 * met[label] / (meant[label] + said[label]) if met[label] else 0.0 for label in labels]
    return DecisionAccuracy(
        n=len(gold),
        unreadable=said[UNREADABLE],
        accuracy=met.total() / len(gold),
        macro_f1=sum(f1) / len(labels),
        kappa=CohenKappa()(coded(zip(gold, read, strict=True), [*labels, UNREADABLE])),
    )
