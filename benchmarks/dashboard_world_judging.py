"""What judges say in the generated ledger: in both orders, with a place's and a length's favour, flips and failures."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from annotate.mcq import ASSESSOR as KEY
from annotate.rubric import AnyRubric, load_rubric
from benchmarks.dashboard_world_answers import Answer, Question
from benchmarks.judging_material import said
from ledger.records import Call, Comparison, Order, Verdict, digest

CAUSES = ("timeout", "no JSON object in the reply", "content_filter", "connection cut")
RATIONALES = 64
BOTH_BAD = -1.5  # of quality, below which an answer is no good
SHARPNESS = 1.7  # from a difference of quality to log-odds


class Nature(NamedTuple):
    """How a judge errs: ``noise`` and its favours in standard deviations of an answer's quality."""

    name: str
    noise: float
    first: float  # favour of what is shown first
    length: float  # favour of an answer twice as long
    invalid: float  # share
    tie: float  # a smaller difference is one
    cost: float  # of a judgment
    kept_calls: bool = False  # are its calls in the ledger too?


LARGE = Nature("judge:large", 0.35, 0.10, 0.15, 0.012, 0.10, 0.00042)
SMALL = Nature("judge:small", 0.80, 0.30, 0.45, 0.035, 0.20, 0.00006, kept_calls=True)


class Contest(NamedTuple):
    """Two answers to one question, in canonical order."""

    question: Question
    a: Answer
    b: Answer


def contest(question: Question, one: Answer, other: Answer) -> Contest:
    """In canonical order."""
    return Contest(question, *((one, other) if one.id < other.id else (other, one)))


class Judging:
    """Judges contests; ``model_ids`` by the models' numbers."""

    def __init__(self, model_ids: Sequence[str], seed: int) -> None:
        """The embedded rubric is theirs."""
        self.models = model_ids
        self.numbers = np.random.default_rng([seed, 1])
        rng = random.Random(f"{seed} rationales")
        self.rationales = [said(rng, rng.randint(120, 360)) for _ in range(RATIONALES)]
        self.rubric: AnyRubric = load_rubric("surgical", Path())
        axes = self.rubric.of("clinical").axes
        self.axes = {(a, b): {axis: [a, b] for axis in axes} for a in range(1, 6) for b in range(1, 6)}

    def judged(self, contests: Sequence[Contest], nature: Nature) -> Iterator[Comparison | Call]:
        """Each in both orders; the answer key decides where one states the right option and the other does not."""
        noise = self.numbers.normal(0, nature.noise, (len(contests), 3)).tolist()
        luck = self.numbers.random((len(contests), 2)).tolist()
        for each, (common, *own), lucky in zip(contests, noise, luck, strict=True):
            question, a, b = each
            if question.key and (a.option == question.key) != (b.option == question.key):
                yield self._by_key(each)
                continue
            seen = a.quality - b.quality + nature.length * math.log2(a.length / b.length) + common
            orders: tuple[tuple[Order, float], ...] = (("ab", nature.first), ("ba", -nature.first))
            for (order, favour), drawn, lot in zip(orders, own, lucky, strict=True):
                yield from self._said(each, nature, order, seen + favour + drawn / 2, lot)

    def _said(
        self, each: Contest, nature: Nature, order: Order, margin: float, lot: float
    ) -> Iterator[Comparison | Call]:
        question, a, b = each
        failed = lot < nature.invalid
        verdict = "invalid" if failed else _verdict(margin, a, b, nature.tie)
        decided = verdict in ("a", "b")
        key = digest(["call", nature.name, a.id, b.id, order]) if nature.kept_calls else None
        tokens = (each.a.length + each.b.length) // 4 + 700
        seconds = round(0.7 + 2.4 * lot, 3)
        cause = CAUSES[int(lot * 1e6) % len(CAUSES)] if failed else ""
        if key:
            yield Call(key, nature.name, "{}", cause, run="0", tokens_in=tokens, cost=nature.cost, seconds=seconds)
        yield Comparison(
            prompt=question.id,
            a=a.id,
            b=b.id,
            model_a=self.models[a.model],
            model_b=self.models[b.model],
            assessor=nature.name,
            verdict=verdict,
            strength=round(1 / (1 + math.exp(-SHARPNESS * margin)), 4) if decided else 0.5,
            order=order,
            rubric=self.rubric.of(question.mode).version,
            axes={} if failed else self.axes[_points(a), _points(b)],
            flags=_flags(each, lot) if decided else (),
            rationale="" if failed else self.rationales[int(lot * 1e6) % RATIONALES],
            cause=cause,
            call=key,
            tokens=tokens,
            cost=nature.cost,
            seconds=seconds,
        )

    def _by_key(self, each: Contest) -> Comparison:
        """As `annotate.mcq.compare_by_key` writes it."""
        question, a, b = each
        first = a.option == question.key
        return Comparison(
            prompt=question.id,
            a=a.id,
            b=b.id,
            model_a=self.models[a.model],
            model_b=self.models[b.model],
            assessor=KEY,
            verdict="a" if first else "b",
            strength=1.0 if first else 0.0,
            rationale=f"key {question.key}: a states {a.option}, b states {b.option}",
        )


def _verdict(margin: float, a: Answer, b: Answer, tie: float) -> Verdict:
    if a.quality < BOTH_BAD and b.quality < BOTH_BAD:
        return "both_bad"
    if abs(margin) < tie:
        return "tie"
    return "a" if margin > 0 else "b"


def _flags(each: Contest, lot: float) -> tuple[str, ...]:
    """The worst answers may do harm."""
    if lot < 0.9:
        return ()
    return tuple(flag for flag, answer in (("harm_a", each.a), ("harm_b", each.b)) if answer.quality < BOTH_BAD - 0.3)


def _points(answer: Answer) -> int:
    return min(5, max(1, round(3 + answer.quality)))
