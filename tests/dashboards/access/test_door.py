from __future__ import annotations

import asyncio

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboards.access.door import Surroundings
from tests.dashboards.access.doors import served, visitor

HERE = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/_stcore/stream"


def got(**headers: str) -> tuple[int, str]:
    async def ask() -> tuple[int, str]:
        async with visitor(served(None)) as browser:
            answer = await browser.get("/", headers=headers)
            return answer.status_code, answer.text

    return asyncio.run(ask())


def test_this_machine_is_let_through() -> None:
    assert got() == (200, "inside / for 127.0.0.1")


def test_another_name_is_refused() -> None:
    status, text = got(host="evil.example")
    assert status == 421
    assert "[dashboard] names" in text
    assert "inside" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_another_sites_page_may_not_change_anything(method: str) -> None:
    async def ask(origin: str) -> int:
        async with visitor(served(None)) as browser:
            return (await browser.request(method, "/", headers={"origin": origin})).status_code

    assert asyncio.run(ask("https://evil.example")) == 403
    assert asyncio.run(ask("null")) == 403
    assert asyncio.run(ask(HERE)) == 200


def test_pages_carry_what_protects_them() -> None:
    async def ask() -> dict[str, str]:
        async with visitor(served(None)) as browser:
            return dict((await browser.get("/")).headers)

    headers = asyncio.run(ask())
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "Secure" not in headers["set-cookie"]


def test_over_tls_each_cookie_is_kept_to_tls() -> None:
    async def ask() -> str:
        async with visitor(served(None), base="https://127.0.0.1:8501") as browser:
            return (await browser.get("/")).headers["set-cookie"]

    assert asyncio.run(ask()).endswith("; Secure")


def test_the_proxy_alone_is_let_in_and_believed() -> None:
    around = Surroundings(beyond=True, names=("ward.example.org",), proxy="10.0.0.1")
    forwarded = {"x-forwarded-for": "198.51.100.9, 192.0.2.7", "x-forwarded-proto": "https"}

    async def ask(address: str) -> tuple[int, str, str]:
        async with visitor(served(None, around), base="http://ward.example.org", address=address) as browser:
            answer = await browser.get("/", headers=forwarded)
            return answer.status_code, answer.text, answer.headers.get("set-cookie", "")

    status, text, cookie = asyncio.run(ask("10.0.0.1"))
    assert (status, text) == (200, "inside / for 192.0.2.7")  # what the proxy saw, not what it was told
    assert "Secure" in cookie
    status, text, _ = asyncio.run(ask("10.0.0.2"))
    assert status == 403
    assert "through its proxy" in text


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        (["198.51.100.9", "192.0.2.7"], "192.0.2.7"),
        (["198.51.100.9, 198.51.100.8", "198.51.100.7, 192.0.2.7"], "192.0.2.7"),
        (["198.51.100.9", "[2001:db8::1]:4711"], "2001:db8::1"),
        (["198.51.100.9", "somebody"], "10.0.0.1"),
    ],
)
def test_what_the_proxy_adds_last_counts(lines: list[str], seen: str) -> None:
    around = Surroundings(beyond=True, proxy="10.0.0.1")

    async def ask() -> str:
        async with visitor(served(None, around), address="10.0.0.1") as browser:
            return (await browser.get("/", headers=[("X-Forwarded-For", line) for line in lines])).text

    assert asyncio.run(ask()) == f"inside / for {seen}"


def test_without_a_proxy_nobody_is_believed() -> None:
    async def ask() -> str:
        async with visitor(served(None), address="192.0.2.1") as browser:
            return (await browser.get("/", headers={"x-forwarded-for": "192.0.2.7"})).text

    assert asyncio.run(ask()) == "inside / for 192.0.2.1"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "http://localhost:3000"}, {"host": "evil.example"}]
)
def test_a_strangers_websocket_is_refused(headers: dict[str, str]) -> None:
    browser = TestClient(served(None), base_url=HERE)
    with pytest.raises(WebSocketDisconnect) as caught, browser.websocket_connect(STREAM, headers=headers):
        pass
    assert caught.value.code == 1008


def test_our_websocket_talks() -> None:
    browser = TestClient(served(None), base_url=HERE)
    with browser.websocket_connect(STREAM, headers={"origin": HERE}) as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "hello"
