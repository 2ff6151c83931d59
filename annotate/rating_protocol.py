"""What a judge that rates one answer is shown and what it may say: pure text in, pure text out.

The material stands as it does where two answers are compared, see `annotate.judge_protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from annotate.delimiters import Block, fenced
from annotate.judge_protocol import asked_material, with_complaint
from annotate.rating_instructions import complaint, request_text, system_text
from annotate.reply_objects import closed_object, is_whole, last_object
from ledger.records import Candidate, Prompt
from sampling.chat import Turn

if TYPE_CHECKING:  # the criteria's version is made of what this module says, see `annotate.rating_version`
    from annotate.criteria import Criteria


@dataclass(frozen=True)
class Rated:
    """What a judge said of one answer. ``whole``: the reply holds nothing beyond these fields."""

    met: Mapping[str, bool]  # criterion -> is it met? each of them, in their order
    rationale: str
    whole: bool


@cache
def schema(names: tuple[str, ...]) -> Mapping[str, Any]:
    """The JSON schema of a reply: reasoning first, then each criterion, true or false."""
    met = closed_object({name: {"type": "boolean"} for name in names})
    return MappingProxyType(closed_object({"rationale": {"type": "string"}, "criteria": met}))


def messages(prompt: Prompt, answer: Candidate, criteria: Criteria) -> list[Turn]:
    """The judge's conversation for one answer."""
    return rendered(prompt, answer, criteria.text, criteria.names)


def rendered(prompt: Prompt, answer: Candidate, criteria: str, names: Sequence[str]) -> list[Turn]:
    """The same, by the text of the criteria and their names."""
    material = [*asked_material(prompt), Block("ANSWER", answer.text)]
    return [
        {"role": "system", "content": system_text(criteria, names)},
        {"role": "user", "content": f"{fenced(material)}\n\n{request_text()}"},
    ]


def asking_again(asked: Sequence[Turn], cause: str, reply: str, names: Sequence[str]) -> list[Turn]:
    """The conversation that asks for another reply, with what was wrong with this one.

    What is shown again and what is not: see `judge_protocol.asking_again`.
    """
    return with_complaint(asked, cause, reply, complaint(cause, names))


def reading(reply: str, names: Sequence[str]) -> Rated | None:
    """What ``reply`` says of each criterion; None where it cannot be told of all of them for certain.

    The rules are those of `judge_protocol.ruling`: the last object with "criteria" counts, wherever it stands, and if
    that one is no valid rating there is none. Points are added up, so a criterion that is left out, or answered by
    anything but true or false, leaves nothing to add up. Criteria that nobody asked for are kept in the reply alone.
    """
    found = last_object(reply, "criteria")
    if found is None:
        return None
    said, rationale = found["criteria"], found.get("rationale")
    if not isinstance(said, dict) or not isinstance(rationale, str):
        return None
    met = {name: said[name] for name in names if isinstance(said.get(name), bool)}
    if len(met) < len(names):
        return None
    return Rated(met, rationale, is_whole(reply, found, {"rationale": rationale, "criteria": met}))
