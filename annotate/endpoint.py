"""One OpenAI-compatible endpoint, by the openai SDK: who may be asked, what it answered, and why it did not.

What concerns one request (a timeout, a 500, a refusal, a cut reply) comes back as a `Reply` with its cause. What
concerns them all (a wrong key, an unknown model, a server that is gone) is an `EndpointError`, found by `check` before
anything is spent, and again whenever a connection breaks.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from annotate.endpoint_address import Address, address_of
from ledger.config import JudgeConfig
from ledger.errors import EndpointError
from ledger.records import storable
from ledger.screen import say
from sampling.chat import Turn

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response
    from openai import APIStatusError, AsyncOpenAI

CHECK_SECONDS = 20.0
CONNECT_SECONDS = 10.0
PROBE_TOKENS = 16
MOST_CHARACTERS = 100_000  # of a reply that is kept
LEAST_SECRET = 8  # characters; a shorter key is a placeholder, and taking it out would garble the text
NO_LISTING = (404, 405, 501)  # a server that does not list its models
BUSY = 429
BAD_REQUEST = (400, 422)
WHOLE_ENDPOINT: Mapping[int, tuple[str, str]] = {
    401: ("the key is refused", "set a valid key in {key_env}"),
    402: ("there is no credit left", "top up the account; what was judged stays"),
    403: ("the key is refused", "set a key in {key_env} that may use {model}"),
    404: ("no model {model} here", "check judge.model and judge.base_url, which mostly ends in /v1"),
}


@dataclass(frozen=True)
class Reply:
    """What came back: the model's text, or with a ``cause`` whatever there was instead."""

    text: str = ""
    cause: str = ""  # "" if the model spoke to the end
    tokens: int = 0  # prompt and reply together, as the server counts them
    seconds: float = 0.0  # retries and waits included


class Endpoint:
    """An open endpoint; see `open_endpoint`."""

    def __init__(self, config: JudgeConfig, address: Address, client: AsyncOpenAI) -> None:
        """``address.foreign`` texts are to be screened before they are asked about."""
        self.config, self.address, self.client = config, address, client
        self._untaken: set[str] = set()  # request fields that this server does not take

    @property
    def foreign(self) -> bool:
        """Does text sent here leave the hospital?"""
        return self.address.foreign

    async def ask(self, messages: Sequence[Turn], schema: Mapping[str, Any]) -> Reply:
        """One completion that keeps to a JSON schema, where the server can hold the model to one.

        The SDK retries timeouts, cut connections, 408, 409, 429 and 5xx, and honours Retry-After up to two minutes.

        Raises:
            EndpointError: no request can succeed: wrong key, unknown model, no credit, or the server is gone.
        """
        began = time.perf_counter()
        reply = await self._ask(messages, schema)
        return replace(reply, text=self._keepable(reply.text), seconds=time.perf_counter() - began)

    async def _ask(self, messages: Sequence[Turn], schema: Mapping[str, Any]) -> Reply:
        import openai

        try:
            response = await self._complete(self._body(messages, schema), self.client)
        except openai.APIStatusError as error:
            if error.status_code in WHOLE_ENDPOINT or error.code == "insufficient_quota":
                raise self._refusal(error) from error
            return Reply(error.response.text, status_cause(error.status_code))
        except openai.APITimeoutError:
            return Reply(cause="timeout")
        except openai.APIConnectionError:
            await self.check()
            return Reply(cause="connection cut")
        return read_completion(response.content)

    async def check(self) -> None:
        """Is the server there, does it take the key, has it the model? Free where the server lists its models.

        Raises:
            EndpointError: one of these is not so.
        """
        import openai

        try:
            if self.config.model not in await self._listed():
                await self._probe()
        except openai.APIStatusError as error:
            if error.status_code != BUSY or error.code == "insufficient_quota":
                raise self._refusal(error) from error
        except openai.APIConnectionError as error:
            late = isinstance(error, openai.APITimeoutError)
            raise EndpointError(
                f"does not answer within {CHECK_SECONDS:.0f} s" if late else "cannot be reached",
                where=self.address.shown,
                advice="check judge.base_url, and that the server runs; what was judged stays",
            ) from error

    async def _listed(self) -> tuple[str, ...]:
        import httpx2
        import openai

        try:
            once = self.client.with_options(max_retries=0, timeout=CHECK_SECONDS)
            response = await once.get("/models", cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            if error.status_code in NO_LISTING:
                return ()
            raise
        return model_names(response.content)

    async def _probe(self) -> None:
        """Ask for a word: the only way to learn whether an unlisted model is served."""
        import openai

        body = {"model": self.config.model, "messages": [{"role": "user", "content": "Say: ready"}]}
        try:
            once = self.client.with_options(max_retries=0, timeout=CHECK_SECONDS)
            response = await self._complete({**body, "max_tokens": PROBE_TOKENS}, once)
        except openai.APIStatusError as error:
            if error.status_code in BAD_REQUEST:  # how some servers say that they have no such model
                raise self._refusal(error, *WHOLE_ENDPOINT[404]) from error
            raise
        if read_completion(response.content).cause == "malformed response":
            raise EndpointError(
                "is no OpenAI-compatible server",
                where=self.address.shown,
                advice="check judge.base_url, which mostly ends in /v1",
            )

    def _body(self, messages: Sequence[Turn], schema: Mapping[str, Any]) -> dict[str, Any]:
        form = {"name": "verdict", "strict": True, "schema": dict(schema)}
        return {
            "model": self.config.model,
            "messages": list(messages),
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": form},
        }

    async def _complete(self, body: Mapping[str, Any], client: AsyncOpenAI) -> Response:
        import httpx2
        import openai

        while True:
            sent = taken(body, self._untaken)
            try:
                return await client.post("/chat/completions", cast_to=httpx2.Response, body=sent)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                field = untaken_field(str(error), error.param, sent)
                if field is None:
                    raise
                if field not in self._untaken:
                    self._untaken.add(field)
                    say(f"{self.address.shown} does not take {field}: going on without it")

    def _refusal(self, error: APIStatusError, what: str = "", advice: str = "") -> EndpointError:
        status = error.status_code
        if error.code == "insufficient_quota":
            what, advice = WHOLE_ENDPOINT[402]
        elif not what:
            what, advice = WHOLE_ENDPOINT.get(status, ("no completion", "look into the server's own log"))
        names = {"model": repr(self.config.model), "key_env": self.config.key_env}
        said = self._keepable(str(error.message))[:300]
        return EndpointError(
            f"{what.format(**names)} ({status}: {said})", where=self.address.shown, advice=advice.format(**names)
        )

    def _keepable(self, text: str) -> str:
        """``text`` as it may be kept and shown: some servers repeat the key that they were given."""
        key = self.address.key
        safe = text.replace(key, "[key]") if len(key) >= LEAST_SECRET else text
        return storable(safe[:MOST_CHARACTERS])


@asynccontextmanager
async def open_endpoint(config: JudgeConfig) -> AsyncIterator[Endpoint]:
    """The endpoint that the configuration names, checked.

    Raises:
        ConfigError: its address cannot be used, or its key is not set.
        EndpointError: see `Endpoint.check`.
    """
    from openai import AsyncOpenAI

    address = address_of(config)
    async with AsyncOpenAI(
        api_key=address.key,
        base_url=config.base_url,
        max_retries=config.retries,
        http_client=_transport(config, address),
    ) as client:
        endpoint = Endpoint(config, address, client)
        await endpoint.check()
        yield endpoint


def _transport(config: JudgeConfig, address: Address) -> AsyncClient:
    """HTTP that goes nowhere but to the address: no redirects, and no proxy on the way to a machine of the house."""
    import asyncio

    import httpx2

    class Patient(httpx2.AsyncClient):
        """Ends an attempt that takes too long as a whole; a time limit per read never ends a server that drips."""

        async def send(self, request: httpx2.Request, **settings: Any) -> httpx2.Response:
            try:
                async with asyncio.timeout(config.timeout_seconds):
                    return await super().send(request, **settings)
            except TimeoutError as error:
                raise httpx2.ReadTimeout("the attempt took too long", request=request) from error

    limits = httpx2.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency)
    timeout = httpx2.Timeout(config.timeout_seconds, connect=min(CONNECT_SECONDS, config.timeout_seconds))
    direct = None if address.foreign else {"all://": None, "http://": None, "https://": None}
    return Patient(limits=limits, timeout=timeout, follow_redirects=False, mounts=direct)


def read_completion(raw: bytes) -> Reply:
    """What a chat completion says; anything else that a server may send has its cause."""
    shown = raw.decode("utf-8", "replace")
    try:
        body = orjson.loads(raw)
        choices, usage = body["choices"], body.get("usage") or {}
        tokens = int(usage.get("total_tokens") or 0)
        if not choices:
            return Reply(shown, "empty", tokens)
        message, finish = choices[0]["message"], choices[0].get("finish_reason")
        text, refusal = message.get("content") or "", message.get("refusal") or ""
        if not isinstance(text, str) or not isinstance(refusal, str):
            raise TypeError("no text")
    except (ValueError, LookupError, TypeError, AttributeError):
        return Reply(shown, "malformed response")
    if refusal or finish == "content_filter":
        return Reply(refusal or text, "refused", tokens)
    if finish == "length":
        return Reply(text, "cut", tokens)
    return Reply(text, "" if text.strip() else "empty", tokens)


def status_cause(status: int) -> str:
    """Why a request with this HTTP status came to nothing."""
    if status == BUSY:
        return "rate limited"
    return f"server error {status}" if status >= 500 else f"request refused {status}"


def model_names(raw: bytes) -> tuple[str, ...]:
    """The ids in a server's list of models; none if it is no such list."""
    try:
        return tuple(str(model["id"]) for model in orjson.loads(raw)["data"])
    except (ValueError, LookupError, TypeError):
        return ()


def untaken_field(said: str, param: str | None, sent: Mapping[str, Any]) -> str | None:
    """The optional field of a request that a server says it does not take, so that the rest can do without."""
    names = f"{param or ''} {said}".lower()
    if "response_format" in sent and any(word in names for word in ("response_format", "json_schema", "json schema")):
        return "response_format"
    if "unsupported" in names or "not support" in names:
        return next((field for field in ("max_tokens", "temperature") if field in sent and field in names), None)
    return None


def taken(body: Mapping[str, Any], untaken: set[str]) -> dict[str, Any]:
    """``body`` without the fields that the server does not take; the token limit goes by its newer name."""
    sent = {field: value for field, value in body.items() if field not in untaken}
    if "max_tokens" in untaken and "max_tokens" in body:
        sent["max_completion_tokens"] = body["max_tokens"]
    return sent
