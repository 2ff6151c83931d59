"""What every engine takes and gives."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Protocol, TypeVar

from ledger.config import ChatConfig
from ledger.records import FinishReason, Prompt
from sampling.chat import Turn, conversation

T = TypeVar("T")

# An engine that has no batches hands out what has ended when it is so many answers, or after so long.
TOGETHER, SECONDS = 64, 1.0


@dataclass(frozen=True)
class Request:
    """One prompt to answer at one temperature, once for each seed.

    The seeds follow one another, so that an engine may draw sample i of n as the single sample of seed ``s + i``.
    A request without seeds has its answers already: it is not answered, but keeps its place in a batch, so that a run
    that goes on forms the batches of an undisturbed one.
    """

    prompt: Prompt
    chat: ChatConfig
    temperature: float
    seeds: tuple[int, ...]
    passages: int | None = None  # how many of the prompt's passages are shown; None for all

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """What the model is shown."""
        return tuple(conversation(self.prompt, self.chat, self.passages))

    def without_last_passage(self) -> Request | None:
        """The same with one passage less; None where there is none left to cut."""
        shown = len(self.prompt.context) if self.passages is None else self.passages
        return replace(self, passages=shown - 1) if shown else None


@dataclass(frozen=True)
class Sample:
    """One answer as drawn."""

    text: str
    seed: int
    finish_reason: FinishReason
    tokens: int  # of text and reasoning
    logprob: float | None  # mean over those tokens, in nats, under the untempered distribution; None: not told
    reasoning: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a request: its samples, or why there are none."""

    request: Request  # as it was answered, perhaps with fewer passages
    samples: tuple[Sample, ...] = ()
    cause: str = ""  # why samples are missing


class Engine(Protocol):
    """Draws answers. The same request gives the same text, whatever else is answered beside it."""

    @property
    def name(self) -> str:
        """As the configuration names it."""
        ...

    def sample(self, requests: Iterable[Request]) -> Generator[Sequence[Answer], None, None]:
        """Answer requests, reading them as the work goes on; yields what has ended since, in any order.

        What concerns one request is an `Answer` with its cause. Close the generator if it is left early.

        Raises:
            WardroundError: no further request can be answered.
        """
        ...


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one of what is left."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def unanswered(requests: Iterable[Request]) -> Iterator[Request]:
    """Those that have something to draw: for engines that form no batches."""
    return (request for request in requests if request.seeds)
