"""What the judge is asked for, and what its reply is worth."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from annotate.judge_call import Reply, ask, question_body, read_completion
from annotate.judge_protocol import schema
from ledger.config import JudgeConfig
from sampling.endpoint import open_endpoint
from tests.openai_server import MODEL, Answer, Scripted, completion, failure, in_turn, serving, verdict

TURNS = [{"role": "user", "content": "Compare."}]
KEY = "secret-key-123456"
SOON = (("Retry-After", "0.02"),)
SCHEMA = schema(("accuracy",))


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def asked(url: str, times: int = 1, alternatives: int = 0, **settings: Any) -> list[Reply]:
    config = JudgeConfig(**{"model": MODEL, "base_url": url, "timeout_seconds": 5, "retries": 1, **settings})

    async def run() -> list[Reply]:
        async with open_endpoint(config, "judge") as endpoint:
            body = question_body(config, TURNS, SCHEMA, alternatives)
            return [await ask(endpoint, body) for _ in range(times)]

    return asyncio.run(run())


def test_a_request_asks_for_the_schema_and_brings_text() -> None:
    with serving(in_turn(verdict("tie"))) as server:
        (reply,) = asked(server.url, temperature=0.2, max_tokens=99)
    (sent,) = server.asked
    assert json.loads(reply.text)["verdict"] == "tie"
    assert (reply.cause, reply.levels) == ("", None)
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == (MODEL, 0.2, 99)
    assert sent["messages"] == TURNS
    assert sent["response_format"]["json_schema"]["schema"] == dict(SCHEMA)
    assert not {"logprobs", "top_logprobs"} & sent.keys()


@pytest.mark.parametrize(
    ("answer", "cause", "calls"),
    [
        (failure(429, headers=SOON), "rate limited", 2),
        (failure(500, headers=SOON), "server error 500", 2),
        (failure(400, "bad rubric"), "request refused 400", 1),
        (failure(400, "This model's maximum context length is 512 tokens."), "over-long", 1),
        (failure(400, "no", code="context_length_exceeded"), "over-long", 1),
        (failure(413, "no"), "over-long", 1),
        (failure(400, "the prompt was filtered", code="content_filter"), "refused", 1),
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
        (reply,) = asked(server.url)
    assert reply.cause == cause
    assert len(server.asked) == calls


def test_the_raw_reply_is_kept() -> None:
    with serving(in_turn(failure(500, "out of memory\x00", headers=SOON))) as server:
        (reply,) = asked(server.url)
    assert "out of memory" in reply.text
    assert read_completion(b"<html>").text == "<html>"
    assert read_completion(b"\xff").text == "\ufffd"


def test_a_key_that_the_server_repeats_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(in_turn(failure(400, f"bad: {KEY}"), completion(f"it is {KEY}"))) as server:
        replies = asked(server.url, times=2)
    assert all(KEY not in reply.text and "[key]" in reply.text for reply in replies)


@pytest.mark.parametrize("field", ["temperature", "max_tokens", "response_format"])
def test_a_judge_that_does_not_take_a_field_is_asked_without(field: str) -> None:
    words = f"Unsupported parameter: '{field}' is not supported with this model."
    with serving(lambda body: failure(400, words) if field in body else verdict("tie")) as server:
        assert [reply.cause for reply in asked(server.url, times=2)] == ["", ""]
    assert [field in body for body in server.asked] == [True, False, False]


def with_logprobs(told: object, text: str = '{"rationale": "r", "verdict": "tie"}') -> Answer:
    choice = {"finish_reason": "stop", "message": {"content": text}, "logprobs": told}
    return Answer(body=json.dumps({"choices": [choice], "usage": {"total_tokens": 9}}).encode())


def placed(said: str, **others: float) -> dict[str, Any]:
    told = [{"token": text, "logprob": math.log(share)} for text, share in others.items()]
    return {"token": said, "logprob": math.log(others.get(said, 1.0)), "top_logprobs": told}


TOLD = {"content": [placed('{"rationale": "r", "verdict": "'), placed("tie", tie=0.75, a=0.25), placed('"}')]}


def test_the_probabilities_of_the_levels_come_along_where_they_are_told() -> None:
    with serving(in_turn(with_logprobs(TOLD), with_logprobs({"content": []}), with_logprobs(None))) as server:
        told, untold, none = asked(server.url, 3, alternatives=5)
    assert [(body["logprobs"], body["top_logprobs"]) for body in server.asked] == [(True, 5)] * 3
    assert told.levels is not None
    assert told.levels["tie"] == pytest.approx(0.75)
    assert told.levels["a_better"] == pytest.approx(0.125)
    assert untold.levels is none.levels is None
    assert {reply.cause for reply in (told, untold, none)} == {""}


def refusing(words: str, *fields: str) -> Callable[[dict[str, Any]], Answer]:
    """A server that refuses a request with any of these fields."""
    return lambda body: failure(400, words) if set(fields) & body.keys() else verdict("tie")


@pytest.mark.parametrize(
    ("server", "kept"),
    [
        (
            refusing("Requested sample logprobs of 5, which is greater than max allowed: 2", "top_logprobs"),
            {"logprobs"},
        ),
        (refusing("You are not allowed to request logprobs from this model.", "logprobs", "top_logprobs"), set()),
        (refusing("logprobs cannot be combined with response_format", "logprobs", "top_logprobs"), set()),
        (
            lambda body: failure(400, "logprobs first") if set(body) & {"top_logprobs", "logprobs"} else verdict("tie"),
            set(),
        ),
    ],
)
def test_a_server_that_tells_no_probabilities_is_asked_without(
    server: Callable[[dict[str, Any]], Answer], kept: set[str]
) -> None:
    running: Scripted
    with serving(server) as running:
        assert [reply.cause for reply in asked(running.url, 2, alternatives=5)] == ["", ""]
    last = running.asked[-1]
    assert set(last) & {"logprobs", "top_logprobs"} == kept
    assert "response_format" in last
    assert running.asked[-2] == last


def lengthy(written: int) -> Answer:
    choice = {"finish_reason": "length", "message": {"content": '{"rationale": "'}}
    usage = {"prompt_tokens": 500, "completion_tokens": written, "total_tokens": 500 + written}
    return Answer(body=json.dumps({"choices": [choice], "usage": usage}).encode())


@pytest.mark.parametrize(("written", "cause"), [(64, "cut"), (21, "over-long")])
def test_a_reply_that_met_the_end_of_the_window_is_not_merely_cut(written: int, cause: str) -> None:
    with serving(in_turn(lengthy(written))) as server:
        (reply,) = asked(server.url, max_tokens=64)
    assert reply.cause == cause


@pytest.mark.parametrize(("owner", "plainly"), [("vllm", True), ("system", False)])
def test_a_server_that_fills_in_the_models_own_settings_is_told_plain_ones(owner: str, plainly: bool) -> None:
    models = Answer(body=json.dumps({"data": [{"id": MODEL, "owned_by": owner}]}).encode())
    with serving(in_turn(verdict("tie")), models) as server:
        asked(server.url)
    (sent,) = server.asked
    assert ({"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}.items() <= sent.items()) is plainly
    assert ("top_k" in sent) is plainly
