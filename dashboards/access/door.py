"""The door in front of all that Streamlit serves: pages, websocket, files. ASGI middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.access.gate import Gate, is_secure
from dashboards.access.places import forwarded_for, host_known, same_origin, within
from dashboards.access.screens import refused

READING = ("GET", "HEAD", "OPTIONS")
POLICY_VIOLATION = 1008
ASK_AGAIN = 20.0  # seconds after which an open websocket is asked about again: its session may have been ended
# The pages load nothing from elsewhere, so nothing that a model has written can make a browser do it either.
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "same-origin",  # a form's origin is told to this site still
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Surroundings:
    """How the dashboard is reached."""

    beyond: bool = False  # from other machines
    names: tuple[str, ...] = ()
    proxy: str = ""


class Door:
    """Refuses strangers' host names and origins, and whom the gate does not let in."""

    def __init__(self, app: ASGIApp, around: Surroundings, gate: Gate | None, ask_again: float = ASK_AGAIN) -> None:
        """Stand in front of ``app``. Without a gate everybody is let in who comes by a name of ours."""
        self._app, self._around, self._gate, self._ask_again = app, around, gate, ask_again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        seen = self._seen(scope)
        if scope["type"] == "websocket":
            await self._websocket(problem, seen, receive, send)
        elif problem:
            await refused(*problem)(seen, receive, send)
        else:
            await self._page(seen, receive, _with_headers(send, secure=is_secure(HTTPConnection(seen))))

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        gate = self._gate
        if gate and (response := await gate.answer(request)):
            await response(scope, receive, send)
        elif gate and not gate.is_open(request.url.path) and not gate.left(request):
            await gate.ask(request)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, problem: tuple[str, int] | None, scope: Scope, receive: Receive, send: Send) -> None:
        gate, connection = self._gate, HTTPConnection(scope)
        if problem or (gate and not gate.left(connection)):
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif gate:
            receiving = _while_let_in(partial(gate.left, connection), self._ask_again, receive, send)
            await self._app(scope, receiving, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> tuple[str, int] | None:
        """Why a request is not served, and the HTTP status that says so."""
        headers, around = Headers(scope=scope), self._around
        peer = (scope.get("client") or ("", 0))[0]
        if around.proxy and not within(peer, around.proxy):
            return "This dashboard is reached through its proxy only ([dashboard] proxy in wardround.toml).", 403
        host = headers.get("host", "")
        if not host_known(host, around.names, beyond=around.beyond):
            return "This dashboard is not known by this name: [dashboard] names in wardround.toml lists its names.", 421
        changing = scope["type"] == "websocket" or scope["method"] not in READING
        origin = headers.get("origin")
        if changing and origin is not None and not same_origin(origin, host):
            return "This was asked for by a page of another site (or the proxy does not pass on the Host header).", 403
        return None

    def _seen(self, scope: Scope) -> Scope:
        """The request as the proxy saw it, if there is one: it alone is believed."""
        if not self._around.proxy:
            return scope
        headers = Headers(scope=scope)
        seen = dict(scope)
        if reader := forwarded_for(headers.getlist("x-forwarded-for")):
            seen["client"] = (reader, 0)
        if headers.get("x-forwarded-proto", "").lower() in ("https", "wss"):
            seen["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        return seen


def _with_headers(send: Send, *, secure: bool) -> Send:
    """Send what protects a page with it, where it does not say otherwise itself; over TLS, keep cookies to TLS."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [_tightened(each, secure=secure) for each in message.get("headers", ())]}
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _tightened(header: tuple[bytes, bytes], *, secure: bool) -> tuple[bytes, bytes]:
    name, value = header
    if secure and name.lower() == b"set-cookie" and b"; secure" not in value.lower():
        return name, value + b"; Secure"
    return header


def _while_let_in(left: Callable[[], float], ask_again: float, receive: Receive, send: Send) -> Receive:
    """Receive from a websocket; hang up when no time is ``left``: asked at each message, and every so many seconds."""
    over = False

    async def receiving() -> Message:
        nonlocal over
        while not over and (seconds := left()):
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, ask_again)):
                    return await receive()
        if not over:
            over = True
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

    return receiving
