"""One OpenAI-compatible endpoint: who may be asked, what it answered, and why it did not.

What concerns one request (a timeout, a 500, a cut reply) comes back as a `NoReply` with its cause. What concerns them
all (a wrong key, an unknown model, a server that is gone) is an `EndpointError`, found by `check` before anything is
spent, and again whenever a connection breaks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import orjson

from ledger.config import EndpointConfig
from ledger.errors import BudgetError, EndpointError
from ledger.records import storable
from ledger.screen import say
from sampling.endpoint_address import Address, Table, address_of
from sampling.endpoint_listing import model_names, owner_of
from sampling.endpoint_refusal import BAD_REQUEST, BUSY, Refusal, read_refusal, status_cause, untaken_field
from sampling.endpoint_transport import CUT, TIMEOUT, Response, Transport, UnreachedError, open_transport

T = TypeVar("T")
# Who lets a request pass that may have to be paid for: given its body and how many bytes that is, it may wait, or raise
# `BudgetError`. What it returns is called when the request has ended, with the response's body, or None without one.
Settle = Callable[[bytes | None], None]
Admit = Callable[[Mapping[str, Any], int], Awaitable[Settle]]

CHECK_SECONDS = 20.0
PROBE_TOKENS = 16
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds between attempts, doubled each time
PATIENCE = 120.0  # seconds; a server that asks for more is not waited for
MOST_CHARACTERS = 100_000  # of a reply that is kept
LEAST_SECRET = 8  # characters; a shorter key is a placeholder, and taking it out would garble the text
NO_LISTING = (404, 405, 501)  # a server that does not list its models
PASSING = (408, 409, BUSY)  # and all from 500 up
MALFORMED = "malformed response"
# Where a request is silent, some servers take what came with the model, which may change what is said.
FILLING_IN = ("vllm", "sglang")
PLAIN: Mapping[str, float] = MappingProxyType({"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0})
WHOLE_ENDPOINT: Mapping[int, tuple[str, str]] = {
    401: ("the key is refused", "set a valid key in {key_env}"),
    402: ("there is no credit left", "top up the account; what was answered stays"),
    403: ("the key is refused", "set a key in {key_env} that may use {model}"),
    404: ("no model {model} here", "check {table}.model and {table}.base_url, which mostly ends in /v1"),
}


class UnusableError(Exception):
    """A completion that another attempt may better; its text is the cause."""


@dataclass(frozen=True)
class NoReply:
    """Why a request came to nothing."""

    cause: str
    said: str = ""  # what the server sent instead
    status: int = 200
    wait: float | None = None  # seconds that the server asks for before the next attempt
    passing: bool = False  # may another attempt fare better?

    @property
    def message(self) -> str:
        """What the server said in words, on one line."""
        return read_refusal(self.said.encode()).message


class Endpoint:
    """An open endpoint; see `open_endpoint`."""

    def __init__(self, config: EndpointConfig, address: Address, model: str, line: Transport) -> None:
        """``address.foreign`` texts are to be screened before they are asked about."""
        self.config, self.address, self.model = config, address, model
        self._line = line
        self.fills_in = False  # does the server say that it takes what is not said from the model's own settings?
        self._untaken: set[str] = set()  # request fields that this server does not take

    @property
    def foreign(self) -> bool:
        """Does text sent here leave the hospital?"""
        return self.address.foreign

    async def complete(
        self,
        body: Mapping[str, Any],
        read: Callable[[bytes], T],
        optional: Collection[str] = (),
        admit: Admit | None = None,
    ) -> T | NoReply:
        """What ``read`` makes of the chat completion that ``body`` (without its ``model``) asks for.

        Timeouts, cut connections, 408, 409, 429, 5xx, and completions on which ``read`` raises `UnusableError` are
        tried again with growing waits, or after Retry-After if that is two minutes at most. ``optional`` fields that
        the server does not take are left out from then on. Every attempt passes ``admit``.

        Raises:
            EndpointError: no request can succeed: wrong key, unknown model, no credit, a field that may not be left
                out is not taken, the server asks for a long pause, or it is gone.
            BudgetError: ``admit`` let not even the first attempt pass.
        """
        got = await self._once(body, read, optional, admit=admit)
        attempt = 0
        with suppress(BudgetError):  # what the attempts before it came to stands
            while isinstance(got, NoReply) and self._tries_again(got, attempt):
                await asyncio.sleep(waiting(attempt, got.wait))
                attempt += 1
                got = await self._once(body, read, optional, admit=admit)
            if isinstance(got, NoReply) and got.cause == CUT:
                await self.check(admit)
        return got

    def _tries_again(self, got: NoReply, attempt: int) -> bool:
        if (got.wait or 0.0) > PATIENCE:
            raise EndpointError(
                f"asks for a pause of {got.wait:.0f} s ({got.cause})",
                where=self.address.shown,
                advice="run it again after that; what was answered stays",
            )
        return got.passing and attempt < self.config.retries

    async def _once(
        self,
        body: Mapping[str, Any],
        read: Callable[[bytes], T],
        optional: Collection[str],
        *,
        seconds: float = 0.0,
        admit: Admit | None = None,
    ) -> T | NoReply:
        while True:
            sent = taken({"model": self.model, **body}, self._untaken)
            try:
                response = await self._post(sent, seconds, admit)
            except UnreachedError as error:
                return NoReply(str(error), passing=True)
            if response.ok:
                try:
                    return read(response.body)
                except UnusableError as flaw:
                    return NoReply(str(flaw), self.keepable(_text(response.body)), passing=True)
            refusal = read_refusal(response.body)
            self._stop_if_whole(response, refusal)
            if response.status not in BAD_REQUEST or not self._does_without(refusal, sent, optional):
                return self._no_reply(response)

    async def _post(self, sent: Mapping[str, Any], seconds: float, admit: Admit | None) -> Response:
        raw = orjson.dumps(sent)
        settle = await admit(sent, len(raw)) if admit else None
        said: bytes | None = None
        try:
            response = await self._line.request("POST", "/chat/completions", raw, seconds)
            said = response.body
        finally:
            if settle:
                settle(said)
        return response

    async def check(self, admit: Admit | None = None) -> None:
        """Is the server there, does it take the key, has it the model? Free where the server lists its models.

        Raises:
            EndpointError: one of these is not so.
            BudgetError: ``admit`` does not let the question pass that has to be asked.
        """
        try:
            listing = await self._line.request("GET", "/models", seconds=CHECK_SECONDS)
        except UnreachedError as error:
            raise self._unreachable(str(error)) from error
        refusal = read_refusal(listing.body)
        self.fills_in = owner_of(listing.body) in FILLING_IN
        if listing.ok or listing.status in NO_LISTING:
            if not listing.ok or self.model not in model_names(listing.body):
                await self._probe(admit)
        elif listing.status != BUSY or refusal.is_quota:
            raise self._refused(listing.status, refusal)

    async def _probe(self, admit: Admit | None) -> None:
        """Ask for a word: the only way to learn whether an unlisted model is served."""
        body = {"messages": [{"role": "user", "content": "Say: ready"}], "max_tokens": PROBE_TOKENS}
        got = await self._once(body, _is_completion, ("max_tokens",), seconds=CHECK_SECONDS, admit=admit)
        if not isinstance(got, NoReply) or got.status == BUSY:
            return
        if got.cause == MALFORMED:
            raise EndpointError(
                "is no OpenAI-compatible server",
                where=self.address.shown,
                advice=f"check {self.address.table}.base_url, which mostly ends in /v1",
            )
        if got.cause in (TIMEOUT, CUT):
            raise self._unreachable(got.cause)
        # A bad request is how some servers say that they have no such model.
        raise self._refused(got.status, read_refusal(got.said.encode()), 404 if got.status in BAD_REQUEST else 0)

    def keepable(self, text: str) -> str:
        """``text`` as it may be kept and shown: some servers repeat the key that they were given."""
        key = self.address.key
        safe = text.replace(key, "[key]") if len(key) >= LEAST_SECRET else text
        return storable(safe[:MOST_CHARACTERS])

    def notice(self, text: str) -> None:
        """Tell the person who watches something about this endpoint."""
        say(f"{self.address.shown} {text}")

    def _no_reply(self, response: Response) -> NoReply:
        status = response.status
        return NoReply(
            cause=status_cause(status),
            said=self.keepable(_text(response.body)),
            status=status,
            wait=response.wait,
            passing=status in PASSING or status >= 500,
        )

    def _does_without(self, refusal: Refusal, sent: Mapping[str, Any], optional: Collection[str]) -> bool:
        """Is it for a field of the request that the server refuses, which can be left out?"""
        field = untaken_field(refusal, sent)
        if field is None:
            return False
        if field not in optional:
            raise EndpointError(
                f"does not take {field} ({self.keepable(refusal.message)})",
                where=self.address.shown,
                advice="answers would not be what the configuration says: change that setting, or the server",
            )
        if field not in self._untaken:
            self._untaken.add(field)
            self.notice(f"does not take {field}: going on without it")
        return True

    def _stop_if_whole(self, response: Response, refusal: Refusal) -> None:
        if response.status in WHOLE_ENDPOINT or refusal.is_quota:
            raise self._refused(response.status, refusal)

    def _refused(self, status: int, refusal: Refusal, meaning: int = 0) -> EndpointError:
        """The error that a status means, or that ``meaning`` would."""
        kind = 402 if refusal.is_quota else meaning or status
        what, advice = WHOLE_ENDPOINT.get(kind, ("no completion", "look into the server's own log"))
        names = {"model": repr(self.model), "key_env": self.config.key_env, "table": self.address.table}
        said = self.keepable(refusal.message)
        return EndpointError(
            f"{what.format(**names)} ({status}: {said})", where=self.address.shown, advice=advice.format(**names)
        )

    def _unreachable(self, cause: str) -> EndpointError:
        return EndpointError(
            f"does not answer within {CHECK_SECONDS:.0f} s" if cause == TIMEOUT else "cannot be reached",
            where=self.address.shown,
            advice=f"check {self.address.table}.base_url, and that the server runs; what was answered stays",
        )


@asynccontextmanager
async def open_endpoint(
    config: EndpointConfig, table: Table, model: str = "", admit: Admit | None = None
) -> AsyncIterator[Endpoint]:
    """The endpoint that a table of the configuration names, checked; ``model`` is asked where the table names none.

    Raises:
        ConfigError: its address cannot be used, or its key is not set.
        EndpointError, BudgetError: see `Endpoint.check`.
    """
    address = address_of(config, table)
    async with open_transport(config, address) as line:
        endpoint = Endpoint(config, address, config.model or model, line)
        await endpoint.check(admit)
        yield endpoint


def waiting(attempt: int, told: float | None) -> float:
    """Seconds until the next attempt: as the server asks, else doubling, with a quarter left to chance."""
    if told is not None:
        return told
    return float(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)) * random.uniform(0.75, 1.0)


def taken(body: Mapping[str, Any], untaken: Collection[str]) -> dict[str, Any]:
    """``body`` without the fields that the server does not take; the token limit goes by its newer name."""
    sent = {field: value for field, value in body.items() if field not in untaken}
    if "max_tokens" in untaken and "max_tokens" in body:
        sent["max_completion_tokens"] = body["max_tokens"]
    return sent


def _is_completion(raw: bytes) -> bool:
    try:
        return bool(orjson.loads(raw)["choices"] is not None)
    except (ValueError, LookupError, TypeError) as error:
        raise UnusableError(MALFORMED) from error


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
