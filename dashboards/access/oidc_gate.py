"""The gate of an OpenID Connect provider, through Streamlit's own login: its signed cookie says who somebody is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from dashboards.access.gate import LOGOUT, asked_for, from_elsewhere, is_secure, not_logged_in, wants_page
from dashboards.access.places import way_on
from dashboards.access.screens import provider_link, turned_away

START = "/auth/start"
OPEN = ("/auth/login", "/oauth2callback", LOGOUT)  # Streamlit's: to the provider, back from it, and out
WAY_ON = "wardround-next"  # the cookie with what was asked for, as the provider leads back to the first page
WAY_ON_SECONDS = 600


@dataclass(frozen=True)
class Allowed:
    """Who may enter, by e-mail address: a public provider logs in anybody."""

    entries: tuple[str, ...]  # addresses, or "@example.org"
    trust_email: bool = False  # believe what the provider does not call verified

    def email(self, person: Mapping[str, Any]) -> str:
        """The address that can be relied on; empty where there is none."""
        verified = person.get("email_verified")
        believed = verified is True or verified == "true" or (self.trust_email and verified is None)
        return str(person.get("email") or "").strip().lower() if believed else ""

    def admits(self, person: Mapping[str, Any]) -> bool:
        """May this person enter?"""
        email = self.email(person)
        name, _, domain = email.rpartition("@")
        entries = {entry.lower() for entry in self.entries}
        return bool(name) and (email in entries or f"@{domain}" in entries)


class OidcGate:
    """Lets in whom the provider knows and the configuration names."""

    def __init__(self, allowed: Allowed, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """Let in for so long after logging in."""
        self._allowed, self._seconds, self._clock = allowed, seconds, clock

    def left(self, connection: HTTPConnection) -> float:
        """Seconds until one has to log in again."""
        person, since = _person(connection.cookies)
        if not self._allowed.admits(person):
            return 0.0
        return max(0.0, since + self._seconds - self._clock())

    def is_open(self, path: str) -> bool:
        """Streamlit's own paths for logging in and out."""
        return path in OPEN

    async def answer(self, request: Request) -> Response | None:
        """Lead to the provider, and from the first page on to what was asked for before; no other site logs out."""
        path = request.url.path
        if path == START:
            from streamlit.user_info import generate_login_redirect_url

            return RedirectResponse(generate_login_redirect_url("default"), 303, {"Cache-Control": "no-store"})
        if path == LOGOUT and from_elsewhere(request):
            return RedirectResponse("/", 303)
        if path == "/" and WAY_ON in request.cookies and self.left(request):
            response = RedirectResponse(way_on(request.cookies[WAY_ON]), 303, {"Cache-Control": "no-store"})
            response.delete_cookie(WAY_ON)
            return response
        return None

    def ask(self, request: Request) -> Response:
        """Offer to log in; say so where somebody is known and may not enter."""
        if not wants_page(request):
            return not_logged_in()
        person, since = _person(request.cookies)
        if person and since + self._seconds > self._clock():
            return turned_away(self._allowed.email(person))
        response = provider_link(status=401)
        on = way_on(asked_for(request))
        response.set_cookie(
            WAY_ON, on, max_age=WAY_ON_SECONDS, httponly=True, samesite="lax", secure=is_secure(request)
        )
        return response


def _person(cookies: Mapping[str, str]) -> tuple[dict[str, Any], float]:
    """Who Streamlit's cookie names, and when they logged in (Unix seconds); nobody where it is not good."""
    from itsdangerous import BadData, URLSafeTimedSerializer
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.server_util import AUTH_COOKIE_NAME, get_cookie_secret

    dates: list[float] = []

    def read(name: str) -> bytes | None:
        try:
            value, when = URLSafeTimedSerializer(get_cookie_secret(), salt=name).loads(
                cookies.get(name, ""), return_timestamp=True
            )
        except BadData:
            return None
        dates.append(when.timestamp())
        return str(value).encode()

    text = get_cookie_with_chunks(read, AUTH_COOKIE_NAME)
    try:
        person = json.loads(text or b"null")
    except ValueError:
        return {}, 0.0
    if not isinstance(person, dict) or person.get("is_logged_in") is not True:
        return {}, 0.0
    return person, min(dates)
