"""What one request meets is data; what they would all meet ends the work at once."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from annotate.endpoint import Endpoint, Reply, open_endpoint, read_completion
from annotate.judge_protocol import SCHEMA
from ledger.config import JudgeConfig
from ledger.errors import ConfigError, EndpointError
from tests.annotate.openai_server import MODEL, Answer, completion, failure, in_turn, listing, serving, verdict

TURNS = [{"role": "user", "content": "Compare."}]
KEY = "secret-key-123456"
SOON = (("Retry-After", "0.02"),)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def configured(url: str, **settings: Any) -> JudgeConfig:
    return JudgeConfig(**{"model": MODEL, "base_url": url, "timeout_seconds": 5, "retries": 1, **settings})


def ask(url: str, times: int = 1, **settings: Any) -> list[Reply]:
    async def run() -> list[Reply]:
        async with open_endpoint(configured(url, **settings)) as endpoint:
            return [await endpoint.ask(TURNS, SCHEMA) for _ in range(times)]

    return asyncio.run(run())


def check(url: str, **settings: Any) -> None:
    ask(url, 0, **settings)


def test_a_request_asks_for_the_schema_and_brings_text_and_tokens() -> None:
    with serving(in_turn(verdict("tie"))) as server:
        (reply,) = ask(server.url, temperature=0.2, max_tokens=99)
    (sent,) = server.asked
    assert json.loads(reply.text)["verdict"] == "tie"
    assert (reply.cause, reply.tokens) == ("", 7)
    assert 0 < reply.seconds < 5
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == (MODEL, 0.2, 99)
    assert sent["messages"] == TURNS
    assert sent["response_format"]["json_schema"]["schema"] == dict(SCHEMA)


def test_retry_after_is_honoured() -> None:
    with serving(in_turn(failure(429, headers=(("Retry-After", "0.4"),)), verdict("tie"))) as server:
        (reply,) = ask(server.url)
    assert reply.cause == ""
    assert reply.seconds >= 0.4
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "cause", "calls"),
    [
        (failure(429, headers=SOON), "rate limited", 2),
        (failure(500, headers=SOON), "server error 500", 2),
        (failure(400, "context too long"), "request refused 400", 1),
        (Answer(307, headers=(("Location", "http://127.0.0.2:9/v1"),)), "request refused 307", 1),
        (Answer(body=b"<html>not JSON"), "malformed response", 1),
        (Answer(body=b'{"choices": [{"message": "x"}]}'), "malformed response", 1),
        (Answer(body=b'{"error": {"message": "upstream"}}'), "malformed response", 1),
        (Answer(body=b'{"choices": []}'), "empty", 1),
        (completion(None), "empty", 1),
        (completion(" \n"), "empty", 1),
        (completion('{"rationale": "cut of', finish="length"), "cut", 1),
        (completion(None, refusal="I cannot judge that."), "refused", 1),
        (completion("", finish="content_filter"), "refused", 1),
    ],
)
def test_what_befalls_one_request_is_its_cause(answer: Answer, cause: str, calls: int) -> None:
    with serving(in_turn(answer)) as server:
        (reply,) = ask(server.url)
    assert reply.cause == cause
    assert len(server.asked) == calls


def test_the_raw_reply_is_kept() -> None:
    with serving(in_turn(failure(500, "out of memory\x00", headers=SOON))) as server:
        (reply,) = ask(server.url)
    assert "out of memory" in reply.text
    assert read_completion(b"<html>").text == "<html>"
    assert read_completion(b"\xff").text == "\ufffd"


def test_a_cut_connection_is_tried_again_and_then_data() -> None:
    cut = Answer(body=b'{"choices": [', cut=True)
    with serving(in_turn(cut, verdict("tie"))) as server:
        assert ask(server.url)[0].cause == ""
    with serving(in_turn(cut)) as server:
        assert ask(server.url, retries=0)[0].cause == "connection cut"


def test_an_attempt_ends_after_its_time_even_if_bytes_keep_dripping() -> None:
    with serving(in_turn(Answer(body=b" ", drip=True))) as server:
        (reply,) = ask(server.url, retries=0, timeout_seconds=0.3)
    assert reply.cause == "timeout"
    assert 0.3 <= reply.seconds < 3


def test_a_wrong_key_is_found_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with (
        serving(in_turn(verdict("tie")), key="another-key") as server,
        pytest.raises(EndpointError, match=r"key is refused.*OPENAI_API_KEY") as caught,
    ):
        check(server.url)
    assert server.asked == []
    assert KEY not in str(caught.value)


def test_the_key_of_the_named_variable_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_KEY", f" {KEY}\n")
    with serving(in_turn(verdict("tie")), key=KEY) as server:
        assert ask(server.url, key_env="WARD_KEY")[0].cause == ""


def test_a_loopback_server_may_go_without_a_key() -> None:
    with serving(in_turn(verdict("tie"))) as server:
        ask(server.url)
    assert set(server.keys) == {"Bearer none"}


def test_a_key_that_the_server_repeats_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(in_turn(failure(400, f"bad: {KEY}"), completion(f"it is {KEY}"))) as server:
        replies = ask(server.url, times=2)
    assert all(KEY not in reply.text and "[key]" in reply.text for reply in replies)


def test_an_unknown_model_is_found_before_anything_is_spent() -> None:
    for refused in (failure(404, "no such model"), failure(400, "model not found")):
        with serving(in_turn(refused), listing("other")) as server, pytest.raises(EndpointError, match="'judge-1'"):
            check(server.url)
        assert server.users == ["Say: ready"]


@pytest.mark.parametrize("models", [failure(404), failure(405), listing("other"), Answer(body=b"<html>")])
def test_a_server_that_does_not_list_the_model_is_asked_for_a_word(models: Answer) -> None:
    with serving(in_turn(completion("ready"), verdict("tie")), models) as server:
        assert ask(server.url)[0].cause == ""
    assert server.asked[0]["max_tokens"] <= 16


def test_a_web_page_is_no_endpoint() -> None:
    page = Answer(body=b"<html>")
    with serving(in_turn(page), page) as server, pytest.raises(EndpointError, match="no OpenAI-compatible"):
        check(server.url)


def test_a_broken_server_is_named_at_once() -> None:
    with serving(in_turn(verdict("tie")), failure(503, "loading")) as server, pytest.raises(EndpointError, match="503"):
        check(server.url)


def test_the_check_itself_tries_nothing_twice() -> None:
    with serving(in_turn(failure(500, headers=SOON)), listing("other")) as server:
        with pytest.raises(EndpointError, match="500"):
            check(server.url)
        assert len(server.asked) == 1


def test_a_busy_server_is_no_broken_one() -> None:
    with serving(in_turn(verdict("tie")), failure(429)) as server:
        assert ask(server.url)[0].cause == ""


def test_an_unreachable_server_is_named_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: refuses
        with pytest.raises(EndpointError, match=r"cannot be reached.*judge\.base_url"):
            check(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (failure(401, "expired"), "key is refused"),
        (failure(402, "pay"), "no credit"),
        (failure(403, "no"), "key is refused"),
        (failure(404, "gone"), "no model"),
        (failure(429, "quota", code="insufficient_quota"), "no credit"),
    ],
)
def test_what_all_requests_would_meet_ends_the_work(refusal: Answer, words: str) -> None:
    with serving(in_turn(verdict("tie"), refusal)) as server, pytest.raises(EndpointError, match=words):
        ask(server.url, times=2, retries=0)


def test_a_server_that_dies_during_the_work_ends_it() -> None:
    async def run(endpoint_config: JudgeConfig, stop: Any) -> None:
        async with open_endpoint(endpoint_config) as endpoint:
            stop()
            await endpoint.ask(TURNS, SCHEMA)

    context = serving(in_turn(verdict("tie")))
    server = context.__enter__()
    with pytest.raises(EndpointError, match="cannot be reached"):
        asyncio.run(run(configured(server.url, retries=0), lambda: context.__exit__(None, None, None)))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("response_format", "This response_format type is unavailable now"),
        ("temperature", "Unsupported value: 'temperature' does not support 0.0 with this model."),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model."),
    ],
)
def test_a_field_that_the_server_does_not_take_is_left_out_from_then_on(
    field: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(body: dict[str, Any]) -> Answer:
        return failure(400, words) if field in body else verdict("tie")

    with serving(script) as server:
        assert [reply.cause for reply in ask(server.url, times=2)] == ["", ""]
    assert [field in body for body in server.asked] == [True, False, False]
    assert ("max_completion_tokens" in server.asked[-1]) == (field == "max_tokens")
    assert capsys.readouterr().err.count(field) == 1


def test_a_limit_that_is_too_large_is_no_unsupported_field() -> None:
    with serving(in_turn(failure(400, "'max_tokens' is too large: 1024; the context is 4096"))) as server:
        assert ask(server.url)[0].cause == "request refused 400"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("url", "settings", "words"),
    [
        ("http://judge.example/v1", {}, "unencrypted"),
        ("https://judge.example/v1", {}, "OPENAI_API_KEY is not set"),
        ("http://judge.example/v1", {"inside_hospital": True}, "OPENAI_API_KEY is not set"),
        ("https://me:pass@judge.example/v1", {}, "password"),
        ("ftp://127.0.0.1/v1", {}, "no http"),
        ("127.0.0.1:8000/v1", {}, "no http"),
        ("http://127.0.0.1:99999/v1", {}, "no address"),
    ],
)
def test_an_unusable_address_is_a_configuration_error(url: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        check(url, **settings)
    assert "pass@" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sécret")
    with pytest.raises(ConfigError, match="cannot be a key") as caught:
        check("http://127.0.0.1:1/v1")
    assert "cret" not in str(caught.value).replace("secret", "")


def test_a_proxy_does_not_see_what_stays_in_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(in_turn(verdict("tie"))) as server:
        assert ask(server.url)[0].cause == ""


def test_an_open_endpoint_does_not_show_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def run(url: str) -> Endpoint:
        async with open_endpoint(configured(url)) as endpoint:
            return endpoint

    with serving(in_turn(verdict("tie"))) as server:
        endpoint = asyncio.run(run(server.url))
    assert KEY not in f"{endpoint!r} {endpoint.address!r}"
