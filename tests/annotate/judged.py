"""Contests before a judge on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from annotate.budget import Budget
from annotate.caller import Caller, Recall
from annotate.contests import Contest, contest
from annotate.judge import Work, both_orders, judge
from annotate.rubric import AnyRubric, Rubric
from ledger.config import JudgeConfig
from ledger.records import Candidate, Comparison, Message, Prompt
from sampling.endpoint import open_endpoint
from tests.openai_server import MODEL, Scripted

RUBRIC = Rubric("test", "Prefer the safer answer.")
PROMPT = Prompt(messages=(Message("user", "Which repair suits a groin hernia?"),), reference="Mesh repair.")
ASSESSOR = "judge:judge-1"


def a_contest(one: str = "good", other: str = "poor", prompt: Prompt = PROMPT) -> Contest:
    first, second = (Candidate(prompt.id, model, text) for model, text in (("m1", one), ("m2", other)))
    return contest(prompt, first, second)


@asynccontextmanager
async def calling(
    server: Scripted, *, foreign: bool = False, recall: Recall = lambda _: {}, budget: Budget | None = None, **said: Any
) -> AsyncIterator[Caller]:
    """A judge at its endpoint; ``foreign``: as if the server stood outside the hospital."""
    config = JudgeConfig(**{"model": MODEL, "base_url": server.url, "timeout_seconds": 5, "retries": 0, **said})
    async with open_endpoint(config, "judge") as endpoint:
        endpoint.address = replace(endpoint.address, foreign=foreign)
        yield Caller(endpoint, config, recall, budget)


def judged(
    server: Scripted, contests: Iterable[Contest | Work], *, rubric: AnyRubric = RUBRIC, **said: Any
) -> list[Comparison]:
    """Judge all of it; ``said``: see `calling`."""

    async def run() -> list[Comparison]:
        async with calling(server, **said) as caller:
            return [comparison async for made in judge(work(contests), caller, rubric) for comparison in made]

    return asyncio.run(run())


def work(contests: Iterable[Contest | Work]) -> Iterator[Work]:
    """Contests in both orders, work as it is."""
    for each in contests:
        yield from [each] if isinstance(each, Work) else both_orders([each])
