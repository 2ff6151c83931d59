"""What a judge is shown and what it may say: pure text in, pure text out.

Candidates are data: `annotate.delimiters` sets them apart from what we say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from annotate.contests import Contest
from annotate.delimiters import Block, fenced, neutralised
from annotate.judge_instructions import (
    BEST_SCORE,
    LEAST_SCORE,
    SETTINGS,
    complaint,
    request_text,
    system_text,
)
from annotate.reply_objects import closed_object, is_whole, last_object
from ledger.records import Order, Prompt, Verdict
from sampling.chat import LETTERS, Turn

if TYPE_CHECKING:  # a rubric's version is made of what this module says, see `annotate.protocol_version`
    from annotate.rubric import Rubric

Level = Literal["a_much_better", "a_better", "tie", "b_better", "b_much_better", "both_bad"]
LEVELS: tuple[Level, ...] = get_args(Level)

# What a level says about P(the better answer is better). Fixed, not fitted: a judge's "much better" is not a
# certainty, and surgeons' verdicts later say how far each level is to be trusted.
MUCH_BETTER = 0.9
BETTER = 0.7
EVEN = 0.5

# Level in terms of the order shown -> verdict and P(the answer shown first is better).
MEANING: Mapping[Level, tuple[Verdict, float]] = MappingProxyType(
    {
        "a_much_better": ("a", MUCH_BETTER),
        "a_better": ("a", BETTER),
        "tie": ("tie", EVEN),
        "b_better": ("b", 1 - BETTER),
        "b_much_better": ("b", 1 - MUCH_BETTER),
        "both_bad": ("both_bad", EVEN),
    }
)
OTHER_SIDE: Mapping[Verdict, Verdict] = MappingProxyType({"a": "b", "b": "a"})

Scores = Mapping[str, Sequence[int]]  # axis -> [score of one answer, score of the other]

MOST_REPEATED = 4_000  # characters of an unreadable reply that are shown to the judge again


@dataclass(frozen=True)
class Ruling:
    """What a judge said, in canonical terms but for ``level``. ``whole``: the reply holds nothing beyond these fields.

    ``strength`` is what the level stands for; token probabilities may say it more finely (`annotate.level_odds`).
    """

    level: Level  # in terms of the order shown
    verdict: Verdict
    strength: float  # P(a is better)
    rationale: str
    axes: Scores  # axis -> [score of a, score of b]
    whole: bool


@cache
def schema(axes: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """The JSON schema of a reply: reasoning first, then the scores, then the verdict.

    Scores are objects with the keys of the answers, and enumerated: arrays of fixed length, minima and maxima are not
    known to every server that takes a schema.
    """
    score = {"type": "integer", "enum": list(range(LEAST_SCORE, BEST_SCORE + 1))}
    properties: dict[str, Any] = {"rationale": {"type": "string"}}
    if axes:
        properties["scores"] = closed_object({axis: closed_object({"a": score, "b": score}) for axis in axes})
    properties["verdict"] = {"type": "string", "enum": list(LEVELS)}
    return MappingProxyType(closed_object(properties))


def messages(contest: Contest, order: Order, rubric: Rubric) -> list[Turn]:
    """The judge's conversation for one contest with its answers in one order."""
    return rendered(contest, order, rubric.text, rubric.axes)


def rendered(contest: Contest, order: Order, rubric: str, axes: Sequence[str]) -> list[Turn]:
    """The same, by the text of a rubric and its axes."""
    return [
        {"role": "system", "content": system_text(rubric, axes)},
        {"role": "user", "content": f"{fenced(list(_material(contest, order)))}\n\n{request_text(axes)}"},
    ]


def asking_again(asked: Sequence[Turn], cause: str, reply: str, axes: Sequence[str]) -> list[Turn]:
    """The conversation that asks for another reply, with what was wrong with this one.

    A reply that could not be read is shown to the judge again (its end, if it is long). An empty one is not, since many
    chat templates refuse an empty turn; nor is one that was cut, since it would take up the room that it lacked.
    """
    return with_complaint(asked, cause, reply, complaint(cause, axes))


def with_complaint(asked: Sequence[Turn], cause: str, reply: str, wrong: str) -> list[Turn]:
    """The same, in the words of ``wrong``."""
    if cause == "unparsable":
        return [
            *asked,
            {"role": "assistant", "content": neutralised(reply[-MOST_REPEATED:])},
            {"role": "user", "content": wrong},
        ]
    *before, last = asked
    return [*before, {"role": last["role"], "content": f"{last['content']}\n\n{wrong}"}]


def _material(contest: Contest, order: Order) -> Iterator[Block]:
    yield from asked_material(contest.prompt)
    first, second = (contest.a, contest.b) if order == "ab" else (contest.b, contest.a)
    yield Block("ANSWER A", first.text)
    yield Block("ANSWER B", second.text)


def asked_material(prompt: Prompt) -> Iterator[Block]:
    """What a judge is shown before an answer: the conversation, what came with it, and what is known to be right."""
    yield Block("SETTING", SETTINGS[prompt.mode])
    for message in prompt.messages[:-1]:
        yield Block(f"EARLIER TURN ({message.role})", message.content)
    yield Block("QUESTION", prompt.question)
    for number, passage in enumerate(prompt.context, start=1):
        yield Block(f"RETRIEVED PASSAGE {number}", passage)
    if prompt.options:
        yield Block(
            "OPTIONS", "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, prompt.options, strict=False))
        )
    if prompt.answer:
        yield Block("RIGHT OPTION", prompt.answer)
    if prompt.reference:
        yield Block("REFERENCE ANSWER", prompt.reference)


def ruling(reply: str, order: Order, axes: Sequence[str] = ()) -> Ruling | None:
    """What ``reply`` says, un-swapped from the order shown; None where it cannot be told for certain.

    The reply is the JSON object alone, in a fenced block, or after prose; of several verdict objects the last one
    counts, and if that one is no valid verdict there is none. Scores are no condition: an axis without two whole
    numbers from 1 to 5 has none, and the reply then is not ``whole``, so that it is kept as it was.
    """
    found = last_object(reply, "verdict")
    if found is None:
        return None
    level, rationale = found.get("verdict"), found.get("rationale")
    if level not in LEVELS or not isinstance(rationale, str):
        return None
    verdict, strength = MEANING[level]
    scores = _scores(found.get("scores"), axes)
    whole = is_whole(reply, found, _kept(found, scores))
    if order == "ba":
        verdict, strength = OTHER_SIDE.get(verdict, verdict), 1 - strength
        scores = {axis: score[::-1] for axis, score in scores.items()}
    return Ruling(level, verdict, round(strength, 6), rationale, scores, whole)


def _scores(said: object, axes: Sequence[str]) -> Scores:
    """The axes with a valid score for both answers, those in the order shown."""
    given = said if isinstance(said, dict) else {}
    pairs = {axis: [given[axis].get("a"), given[axis].get("b")] for axis in axes if isinstance(given.get(axis), dict)}
    return {axis: pair for axis, pair in pairs.items() if all(map(_is_score, pair))}


def _is_score(value: object) -> bool:
    return type(value) is int and LEAST_SCORE <= value <= BEST_SCORE


def _kept(found: Mapping[str, Any], scores: Scores) -> Mapping[str, Any]:
    """What of a verdict's object goes into a ruling."""
    kept: dict[str, Any] = {"rationale": found["rationale"], "verdict": found["verdict"]}
    if "scores" in found:
        kept["scores"] = {axis: {"a": first, "b": second} for axis, (first, second) in scores.items()}
    return kept
