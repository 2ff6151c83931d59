"""One row of a file to one prompt, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from ledger.records import Kind, Message, Mode, Prompt, Role, Split
from sampling.layouts import Layout
from sampling.options import Numbering, RowError, answer_letter, clean, from_json, is_missing, read_options

T = TypeVar("T", bound=str)

MODES: tuple[Mode, ...] = get_args(Mode)
KINDS: tuple[Kind, ...] = get_args(Kind)
SPLITS: tuple[Split, ...] = get_args(Split)
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Rules:
    """What holds for all rows of one import."""

    layout: Layout
    mode: Mode = "clinical"  # where neither the row nor the layout says
    max_characters: int = 40_000
    split: Split | None = None  # goes before what a row says
    numbering: Numbering | None = None  # do answers given as numbers begin at 0 or 1?


@dataclass(frozen=True)
class Draft:
    """A prompt that is not placed on a side yet."""

    prompt: Prompt
    key: str  # the row's own id; may be empty
    split: Split | None  # where it says that it belongs


def draft(row: Mapping[str, Any], rules: Rules, source: str) -> Draft:
    """Make a prompt of a row. ``source``: the file's name, to say where the prompt is from.

    Raises:
        RowError: the row breaks a rule; the message says which.
    """
    fields = rules.layout.fields(row)
    key = clean(fields.get("id"), "id")
    options = read_options(fields.get("options"))
    answer = _answer(fields, options, rules)
    prompt = Prompt(
        messages=_messages(fields),
        mode=_one_of(fields, "mode", MODES) or rules.layout.mode or rules.mode,
        kind=_kind(fields, options),
        context=_context(fields.get("context")),
        reference=_reference(fields, options, answer),
        options=options,
        answer=answer,
        topic=clean(fields.get("topic"), "topic"),
        source=f"{source}#{key}" if key else source,
    )
    _check_length(prompt, rules.max_characters)
    stated = _one_of(fields, "split", SPLITS)
    return Draft(prompt, key, rules.split or stated)


def _one_of(fields: Mapping[str, Any], name: str, allowed: Sequence[T]) -> T | None:
    value = clean(fields.get(name), name)
    if not value:
        return None
    for choice in allowed:
        if value == choice:
            return choice
    raise RowError(f"{name} is {value[:40]}, not one of {', '.join(allowed)}")


def _messages(fields: Mapping[str, Any]) -> tuple[Message, ...]:
    turns = from_json(fields.get("messages"))
    if is_missing(turns):
        question = fields.get("question")
        if not is_missing(question) and not isinstance(question, str):
            raise RowError("the question is no text")
        if not clean(question, "the question"):
            raise RowError("missing or empty question")
        return (Message("user", clean(question, "the question")),)
    if not isinstance(turns, list | tuple):
        raise RowError("messages is no list")
    messages = tuple(_message(turn) for turn in turns)
    if messages[-1].role != "user":
        raise RowError("the conversation does not end with a user turn")
    return messages


def _message(turn: object) -> Message:
    if isinstance(turn, Mapping):
        turn = [turn.get("role"), turn.get("content")]
    if not isinstance(turn, list | tuple) or len(turn) != 2 or not all(isinstance(part, str) for part in turn):
        raise RowError("a message has no role and content")
    role = _one_of({"role": turn[0]}, "role", ROLES)
    content = clean(turn[1], "a message")
    if role is None or not content:
        raise RowError("missing or empty question" if role == "user" else "a message has no role or no content")
    return Message(role, content)


def _context(value: object) -> tuple[str, ...]:
    """Passages: a text, a list, a JSON text of a list, or an object that holds one under "contexts"."""
    value = from_json(value)
    if isinstance(value, Mapping):
        value = value.get("contexts")
    if is_missing(value):
        return ()
    passages = value if isinstance(value, list | tuple) else [value]
    return tuple(text for passage in passages if (text := clean(passage, "a passage of the context")))


def _kind(fields: Mapping[str, Any], options: Sequence[str]) -> Kind:
    kind = _one_of(fields, "kind", KINDS)
    if kind == "mcq" and not options:
        raise RowError("fewer than 2 options")
    if kind == "open" and options:
        raise RowError("kind is open, but there are options")
    return "mcq" if options else "open"


def _answer(fields: Mapping[str, Any], options: Sequence[str], rules: Rules) -> str | None:
    if options:
        return answer_letter(fields.get("answer"), options, rules.layout.answer_form, rules.numbering)
    if not is_missing(fields.get("answer")):
        raise RowError("an answer without options")
    return None


def _reference(fields: Mapping[str, Any], options: Sequence[str], answer: str | None) -> str | None:
    """The reference answer; a decision goes before it, and a rationale stands behind the right option."""
    reference = clean(fields.get("reference"), "the reference")
    decision = clean(fields.get("decision"), "the decision")
    rationale = clean(fields.get("rationale"), "the rationale")
    if decision:
        reference = f"{decision.capitalize()}. {reference}".strip()
    if not reference and rationale and answer:
        right = options[ord(answer) - ord("A")].rstrip(".")
        reference = f"The answer is {answer}, {right}. {rationale}"
    return reference or rationale or None


def _check_length(prompt: Prompt, most: int) -> None:
    texts = [message.content for message in prompt.messages]
    texts += [*prompt.context, *prompt.options, prompt.reference or "", prompt.topic, prompt.source]
    length = sum(map(len, texts))
    if length > most:
        raise RowError(f"over-long: {length} characters, where import.max_characters is {most}")
