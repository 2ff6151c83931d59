"""The gate with one password for all readers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from dashboards.access.gate import LOGOUT, asked_for, from_elsewhere, is_secure, not_logged_in, wants_page
from dashboards.access.limits import Limits
from dashboards.access.passwords import matches
from dashboards.access.places import way_on
from dashboards.access.screens import logged_out, password_form, refused
from dashboards.access.sessions import Sessions
from ledger.screen import say

LOGIN = "/login"
MOST_BYTES = 8_192  # of what a form sends
AT_ONCE = 2  # guesses that are computed at a time: a flood of them cannot stop the pages
WRONG = "That is not the password."


class PasswordGate:
    """Lets in who knows the password, until the session ends."""

    def __init__(
        self,
        password_hash: str,
        sessions: Sessions,
        limits: Limits,
        check: Callable[[str, str], bool] = matches,
    ) -> None:
        """Ask for the password with this hash."""
        self._hash, self._sessions, self._limits, self._check = password_hash, sessions, limits, check
        self._threads = ThreadPoolExecutor(AT_ONCE, "password")

    def left(self, connection: HTTPConnection) -> float:
        """Seconds that the session in the cookie still lasts."""
        return self._sessions.left(connection.cookies.get(_cookie(connection), ""))

    def is_open(self, path: str) -> bool:
        """Nothing is."""
        del path
        return False

    async def answer(self, request: Request) -> Response | None:
        """Log in and out."""
        match request.url.path, request.method:
            case path, "POST" if path == LOGIN:
                return await self._log_in(request)
            case path, "GET" | "HEAD" if path == LOGIN:
                on = way_on(request.query_params.get("next", "/"))
                return RedirectResponse(on, 303) if self.left(request) else password_form(on)
            case path, "GET" | "HEAD" if path == LOGOUT:
                return self._log_out(request)
        return None

    def ask(self, request: Request) -> Response:
        """Lead to the form, and from there back to what was asked for."""
        if not wants_page(request):
            return not_logged_in()
        on = way_on(asked_for(request))
        where = LOGIN if on == "/" else f"{LOGIN}?{urlencode({'next': on})}"
        return RedirectResponse(where, 303, {"Cache-Control": "no-store"})

    async def _log_in(self, request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return refused("This form cannot be read.", 400)
        password, on = form.get("password", ""), way_on(form.get("next", "/"))
        address = request.client.host if request.client else ""
        if wait := self._limits.begin(address):
            return _later(on, wait)
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._threads, self._check, password, self._hash):
            say(f"dashboard: a wrong password from {address}")
            return password_form(on, WRONG, status=401)
        self._limits.succeeded(address)
        response = RedirectResponse(on, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            _cookie(request),
            self._sessions.begin(),
            max_age=math.ceil(self._sessions.seconds),
            httponly=True,
            samesite="lax",  # strict would ask again whoever follows a link in a mail
            secure=is_secure(request),
        )
        return response

    def _log_out(self, request: Request) -> Response:
        if from_elsewhere(request):
            return RedirectResponse("/", 303)
        name = _cookie(request)
        self._sessions.end(request.cookies.get(name, ""))
        response = logged_out()
        response.delete_cookie(name, httponly=True, samesite="lax", secure=is_secure(request))
        return response


def _later(on: str, wait: float) -> Response:
    seconds = math.ceil(wait)
    response = password_form(on, f"Too many tries. The next one is possible in {seconds} s.", status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _cookie(connection: HTTPConnection) -> str:
    """The session cookie's name. Browsers share cookies among ports, so it holds the server's."""
    port = (connection.scope.get("server") or ("", 0))[1]
    return f"{'__Host-' if is_secure(connection) else ''}wardround-{port}"


async def _form(request: Request) -> dict[str, str] | None:
    """What a form sent; None where it cannot be read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=8)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}
