"""One prompt from the ledger: all answers to it, all that was said of these, and how each fared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from annotate.assessor_kinds import SURGEON
from annotate.settle import UNDECIDED, settle
from ledger.queries import heard, standing
from ledger.records import Candidate, Comparison, Verdict
from ledger.store import Ledger
from ledger.tables import candidates, comparisons

CANONICAL: Mapping[str, Verdict] = {"win": "a", "loss": "b", "tie": "tie", "both_bad": "both_bad", "invalid": "invalid"}
SEEN: Mapping[Verdict, str] = {verdict: word for word, verdict in CANONICAL.items()}


class _Verdict(NamedTuple):
    verdict: Verdict
    strength: float


@dataclass(frozen=True)
class Answer:
    """One distinct answer; ``number`` counts the model's answers to this prompt, from 1."""

    id: str
    model: str
    number: int
    text: str
    reasoning: str
    finish_reason: str
    count: int  # how many samples had this text
    tokens: int


@dataclass(frozen=True)
class Said:
    """What one assessor said of two answers, as seen by the first.

    Attributes:
        first: id of the answer, of the two, that comes first in the order of the prompt's answers
        second: id of the other
        assessor: as it is shown: of surgeons a number within this prompt, never a name
        verdict: "win" where the first is better, "loss", "tie", "both_bad" or "invalid"
        strength: P(the first is better); None where the verdict is invalid
        count: pairs of samples that it stands for; 0: a hidden repeat, of which the harm flags alone are heard
        first_shown_first: was the first answer shown before the second?
        flags: "harm_first" is said of the first answer, "harm_second" of the second, others of both
        axes: scores, the first answer's first
        remark: the assessor's reasons; the cause where the verdict is invalid
        rubric: its name and version
    """

    first: str
    second: str
    assessor: str
    verdict: str
    strength: float | None
    count: int
    first_shown_first: bool
    flags: tuple[str, ...]
    axes: str
    remark: str
    rubric: str


@dataclass(frozen=True)
class Opinion:
    """What one assessor says of two answers all in all: in every order, by the rubric that it used last.

    Attributes:
        first: id of the answer, of the two, that comes first in the order of the prompt's answers
        second: id of the other
        assessor: as it is shown
        verdict: in the words of `Said`
        flipped: did it prefer now the one, now the other? Then the verdict is a tie
        count: pairs of samples that it stands for
    """

    first: str
    second: str
    assessor: str
    verdict: str
    flipped: bool
    count: int


@dataclass(frozen=True)
class Standing:
    """How one answer fared, by one assessor's opinions, over the pairs of samples that these stand for."""

    assessor: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    invalid: int
    harmful: bool


def answers(ledger: Ledger, prompt: str, models: Sequence[str]) -> tuple[Answer, ...]:
    """All answers to a prompt, in the order of ``models``, then of others, and of a model as they were sampled."""
    rank = {model: place for place, model in enumerate(models)}
    found = sorted(
        ledger.read(Candidate, candidates.c.prompt == prompt), key=lambda each: rank.get(each.model, len(rank))
    )
    numbers: dict[str, int] = {}
    said = []
    for each in found:
        numbers[each.model] = number = numbers.get(each.model, 0) + 1
        facts = (each.reasoning, each.finish_reason, each.count, each.tokens)
        said.append(Answer(each.id, each.model, number, each.text, *facts))
    return tuple(said)


def said_of(ledger: Ledger, prompt: str, order: Iterable[str]) -> tuple[Said, ...]:
    """Every comparison on a prompt, each seen by the answer that comes first in ``order`` (ids of answers).

    Superseded ones are left out, and hidden repeats, unless they flag harm (`heard`).
    """
    rank = {answer: place for place, answer in enumerate(order)}
    found = list(ledger.read(Comparison, comparisons.c.prompt == prompt, standing(), heard()))
    names = _names(each.assessor for each in found)
    seen = [_seen(each, names[each.assessor], forth=rank[each.a] <= rank[each.b]) for each in found]
    return tuple(sorted(seen, key=lambda each: (rank[each.first], rank[each.second])))


def opinions(said: Iterable[Said]) -> tuple[Opinion, ...]:
    """Each assessor's one opinion on each two answers, as win rates count it (`annotate.settle`)."""
    heard_of: dict[tuple[str, str, str], list[Said]] = {}
    for each in said:
        if each.count:
            heard_of.setdefault((each.first, each.second, each.assessor), []).append(each)
    return tuple(_opinion([each for each in some if each.rubric == some[-1].rubric]) for some in heard_of.values())


def _opinion(said: Sequence[Said]) -> Opinion:
    settled = settle([_Verdict(CANONICAL[each.verdict], UNDECIDED) for each in said])
    first = said[0]
    count = max(each.count for each in said)
    return Opinion(first.first, first.second, first.assessor, SEEN[settled.verdict], settled.flipped, count)


def standings(said: Sequence[Said], answer: str) -> tuple[Standing, ...]:
    """How an answer fared: one entry an assessor, by name."""
    tallies = {each.assessor: dict.fromkeys(CANONICAL, 0) for each in said if answer in (each.first, each.second)}
    for each in opinions(said):
        if answer in (each.first, each.second):
            turned = {} if each.first == answer else {"win": "loss", "loss": "win"}
            tallies[each.assessor][turned.get(each.verdict, each.verdict)] += each.count
    flagging = {each.assessor for each in said if answer in harmed(each)}
    return tuple(
        Standing(
            name,
            wins=tally["win"],
            losses=tally["loss"],
            ties=tally["tie"],
            both_bad=tally["both_bad"],
            invalid=tally["invalid"],
            harmful=name in flagging,
        )
        for name, tally in sorted(tallies.items())
    )


def harmed(said: Said) -> frozenset[str]:
    """The answers, by id, of which a critical harm is flagged."""
    sides = {"harm_first": said.first, "harm_second": said.second}
    return frozenset(sides[flag] for flag in said.flags if flag in sides)


def _names(assessors: Iterable[str]) -> Mapping[str, str]:
    """What each is called: surgeons are numbered within the prompt, since they are neither named nor compared."""
    met = dict.fromkeys(assessors)
    surgeons = sorted(each for each in met if each.startswith(SURGEON))
    if len(surgeons) == 1:
        return {**dict(zip(met, met, strict=True)), surgeons[0]: "a surgeon"}
    numbered = {each: f"surgeon {number}" for number, each in enumerate(surgeons, start=1)}
    return {each: numbered.get(each, each) for each in met}


def _seen(said: Comparison, assessor: str, *, forth: bool) -> Said:
    """What is said of ``a`` and ``b``, said of the first answer and the second."""
    words = {"a": "win", "b": "loss"} if forth else {"a": "loss", "b": "win"}
    invalid = said.verdict == "invalid"
    return Said(
        first=said.a if forth else said.b,
        second=said.b if forth else said.a,
        assessor=assessor,
        verdict=words.get(said.verdict, said.verdict),
        strength=None if invalid else said.strength if forth else 1 - said.strength,
        count=said.count,
        first_shown_first=(said.order == "ab") == forth,
        flags=tuple(_said_of(flag, forth=forth) for flag in said.flags),
        axes="; ".join(f"{axis} {_scores(scores, forth=forth)}" for axis, scores in said.axes.items()),
        remark=said.cause if invalid else said.rationale,
        rubric=said.rubric,
    )


def _said_of(flag: str, *, forth: bool) -> str:
    """A flag on one of the two answers, such as "harm_a", in terms of first and second; any other as it is."""
    what, _, side = flag.rpartition("_")
    return f"{what}_{'first' if (side == 'a') == forth else 'second'}" if side in ("a", "b") else flag


def _scores(scores: Any, *, forth: bool) -> str:
    """An axis' two scores, the first answer's first; anything else as it is."""
    if not isinstance(scores, list | tuple):
        return str(scores)
    shown = [f"{score:.2g}" if isinstance(score, int | float) else str(score) for score in scores]
    return " : ".join(shown if forth else reversed(shown))
