"""Answers from any OpenAI-compatible server: `vllm serve` first of all.

One event loop, stepped while the answers are asked for, holds as many requests in flight as `server.concurrency` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any

from ledger.config import Config
from ledger.records import ModelVersion
from sampling.endpoint import PLAIN, Endpoint, NoReply, open_endpoint
from sampling.endpoint_refusal import BAD_REQUEST, is_overlong, read_refusal
from sampling.endpoint_screen import withheld
from sampling.engines.choices import read_choices
from sampling.engines.protocol import SECONDS, TOGETHER, Answer, Request, Sample, unanswered
from sampling.in_flight import Crew, Gathering

# Without these an answer is still drawn as the configuration says, though not told as well, or not repeatably.
OPTIONAL = ("logprobs", "seed", "max_tokens", *PLAIN)


class OpenAIEngine:
    """Asks a server, each prompt in one request where the server draws several answers in one."""

    name = "openai"

    def __init__(self, endpoint: Endpoint, config: Config, runner: asyncio.Runner) -> None:
        """``runner`` holds the event loop that ``endpoint`` was opened in."""
        self.endpoint, self.config = endpoint, config
        self._runner = runner
        self._one_by_one = False  # learnt: this server draws one answer a request

    def sample(self, requests: Iterable[Request]) -> Generator[Sequence[Answer], None, None]:
        """Answer requests; reads no further ahead than requests may be in flight.

        Raises:
            EndpointError: no further request can succeed; what had been answered by then was yielded before.
        """
        crew = Crew(unanswered(requests), self.answer, Gathering(TOGETHER, SECONDS))
        crew.start(self.config.server.concurrency, self._runner.get_loop())
        try:
            while crew.has_more:
                if ended := self._runner.run(crew.some()):
                    yield ended
            if crew.error is not None:
                raise crew.error
        finally:
            self._runner.run(crew.stop())

    async def answer(self, request: Request) -> Answer:
        """One request answered; passages are cut from the end of its context where that is configured and needed.

        Raises:
            EndpointError: no request can succeed.
        """
        cause = withheld(turn["content"] for turn in request.turns) if self.endpoint.foreign else ""
        if cause:
            return Answer(request, cause=cause)
        whole, fits = await self._draw(request)
        answer, shown = whole, request
        while not fits and self.config.sample.overlong == "cut_context" and (less := shown.without_last_passage()):
            shown = less
            answer, fits = await self._draw(shown)
        return answer if fits else whole

    async def _draw(self, request: Request) -> tuple[Answer, bool]:
        """The answer to a request as it is, and whether the prompt fits the model's window.

        A server that gives fewer answers than it is asked for is asked for the rest.
        """
        samples: list[Sample] = []
        most = 1 if self._one_by_one else len(request.seeds)
        while left := request.seeds[len(samples) :]:
            seeds = left[:most]
            got = await self.endpoint.complete(self._body(request, seeds), partial(read_choices, seeds=seeds), OPTIONAL)
            if isinstance(got, NoReply):
                if is_overlong(got.status, read_refusal(got.said.encode())):
                    return Answer(request, tuple(samples), f"too long: {got.message}"), False
                if got.status in BAD_REQUEST and len(seeds) > 1:
                    most = 1  # perhaps it is for their number
                    continue
                return Answer(request, tuple(samples), ": ".join(filter(None, (got.cause, got.message)))), True
            if most < len(request.seeds):
                self._asks_one_by_one()
            samples += got.samples
            if got.cause:
                break
        return Answer(request, tuple(samples), got.cause), True

    def _body(self, request: Request, seeds: Sequence[int]) -> dict[str, Any]:
        body = {
            "messages": request.turns,
            "n": len(seeds),
            "seed": seeds[0],
            "temperature": request.temperature,
            "top_p": self.config.sample.top_p,
            "max_tokens": self.config.sample.max_new_tokens,
            "logprobs": True,
            **PLAIN,
        }
        if request.chat.template:
            body["chat_template_kwargs"] = request.chat.template
        return body

    def _asks_one_by_one(self) -> None:
        if not self._one_by_one:
            self._one_by_one = True
            self.endpoint.notice("takes no n > 1: asking for one answer at a time")


@contextmanager
def open_openai(config: Config, version: ModelVersion) -> Iterator[OpenAIEngine]:
    """The engine on the configured server, which is asked for ``version`` by its name.

    ``server.model`` is another name of the SFT model alone: trained ones would be mistaken for it.

    Raises:
        ConfigError: the server's address cannot be used, or its key is not set.
        EndpointError: the server refuses, cannot be reached, or has no such model.
    """
    server = config.server if version.parent is None else config.server.model_copy(update={"model": ""})
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        endpoint = runner.run(opened.enter_async_context(open_endpoint(server, "server", version.name)))
        try:
            yield OpenAIEngine(endpoint, config, runner)
        finally:
            runner.run(opened.aclose())
