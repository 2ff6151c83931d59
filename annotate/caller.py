"""Calls to one judge: what it was asked before comes from the ledger, what it is asked now is paid for and kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

from annotate.assessor_kinds import JUDGE
from annotate.budget import Budget, Meter, prices_of
from annotate.call_cache import call_key, has_passed, known_calls
from annotate.judge_call import ask, question_body
from ledger.config import JudgeConfig
from ledger.records import Call
from ledger.workspace import Workspace
from sampling.chat import Turn
from sampling.endpoint import Endpoint, open_endpoint

AT_HAND = 1_024  # replies

Recall = Callable[[Sequence[str]], Mapping[str, Call]]  # keys -> the calls that need not be made again


@dataclass(frozen=True)
class Question:
    """All that a reply depends on; see `call_cache.call_key`."""

    config: JudgeConfig
    messages: Sequence[Turn]
    schema: Mapping[str, Any]
    rubric: str  # its version
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
        self,
        endpoint: Endpoint,
        config: JudgeConfig,
        recall: Recall,
        budget: Budget | None = None,
        *,
        run: str = "",
        keep: Callable[[list[Call]], object] | None = None,
    ) -> None:
        """``run``: of the workspace, recorded with each call. ``keep``: writes calls down, see `save`."""
        self.endpoint, self.config = endpoint, config
        self.assessor = f"{JUDGE}{config.model}"
        self.recall, self._run, self._keep = recall, run, keep
        self._budget, self._prices = budget or Budget(), prices_of(config)
        self._made: list[Call] = []
        self._asked: dict[str, asyncio.Future[Call | None]] = {}  # the last questions, by key

    async def ask(self, question: Question, known: Call | None = None) -> Said:
        """The judge's reply, by a call unless it is ``known`` or the same was asked a moment ago.

        Raises:
            EndpointError: no call can succeed.
            BudgetError: the budget holds no further call.
        """
        if known is not None:
            return Said(known, is_new=False)
        while (before := self._asked.get(question.key)) is not None:
            call = await asyncio.shield(before)
            if call is not None and not has_passed(call.cause):
                return Said(call, is_new=False)
            if self._asked.get(question.key) is before:
                del self._asked[question.key]
        return Said(await self._ask_once(question), is_new=True)

    async def _ask_once(self, question: Question) -> Call:
        """Ask, and let whoever asks the same meanwhile wait for the reply."""
        asked = self._asked[question.key] = asyncio.get_running_loop().create_future()
        call: Call | None = None
        try:
            call = await self._call(question)
        finally:
            asked.set_result(call)
            self._forget()
        self._made.append(call)
        return call

    async def _call(self, question: Question) -> Call:
        meter = Meter(self._budget, self._prices)
        began = time.perf_counter()
        reply = await ask(self.endpoint, question.body, meter.admit)
        return Call(
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

    def _forget(self) -> None:
        """Keep no more replies at hand than may be asked for before the ledger is looked into again."""
        while len(self._asked) > AT_HAND and next(iter(self._asked.values())).done():
            del self._asked[next(iter(self._asked))]

    def made(self) -> list[Call]:
        """The calls since this was asked last; whoever asks keeps them."""
        made, self._made = self._made, []
        return made

    def save(self) -> None:
        """Write the calls since down at once: before a long wait, so that a crash does not cost them."""
        if self._keep is not None:
            self._keep(self.made())


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
        caller = Caller(endpoint, config, recall, budget, run=workspace.run, keep=workspace.ledger.append)
        try:
            yield caller
        finally:
            caller.save()
