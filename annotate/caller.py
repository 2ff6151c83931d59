"""Calls to one judge: what it was asked before comes from the ledger, what it is asked now is paid for and kept."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

from annotate.budget import Budget, Meter, prices_of
from annotate.call_cache import call_key, known_calls
from annotate.judge_call import ask, question_body
from ledger.config import JudgeConfig
from ledger.records import Call
from ledger.workspace import Workspace
from sampling.chat import Turn
from sampling.endpoint import Endpoint, open_endpoint

Recall = Callable[[Sequence[str]], Mapping[str, Call]]  # keys -> the calls that need not be made again


@dataclass(frozen=True)
class Question:
    """All that a reply depends on; see `call_cache.call_key`."""

    config: JudgeConfig
    messages: Sequence[Turn]
    schema: Mapping[str, Any]
    rubric: str  # its version
    order: str = ""  # which answer is shown first, where there are two
    sample: int = 0
    repair: int = 0
    alternatives: int = 0  # tokens to be told at each place

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The request."""
        return question_body(self.config, self.messages, self.schema, self.alternatives)

    @cached_property
    def key(self) -> str:
        """Of the call that would put it."""
        return call_key(
            self.config.model,
            self.messages,
            rubric=self.rubric,
            order=self.order,
            decoding={name: value for name, value in self.body.items() if name != "messages"},
            sample=self.sample,
            repair=self.repair,
        )


class Said(NamedTuple):
    """A call, and whether it was made just now."""

    call: Call
    is_new: bool


class Caller:
    """One judge at its open endpoint."""

    def __init__(
        self, endpoint: Endpoint, config: JudgeConfig, recall: Recall, budget: Budget | None = None, run: str = ""
    ) -> None:
        """``run``: of the workspace, recorded with each call."""
        self.endpoint, self.config = endpoint, config
        self.assessor = f"judge:{config.model}"
        self._recall, self._run = recall, run
        self._budget, self._prices = budget or Budget(), prices_of(config)
        self._made: list[Call] = []

    def recalled(self, questions: Sequence[Question]) -> list[Call | None]:
        """What the ledger knows of each question."""
        found = self._recall([question.key for question in questions])
        return [found.get(question.key) for question in questions]

    async def ask(self, question: Question, known: Call | None = None) -> Said:
        """The judge's reply, by a call unless it is ``known``.

        Raises:
            EndpointError: no call can succeed.
            BudgetError: the budget holds no further call.
        """
        if known is not None:
            return Said(known, is_new=False)
        meter = Meter(self._budget, self._prices)
        began = time.perf_counter()
        reply = await ask(self.endpoint, question.body, meter.admit)
        call = Call(
            key=question.key,
            assessor=self.assessor,
            reply=reply.text,
            cause=reply.cause,
            levels=reply.levels or {},
            run=self._run,
            tokens_in=meter.told.tokens_in,
            tokens_out=meter.told.tokens_out,
            cost=meter.charged.cost,
            seconds=time.perf_counter() - began,
            attempts=meter.charged.calls,
        )
        self._made.append(call)
        return Said(call, is_new=True)

    def made(self) -> list[Call]:
        """The calls since this was asked last; whoever asks keeps them."""
        made, self._made = self._made, []
        return made


@asynccontextmanager
async def open_caller(workspace: Workspace, config: JudgeConfig, budget: Budget) -> AsyncIterator[Caller]:
    """One judge at its endpoint, checked; what is still unsaved of its calls at the end is saved.

    Raises:
        ConfigError: its address cannot be used, or its key is not set.
        EndpointError, BudgetError: see `Endpoint.check`.
    """
    admit = Meter(budget, prices_of(config)).admit
    recall = partial(known_calls, workspace.ledger)
    async with open_endpoint(config, "judge", admit=admit) as endpoint:
        caller = Caller(endpoint, config, recall, budget, workspace.run)
        try:
            yield caller
        finally:
            workspace.ledger.append(caller.made())
