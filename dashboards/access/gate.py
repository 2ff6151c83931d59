"""What a way of logging in is made of."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

LOGOUT = "/auth/logout"  # where `st.logout()` leads


class Gate(Protocol):
    """Decides who is let through to the pages."""

    def left(self, connection: HTTPConnection) -> float:
        """Seconds for which whoever asks is let in; 0: not at all."""
        ...

    def is_open(self, path: str) -> bool:
        """May anybody ask the dashboard for this path? A provider's way back, for instance."""
        ...

    async def answer(self, request: Request) -> Response | None:
        """The answer to a request for one of the gate's own pages; None where it is for another."""
        ...

    def ask(self, request: Request) -> Response:
        """What somebody gets who is not let in."""
        ...


def is_secure(connection: HTTPConnection) -> bool:
    """Does it come over TLS?"""
    return connection.scope["scheme"] in ("https", "wss")


def wants_page(request: Request) -> bool:
    """Does a person's browser open a page, rather than a page fetch something?"""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def asked_for(request: Request) -> str:
    """Path and query of a request."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def from_elsewhere(request: Request) -> bool:
    """Did another site's page make the browser ask this?"""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def not_logged_in() -> Response:
    """For whatever is no page."""
    return PlainTextResponse("not logged in", 401, {"Cache-Control": "no-store"})
