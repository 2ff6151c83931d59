"""The whole domain on one page: frozen records, named by what they say.

A record's ``id`` is a hash of its content (SHA-256, cut to 128 bits, written as 32 hex digits). Records point at each
other by id, so a model's id commits to its pairs, those to their comparisons, candidates and prompts: a Merkle tree
(Merkle, 1988). Two kinds of fields stay out of the id: *descriptive* ones (where a thing came from, how long it took),
because a repeated run must give the same id, and fields at their default, so that a field added later
leaves every id as it was. The ledger seals the descriptive fields with a hash of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import orjson

Role = Literal["system", "user", "assistant"]
Mode = Literal["clinical", "exam"]
Kind = Literal["open", "mcq"]
Split = Literal["train", "eval", "probe"]
FinishReason = Literal["stop", "length", "error"]
Verdict = Literal["a", "b", "tie", "both_bad", "invalid"]
Order = Literal["ab", "ba"]
Queue = Literal["calibration", "random", "routed", "safety", "adjudicate"]
Method = Literal["base", "sft", "dpo", "ipo", "orpo", "kto"]
Check = Literal["option", "number", "words", "json", "grounding", "safety", "text"]
Continuation = Literal["options", "reference", "text"]
Outcome = Literal["promote", "hold", "reject"]

DESCRIPTIVE: Mapping[str, bool] = MappingProxyType({"descriptive": True})
NOTHING: Mapping[str, Any] = MappingProxyType({})
ID_DIGITS = 32
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _nothing() -> Mapping[str, Any]:
    return NOTHING


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


def _encode(value: object) -> bytes:
    return orjson.dumps(value, _plain, orjson.OPT_SORT_KEYS)


def canonical_json(value: object) -> str:
    """One text for one value: sorted keys, no white space, mappings and tuples as plain JSON.

    Raises:
        TypeError: a text holds a lone surrogate (see `storable`), or a value has no JSON form.
    """
    return _encode(value).decode()


def digest(value: object) -> str:
    """The first 128 bits of the SHA-256 of ``value``'s canonical JSON, as 32 hex digits."""
    return hashlib.sha256(_encode(value)).hexdigest()[:ID_DIGITS]


def storable(text: str) -> str:
    """``text`` without what no database keeps: NUL characters and lone surrogates become U+FFFD."""
    if text.isascii() and "\x00" not in text:  # nearly all are
        return text
    return UNSTORABLE.sub("\ufffd", text)


# (name, default) of the fields that are part of a record's id, and which of them are floats; by record type.
_IDENTITY: dict[type, tuple[tuple[tuple[str, object], ...], tuple[str, ...]]] = {}


def _identity(kind: type) -> tuple[tuple[tuple[str, object], ...], tuple[str, ...]]:
    if kind not in _IDENTITY:
        said = [f for f in fields(kind) if not f.metadata.get("descriptive")]
        defaults = (f.default_factory() if f.default_factory is not MISSING else f.default for f in said)
        floats = tuple(f.name for f in said if str(f.type).startswith("float"))
        _IDENTITY[kind] = tuple(zip((f.name for f in said), defaults, strict=True)), floats
    return _IDENTITY[kind]


def content_id(record: Record) -> str:
    """Hash what ``record`` says, afresh (``record.id`` remembers it)."""
    identity, floats = _identity(type(record))
    values = record.__dict__
    said = {name: value for name, default in identity if (value := values[name]) != default}
    for name in floats:
        if said.get(name) is not None:
            said[name] = float(said[name]) + 0.0  # -0.0 is 0.0
    return digest([type(record).__name__, said])


@dataclass(frozen=True)
class Record:
    """Anything the ledger keeps."""

    @cached_property
    def id(self) -> str:
        """The content id."""
        return content_id(self)


class Message(NamedTuple):
    """One turn of a conversation; stored as the list [role, content]."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt(Record):
    """One question: a conversation that ends with a user turn, and what is known about its answer."""

    messages: tuple[Message, ...]
    mode: Mode = "clinical"
    kind: Kind = "open"
    context: tuple[str, ...] = ()  # retrieved passages
    reference: str | None = None
    options: tuple[str, ...] = ()  # mcq: the texts of A, B, C, ...
    answer: str | None = None  # mcq: the letter of the right option
    split: Split = field(default="train", metadata=DESCRIPTIVE)
    topic: str = field(default="", metadata=DESCRIPTIVE)
    source: str = field(default="", metadata=DESCRIPTIVE)
    group: str = field(default="", metadata=DESCRIPTIVE)  # id of the first prompt of its near-duplicates

    @property
    def question(self) -> str:
        """The last user turn."""
        return self.messages[-1].content

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that it holds."""
        said = (message.content for message in self.messages)
        return (*said, *self.context, *self.options, self.reference or "")


@dataclass(frozen=True)
class Probe(Record):
    """What an answer to a prompt of a probe set is checked for."""

    prompt: str
    area: str  # "exam", "safety", "benign", "grounding", "arithmetic", ...
    check: Check  # how
    expected: Mapping[str, Any] = field(default_factory=_nothing)  # what `check` wants: align/probes/checks.py
    set: str = field(default="", metadata=DESCRIPTIVE)  # the file that it stands in


@dataclass(frozen=True)
class Likelihood(Record):
    """The log-probabilities that a model gives texts behind a prompt: each option's letter, or one whole text.

    What was computed twice differs by rounding and is the same record.
    """

    prompt: str
    model: str
    of: Continuation
    setting: str = ""  # hash of what goes around the prompt, and of how the weights were loaded
    logprobs: tuple[float, ...] = field(default=(), metadata=DESCRIPTIVE)  # in nats, each over its whole text
    tokens: tuple[int, ...] = field(default=(), metadata=DESCRIPTIVE)  # of each text


@dataclass(frozen=True)
class Candidate(Record):
    """One sampled answer. ``count`` of the ``n`` samples drawn at once had exactly this text."""

    prompt: str
    model: str  # id of the ModelVersion, or "surgeon:ID" for a corrected answer
    text: str
    reasoning: str = ""  # kept apart, never trained on unless asked
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=_nothing)  # the sampling parameters and the engine
    finish_reason: FinishReason = "stop"
    count: int = 1
    passages: int | None = None  # how many of the prompt's passages were shown; None: all
    tokens: int = field(default=0, metadata=DESCRIPTIVE)
    logprob: float | None = field(default=None, metadata=DESCRIPTIVE)  # mean over the answer's tokens, in nats


@dataclass(frozen=True)
class Call(Record):
    """One call to a judge that was paid for, and what came back, word for word.

    ``key`` says what was asked (`annotate.call_cache.call_key`). Several calls may have one key: a failure that passed,
    then an answer. As with a log entry, ``run`` tells apart two calls that say the same, since both were paid for.
    """

    key: str
    assessor: str
    reply: str = ""
    cause: str = ""  # why it is no answer; "" if the model spoke to the end
    levels: Mapping[str, Any] = field(default_factory=_nothing)  # level -> probability, where the server told it
    run: str = ""
    tokens_in: int = field(default=0, metadata=DESCRIPTIVE)
    tokens_out: int = field(default=0, metadata=DESCRIPTIVE)
    cost: float = field(default=0.0, metadata=DESCRIPTIVE)  # in the currency of the judge's price list
    seconds: float = field(default=0.0, metadata=DESCRIPTIVE)  # retries and waits included
    attempts: int = field(default=1, metadata=DESCRIPTIVE)  # HTTP requests that the tokens and the cost are of


@dataclass(frozen=True)
class Rating(Record):
    """One assessor's points for one candidate answer, by criteria that it meets or does not.

    After HealthBench (Arora et al., 2025). ``model`` repeats what the candidate says.
    A failure has no score and its ``cause``; it is never 0.
    """

    prompt: str
    candidate: str
    model: str
    assessor: str
    score: float | None = None  # share of the points that can be had, in [0, 1]; None: invalid
    met: Mapping[str, Any] = field(default_factory=_nothing)  # criterion -> is it met?
    rubric: str = ""  # the criteria's name and version
    rationale: str = ""
    cause: str = ""  # why it is invalid
    reply: str = ""  # what the assessor said, word for word, where that is not all in the fields above
    call: str | None = None  # key of the `Call` that it was read from
    count: int = field(default=1, metadata=DESCRIPTIVE)  # how many samples have this text
    tokens: int = field(default=0, metadata=DESCRIPTIVE)
    cost: float = field(default=0.0, metadata=DESCRIPTIVE)  # in the currency of the judge's price list
    seconds: float = field(default=0.0, metadata=DESCRIPTIVE)


@dataclass(frozen=True)
class ReviewItem(Record):
    """Two answers sent to surgeons for review, in the order in which they are shown to all of them."""

    prompt: str
    a: str  # candidate ids, in canonical order
    b: str
    order: Order
    queue: Queue
    batch: int  # number of the push, from 1
    selection_probability: float  # chance that this contest was sent to this queue, in (0, 1]
    why: str = ""  # what it was sent for: "judge flipped", "judges disagree", ...
    repeat_of: str | None = None  # id of the item that it asks again, unknown to the surgeons


@dataclass(frozen=True)
class Comparison(Record):
    """One assessor's verdict on two candidate answers to one prompt, in canonical order ``a < b``.

    ``model_a`` and ``model_b`` repeat what the candidates say, so that a win rate needs no join.
    A failure has the verdict ``invalid`` and its ``cause``; it is never a tie.
    """

    prompt: str
    a: str
    b: str
    model_a: str
    model_b: str
    assessor: str  # "surgeon:07", "judge:gpt-oss-120b", "metric:reference", "simulated:1"
    verdict: Verdict
    strength: float = 0.5  # P(a is better), in [0, 1]; 0.5 for a tie, and for invalid, where it means nothing
    order: Order = "ab"  # which answer was shown first
    rubric: str = ""  # the rubric's name and version
    axes: Mapping[str, Any] = field(default_factory=_nothing)  # axis -> [score of a, score of b]
    flags: tuple[str, ...] = ()  # "harm_a", "harm_b", "missing_information"
    rationale: str = ""
    cause: str = ""  # why the verdict is invalid
    reply: str = ""  # what the assessor said, word for word, where that is not all in the fields above
    call: str | None = None  # key of the `Call` that the verdict was read from
    item: str | None = None  # id of the `ReviewItem` that a surgeon answered
    supersedes: str | None = None  # id of the comparison by the same surgeon whose place this one takes
    count: int = field(default=1, metadata=DESCRIPTIVE)  # how many pairs of samples it stands for; 0: a hidden repeat
    selection_probability: float = field(default=1.0, metadata=DESCRIPTIVE)  # chance of being sent here, in (0, 1]
    tokens: int = field(default=0, metadata=DESCRIPTIVE)
    cost: float = field(default=0.0, metadata=DESCRIPTIVE)  # in the currency of the judge's price list
    seconds: float = field(default=0.0, metadata=DESCRIPTIVE)


@dataclass(frozen=True)
class Pair(Record):
    """Two answers to one prompt, one preferred, and the comparisons that say so."""

    prompt: str
    chosen: str
    rejected: str
    weight: float  # probability that chosen is better, in (0.5, 1]
    comparisons: tuple[str, ...]


@dataclass(frozen=True)
class ModelVersion(Record):
    """A set of weights and how it came to be. ``pairs`` is the hash over the ids of the exact pairs (`pairs_hash`)."""

    name: str
    method: Method
    weights: str  # hash of the weight files
    parent: str | None = None
    pairs: str = ""
    config: Mapping[str, Any] = field(default_factory=_nothing)
    seed: int = 0
    path: str = field(default="", metadata=DESCRIPTIVE)  # folder or hub id; an adapter's is relative to the workspace
    adapter: bool = field(default=False, metadata=DESCRIPTIVE)  # a LoRA adapter on top of the parent
    code: str = field(default="", metadata=DESCRIPTIVE)
    libraries: Mapping[str, Any] = field(default_factory=_nothing, metadata=DESCRIPTIVE)
    metrics: Mapping[str, Any] = field(default_factory=_nothing, metadata=DESCRIPTIVE)


@dataclass(frozen=True)
class Round(Record):
    """The start of one round: which policy, which method, with which settings."""

    number: int
    policy: str
    method: Method
    config: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True)
class Decision(Record):
    """The end of a round: is the trained model the next round's policy, and why. The last one on a model holds."""

    round: str
    model: str
    opponent: str
    promoted: bool
    reason: str
    win_rate: float
    low: float
    high: float
    n_prompts: int
    outcome: Outcome | None = None  # by the rules; None: decided before there were rules
    rules: str = ""  # hash of the rules
    forced: str = ""  # why somebody decided otherwise
    evidence: Mapping[str, Any] = field(default_factory=_nothing)  # what it was decided by
    follows: str | None = None  # id of the decision on the same model whose place this one takes


@dataclass(frozen=True)
class LogEntry(Record):
    """What was done, by which code version. When is the ledger's own time stamp."""

    stage: str
    event: str  # "started", "finished", "failed", ...
    detail: Mapping[str, Any] = field(default_factory=_nothing)
    code: str = ""
    run: str = ""  # with ``number``, tells apart two entries that say the same
    number: int = 0  # its place among the entries of its run


def pairs_hash(pair_ids: list[str]) -> str:
    """The hash of a training set: over its pair ids, whatever their order. Empty for no pairs."""
    return digest(["pairs", sorted(pair_ids)]) if pair_ids else ""
