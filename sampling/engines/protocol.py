"""What every engine takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.records import FinishReason
from sampling.chat import Turn


@dataclass(frozen=True)
class Request:
    """One prompt to answer, once for each seed."""

    prompt: str  # id
    turns: tuple[Turn, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One answer as drawn."""

    text: str
    seed: int
    finish_reason: FinishReason
    tokens: int
    logprob: float | None  # mean over the answer's tokens, in nats, under the untempered distribution
    reasoning: str = ""


class Engine(Protocol):
    """Draws answers. The same request gives the same text, whatever batch it falls in."""

    @property
    def name(self) -> str:
        """As the configuration names it."""
        ...

    def length(self, request: Request) -> int:
        """How many tokens the prompt has."""
        ...

    def sample(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Answer a batch."""
        ...
