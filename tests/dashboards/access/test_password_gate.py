from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient, Response
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboards.access.limits import Limits
from dashboards.access.password_gate import AT_ONCE, PasswordGate
from dashboards.access.sessions import Sessions
from tests.dashboards.access.doors import PAGE, served, visitor

PASSWORD = "four words or more"
HERE = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/_stcore/stream"


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def plainly(password: str, stored: str) -> bool:
    """Instead of scrypt, which is slow on purpose."""
    return password == stored


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gate(time: Time) -> PasswordGate:
    return PasswordGate(PASSWORD, Sessions(3_600, time), Limits(time), plainly)


def visiting(
    gate: PasswordGate, visit: Callable[[AsyncClient], Awaitable[Any]], *, base: str = HERE, address: str = "127.0.0.1"
) -> Any:
    async def go() -> Any:
        async with visitor(served(gate), base=base, address=address) as browser:
            return await visit(browser)

    return asyncio.run(go())


async def logged_in(browser: AsyncClient, password: str = PASSWORD, **more: str) -> Response:
    return await browser.post("/login", data={"password": password, **more}, headers={"origin": HERE})


def test_nothing_is_seen_before_logging_in(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> None:
        for path in ("/_stcore/health", "/media/x.csv", "/static/js/index.js", "/_stcore/host-config", "/login/x"):
            answer = await browser.get(path)
            assert answer.status_code == 401, path
            assert "inside" not in answer.text
        for method in ("POST", "PUT", "DELETE"):
            assert (await browser.request(method, "/_stcore/upload_file/a/b")).status_code == 401

    visiting(gate, visit)


def test_who_knows_the_password_gets_on_to_what_was_asked_for(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> None:
        led = await browser.get("/answers?prompt=ab&mode=exam", headers=PAGE)
        assert led.status_code == 303
        form = await browser.get(led.headers["location"])
        assert form.status_code == 200
        assert 'name="next" value="/answers?prompt=ab&amp;mode=exam"' in form.text
        assert "<script" not in form.text
        assert "default-src 'none'" in form.headers["content-security-policy"]
        entered = await logged_in(browser, next="/answers?prompt=ab&mode=exam")
        assert (entered.status_code, entered.headers["location"]) == (303, "/answers?prompt=ab&mode=exam")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Max-Age=3600" in cookie
        assert (await browser.get("/answers")).text == "inside /answers for 127.0.0.1"
        assert (await browser.get("/login?next=/judges")).headers["location"] == "/judges"

    visiting(gate, visit)


def test_over_tls_the_cookie_belongs_to_this_host_and_to_tls(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> str:
        entered = await browser.post("/login", data={"password": PASSWORD})
        assert (await browser.get("/")).text.startswith("inside")
        return entered.headers["set-cookie"]

    cookie = visiting(gate, visit, base="https://127.0.0.1:8501")
    assert cookie.startswith("__Host-wardround-")
    assert cookie.endswith("Secure")


@pytest.mark.parametrize(
    "next_", ["//evil.example", "https://evil.example/", "/\\evil.example", "/%0d%0aX: y", "/login"]
)
def test_nobody_is_led_away(gate: PasswordGate, next_: str) -> None:
    async def visit(browser: AsyncClient) -> str:
        return (await logged_in(browser, next=next_)).headers["location"]

    there = visiting(gate, visit)
    assert there.startswith("/")
    assert not there.startswith("//")
    assert "evil" not in there
    assert "\r" not in there


def test_what_is_asked_for_cannot_write_into_the_form(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> str:
        return (await browser.get("/login", params={"next": '/"><script>alert(1)</script>'})).text

    assert "<script" not in visiting(gate, visit)


@pytest.mark.parametrize("password", ["", "four words", PASSWORD + " ", PASSWORD.upper()])
def test_a_wrong_password_does_not_let_in(
    gate: PasswordGate, password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def visit(browser: AsyncClient) -> Response:
        answer = await logged_in(browser, password, next="/judges")
        assert (await browser.get("/")).status_code == 401
        return answer

    answer = visiting(gate, visit)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert 'value="/judges"' in answer.text  # the way on is kept
    assert capsys.readouterr().err == "dashboard: a wrong password from 127.0.0.1\n"


def test_guessing_is_slowed_down(gate: PasswordGate, time: Time) -> None:
    async def visit(browser: AsyncClient) -> None:
        for _ in range(5):
            assert (await logged_in(browser, "wrong")).status_code == 401
        for password in ("wrong", PASSWORD):  # the right one has to wait too, or waiting would tell nothing
            answer = await logged_in(browser, password)
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "1"
            assert "possible in 1 s" in answer.text
        time.now += 1
        assert (await logged_in(browser, "wrong")).status_code == 401
        assert (await logged_in(browser)).headers["retry-after"] == "2"
        time.now += 2
        assert (await logged_in(browser)).status_code == 303

    visiting(gate, visit)


def test_who_is_in_stays_in_while_others_guess(gate: PasswordGate) -> None:
    async def enter(browser: AsyncClient) -> dict[str, str]:
        await logged_in(browser)
        return dict(browser.cookies)

    async def guess(browser: AsyncClient) -> None:
        for _ in range(9):
            await logged_in(browser, "wrong")

    async def read(browser: AsyncClient) -> int:
        return (await browser.get("/", cookies=cookies)).status_code

    cookies = visiting(gate, enter)
    visiting(gate, guess)
    with pytest.warns(DeprecationWarning, match="per-request cookies"):
        assert visiting(gate, read) == 200


def test_many_guesses_at_once_are_no_way_around_and_do_not_stop_the_pages(time: Time) -> None:
    """Two are computed at a time, in threads, while the pages are served."""
    running, most = 0, 0
    lock, go = threading.Lock(), threading.Event()

    def slowly(_password: str, _stored: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(10)
        with lock:
            running -= 1
        return False

    gate = PasswordGate(PASSWORD, Sessions(3_600, time), Limits(time), slowly)

    async def visit(browser: AsyncClient) -> list[int]:
        guesses = [asyncio.create_task(logged_in(browser, "wrong")) for _ in range(40)]
        while running < AT_ONCE:
            await asyncio.sleep(0.01)
        assert (await browser.get("/login")).status_code == 200
        go.set()
        return [each.status_code for each in await asyncio.gather(*guesses)]

    statuses = visiting(gate, visit)
    assert sorted(statuses) == [401] * 5 + [429] * 35
    assert most <= AT_ONCE


def test_a_form_of_another_site_is_refused(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> int:
        headers = {"origin": "https://evil.example"}
        return (await browser.post("/login", data={"password": PASSWORD}, headers=headers)).status_code

    assert visiting(gate, visit) == 403


@pytest.mark.parametrize("content", [b"x" * 100_000, b"password=\xff\xff", b"&".join([b"a=b"] * 50)])
def test_what_is_no_form_is_refused(gate: PasswordGate, content: bytes) -> None:
    async def visit(browser: AsyncClient) -> int:
        return (await browser.post("/login", content=content)).status_code

    assert visiting(gate, visit) == 400


def test_a_session_ends(gate: PasswordGate, time: Time) -> None:
    async def visit(browser: AsyncClient) -> None:
        await logged_in(browser)
        time.now += 3_599
        assert (await browser.get("/")).status_code == 200
        time.now += 2
        assert (await browser.get("/")).status_code == 401

    visiting(gate, visit)


def test_a_forged_cookie_does_not_let_in(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> None:
        await logged_in(browser)
        (name, token) = next(iter(browser.cookies.items()))
        for forged in ("", token[:-1], token[::-1], "1"):
            browser.cookies.clear()
            browser.cookies.set(name, forged)
            assert (await browser.get("/")).status_code == 401

    visiting(gate, visit)


def test_logging_out_ends_the_session_for_a_copy_of_the_cookie_too(gate: PasswordGate) -> None:
    async def visit(browser: AsyncClient) -> None:
        await logged_in(browser)
        (name, token) = next(iter(browser.cookies.items()))
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (await browser.get("/auth/logout", headers=elsewhere)).status_code == 303  # another site's link
        assert (await browser.get("/")).status_code == 200
        assert "logged out" in (await browser.get("/auth/logout")).text
        assert name not in browser.cookies
        browser.cookies.set(name, token)
        assert (await browser.get("/")).status_code == 401

    visiting(gate, visit)


@pytest.mark.timeout(60)
def test_the_websocket_needs_a_session_and_ends_with_it() -> None:
    gate = PasswordGate(PASSWORD, Sessions(1.0), Limits(), plainly)
    browser = TestClient(served(gate), base_url=HERE)
    with pytest.raises(WebSocketDisconnect) as caught, browser.websocket_connect(STREAM):
        pass
    assert caught.value.code == 1008
    browser.post("/login", data={"password": PASSWORD}, follow_redirects=False)
    with browser.websocket_connect(STREAM, headers={"origin": HERE}) as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "hello"
        with pytest.raises(WebSocketDisconnect) as caught:
            talk.receive_text()
    assert caught.value.code == 1008


class Asked(PasswordGate):
    """Knows when it has been asked often who is let in."""

    def __init__(self, time: Time) -> None:
        super().__init__(PASSWORD, Sessions(3_600, time), Limits(time), plainly)
        self.often = threading.Event()
        self._asked = 0

    def left(self, connection: HTTPConnection) -> float:
        self._asked += 1
        if self._asked > 10:
            self.often.set()
        return super().left(connection)


@pytest.mark.timeout(30)
def test_logging_out_in_one_tab_ends_the_websockets_of_the_others(time: Time) -> None:
    gate = Asked(time)
    door = served(gate, ask_again=0.01)
    one, other = TestClient(door, base_url=HERE), TestClient(door, base_url=HERE)
    for browser in (one, other):
        browser.post("/login", data={"password": PASSWORD}, follow_redirects=False)
    with one.websocket_connect(STREAM) as ending, other.websocket_connect(STREAM) as lasting:
        assert gate.often.wait(10)
        ending.send_text("hello")
        assert ending.receive_text() == "hello"
        assert "logged out" in one.get("/auth/logout").text
        with pytest.raises(WebSocketDisconnect) as caught:
            ending.receive_text()
        assert caught.value.code == 1008
        lasting.send_text("still here")
        assert lasting.receive_text() == "still here"
