"""With cookies that Streamlit's own functions sign, as its login does after the provider has said who somebody is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient
from streamlit.auth_util import set_cookie_with_chunks  # noqa: TID253
from streamlit.web.server.server_util import AUTH_COOKIE_NAME, get_cookie_secret  # noqa: TID253
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value  # noqa: TID253

from dashboards.access.oidc_gate import Allowed, OidcGate
from tests.dashboards.access.doors import PAGE, served, visitor

LEAD = {"is_logged_in": True, "email": "Lead@Example.org", "email_verified": True}


def signed(person: dict[str, Any], secret: str = "") -> dict[str, str]:
    """Streamlit's cookies that name this person."""
    cookies: dict[str, str] = {}

    def sign(name: str, value: str) -> bytes:
        return create_signed_value(secret or get_cookie_secret(), name, value)

    set_cookie_with_chunks(
        lambda name, value: cookies.__setitem__(name, sign(name, value).decode()),
        sign,
        AUTH_COOKIE_NAME,
        person,
        cookie_attr_size=60,
    )
    return cookies


def visiting(gate: OidcGate, cookies: dict[str, str], visit: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        async with visitor(served(gate)) as browser:
            for name, value in cookies.items():
                browser.cookies.set(name, value)
            return await visit(browser)

    return asyncio.run(go())


def status(cookies: dict[str, str], allowed: Allowed, **more: Any) -> int:
    async def visit(browser: AsyncClient) -> int:
        return (await browser.get("/judges", headers=PAGE)).status_code

    return int(visiting(OidcGate(allowed, 3_600, **more), cookies, visit))


@pytest.mark.parametrize("entry", ["lead@example.org", "LEAD@example.ORG", "@example.org"])
def test_who_is_named_enters(entry: str) -> None:
    assert status(signed(LEAD), Allowed((entry,))) == 200


@pytest.mark.parametrize("entry", ["other@example.org", "@example.com", "@ample.org", "@sub.example.org"])
def test_who_is_not_named_is_turned_away(entry: str) -> None:
    assert status(signed(LEAD), Allowed((entry,))) == 403


@pytest.mark.parametrize(
    ("person", "trusting", "expected"),
    [
        ({"email_verified": False}, False, 403),
        ({"email_verified": False}, True, 403),
        ({"email_verified": None}, False, 403),
        ({"email_verified": None}, True, 200),
        ({"email": ""}, False, 403),
        ({"email": "@example.org"}, False, 403),
        ({"is_logged_in": False}, False, 401),
    ],
)
def test_an_address_has_to_be_verified(person: dict[str, Any], expected: int, *, trusting: bool) -> None:
    assert status(signed(LEAD | person), Allowed(("@example.org",), trusting)) == expected


def test_a_forged_cookie_is_nobodys() -> None:
    allowed = Allowed(("@example.org",))
    assert status(signed(LEAD, secret="another secret"), allowed) == 401
    assert status({AUTH_COOKIE_NAME: json.dumps(LEAD)}, allowed) == 401
    assert status({}, allowed) == 401
    assert status(signed([LEAD]), allowed) == 401  # type: ignore[arg-type]


def test_a_long_cookie_comes_in_parts() -> None:
    cookies = signed(LEAD | {"groups": [os.urandom(4_000).hex()]})
    assert len(cookies) > 2
    assert status(cookies, Allowed(("@example.org",))) == 200
    cookies.pop(f"{AUTH_COOKIE_NAME}_1")
    assert status(cookies, Allowed(("@example.org",))) == 401


def test_one_logs_in_again_when_the_time_is_over() -> None:
    import time

    for later, expected in ((3_500, 200), (3_700, 401)):
        assert (
            status(signed(LEAD), Allowed(("@example.org",)), clock=lambda later=later: time.time() + later) == expected
        )


def test_the_way_on_is_kept_through_the_provider() -> None:
    gate = OidcGate(Allowed(("@example.org",)), 3_600)

    async def visit(browser: AsyncClient) -> None:
        asked = await browser.get("/answers?prompt=ab", headers=PAGE)
        assert asked.status_code == 401
        assert 'href="/auth/start"' in asked.text
        for name, value in signed(LEAD).items():  # what Streamlit does when the provider leads back
            browser.cookies.set(name, value)
        back = await browser.get("/", headers=PAGE)
        assert (back.status_code, back.headers["location"]) == (303, "/answers?prompt=ab")
        assert (await browser.get("/", headers=PAGE)).text.startswith("inside /")

    visiting(gate, {}, visit)


def test_streamlits_own_paths_are_open_and_no_others() -> None:
    gate = OidcGate(Allowed(("@example.org",)), 3_600)

    async def visit(browser: AsyncClient) -> None:
        for path in ("/auth/login?provider=x", "/oauth2callback?state=x", "/auth/logout"):
            assert (await browser.get(path)).text.startswith("inside"), path
        for path in ("/auth/login/x", "/oauth2callback/x", "/auth/tokens", "/_stcore/health", "/media/x"):
            assert (await browser.get(path)).status_code == 401, path
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (await browser.get("/auth/logout", headers=elsewhere)).headers["location"] == "/"

    visiting(gate, {}, visit)
