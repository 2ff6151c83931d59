"""A server of any kind answers, and none of its ways to fail loses or makes up an answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.config import parse_config
from ledger.errors import ConfigError, EndpointError
from ledger.records import Candidate, Message, Prompt
from ledger.workspace import Workspace
from sampling.engines.openai import open_openai
from sampling.engines.protocol import Answer, Request
from sampling.sample import sample
from tests.openai_server import Answer as Reply
from tests.openai_server import (
    Script,
    Scripted,
    answering,
    choices,
    failure,
    in_turn,
    listing,
    serving,
)
from tests.sampling.engines.served import (
    LISTED,
    MODEL,
    answers,
    configured,
    drawn,
    keep,
    only,
    opened,
    prompt,
    request,
    texts,
)

IDENTIFYING = "Mr John Smith, MRN 4455667, was seen on 12/03/2024. Which repair?"
WINDOW = "This model's maximum context length is 64 tokens. However, your prompt contains 99 input tokens."


@pytest.fixture(autouse=True)
def _no_key_and_little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WARDROUND_SERVER_KEY", raising=False)
    monkeypatch.setattr("sampling.endpoint.FIRST_WAIT", 0.01)


class TestTheRequest:
    def test_one_request_asks_for_all_seeds(self) -> None:
        with serving(drawn, LISTED) as server:
            answer = only(answers(server, request(seeds=(7, 8, 9)), sampling="top_p = 0.8\nmax_new_tokens = 99"))
        assert server.asked == [
            {
                "model": "policy-3",
                "messages": [{"role": "user", "content": "Which repair?"}],
                "n": 3,
                "seed": 7,
                "temperature": 0.7,
                "top_p": 0.8,
                "max_tokens": 99,
                "logprobs": True,
                "top_k": -1,
                "min_p": 0.0,
                "repetition_penalty": 1.0,
            }
        ]
        assert [(each.seed, each.text) for each in answer.samples] == [
            (7, "answer 7"),
            (8, "answer 8"),
            (9, "answer 9"),
        ]
        assert (answer.cause, answer.request) == ("", request(seeds=(7, 8, 9)))

    def test_the_conversation_and_the_template_settings_go_along(self) -> None:
        chat = 'clinical = "Be brief."\n[chat.template]\nenable_thinking = false'
        with serving(drawn, listing("served-name")) as server:
            asked = request(prompt("Which?", "Mesh is best."), config=configured(server.url, chat=chat))
            answers(server, asked, model="served-name")
        (body,) = server.asked
        assert body["model"] == "served-name"
        assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
        assert "Mesh is best." in body["messages"][1]["content"]
        assert body["chat_template_kwargs"] == {"enable_thinking": False}

    def test_a_trained_model_never_goes_by_the_sft_models_name(self) -> None:
        trained = replace(MODEL, name="dpo-1", method="dpo", parent="0" * 32)
        with (
            serving(drawn, listing("served-name", "dpo-1")) as server,
            open_openai(configured(server.url, model="served-name"), trained) as engine,
        ):
            list(engine.sample([request()]))
        assert [body["model"] for body in server.asked] == ["dpo-1"]

    def test_choices_go_by_their_index(self) -> None:
        mixed = json.loads(choices("first", "second", "third").body)["choices"][::-1]
        with serving(in_turn(answering(mixed)), LISTED) as server:
            assert texts(only(answers(server, request(seeds=(1, 2, 3))))) == ["first", "second", "third"]

    def test_what_has_no_seeds_is_not_asked_for(self) -> None:
        with serving(drawn, LISTED) as server:
            assert answers(server, request(seeds=())) == []
        assert server.asked == []


class TestNumberOfAnswers:
    def test_a_server_that_gives_fewer_is_asked_for_the_rest(self) -> None:
        with serving(lambda body: drawn({**body, "n": min(body["n"], 2)}), LISTED) as server:
            answer = only(answers(server, request(seeds=range(10, 15))))
        assert [(body["n"], body["seed"]) for body in server.asked] == [(5, 10), (3, 12), (1, 14)]
        assert texts(answer) == [f"answer {seed}" for seed in range(10, 15)]

    def test_a_server_that_gives_more_is_not_believed(self) -> None:
        with serving(lambda body: drawn({**body, "n": 4}), LISTED) as server:
            assert texts(only(answers(server, request(seeds=(1, 2))))) == ["answer 1", "answer 2"]

    def test_a_server_that_takes_no_n_is_asked_one_by_one_from_then_on(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refusal = failure(400, "Only one completion choice is allowed")
        with serving(lambda body: refusal if body["n"] > 1 else drawn(body), LISTED) as server:
            found = answers(server, request("p", (1, 2, 3)), request("q", (4, 5)), concurrency=1)
        assert [(body["n"], body["seed"]) for body in server.asked] == [(3, 1), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
        assert [texts(answer) for answer in found] == [["answer 1", "answer 2", "answer 3"], ["answer 4", "answer 5"]]
        assert capsys.readouterr().err.count("n > 1") == 1

    def test_a_request_refused_for_another_reason_teaches_nothing_about_n(self) -> None:
        def script(body: dict[str, Any]) -> Reply:
            return failure(400, "filtered") if body["messages"][0]["content"] == "bad" else drawn(body)

        with serving(script, LISTED) as server:
            bad, good = answers(server, request("bad"), request("good"), concurrency=1)
        assert (bad.cause, bad.samples) == ("request refused 400: filtered", ())
        assert texts(good) == ["answer 7", "answer 8"]
        assert [body["n"] for body in server.asked] == [2, 1, 2]


class TestOverlong:
    @staticmethod
    def script(body: dict[str, Any]) -> Reply:
        return failure(400, WINDOW) if "[2]" in body["messages"][-1]["content"] else drawn(body)

    def test_it_is_refused_with_the_servers_words(self) -> None:
        with serving(self.script, LISTED) as server:
            answer = only(answers(server, request(prompt("q", "p", "p", "p"))))
        assert answer.cause == f"too long: {WINDOW}"
        assert answer.request.passages is None
        assert len(server.asked) == 1

    def test_passages_are_cut_from_the_end_where_that_is_configured(self) -> None:
        with serving(self.script, LISTED) as server:
            answer = only(answers(server, request(prompt("q", "p", "p", "p")), sampling='overlong = "cut_context"'))
        assert (answer.request.passages, answer.cause, len(answer.samples)) == (1, "", 2)
        assert len(server.asked) == 3
        assert "q" in server.asked[-1]["messages"][-1]["content"]

    def test_the_question_is_never_cut(self) -> None:
        with serving(in_turn(failure(400, WINDOW)), LISTED) as server:
            answer = only(answers(server, request(prompt("q", "p")), sampling='overlong = "cut_context"'))
        assert (answer.cause, answer.request.passages) == (f"too long: {WINDOW}", None)
        assert len(server.asked) == 2


class TestScreen:
    @pytest.mark.parametrize(
        "identifying",
        [
            prompt(IDENTIFYING),
            prompt("Which repair?", IDENTIFYING),
            Prompt(messages=(Message("user", IDENTIFYING), Message("assistant", "Yes?"), Message("user", "Which?"))),
        ],
    )
    def test_possible_identifiers_do_not_leave_the_hospital(self, identifying: Prompt) -> None:
        with serving(drawn, LISTED) as server, opened(server, concurrency=1) as engine:
            engine.endpoint.address = replace(engine.endpoint.address, foreign=True)
            todo = [request(identifying), request("Which repair suits a hernia?")]
            held, sent = (answer for ended in engine.sample(todo) for answer in ended)
        assert held.cause.startswith("withheld: possible identifiers (")
        assert (held.samples, len(sent.samples)) == ((), 2)
        assert "Smith" not in json.dumps(server.asked) + held.cause
        assert len(server.asked) == 1

    def test_inside_the_house_nothing_is_withheld(self) -> None:
        with serving(drawn, LISTED) as server:
            assert only(answers(server, request(IDENTIFYING))).cause == ""


class TestFlow:
    def test_no_more_requests_are_in_flight_or_read_ahead_than_allowed(self) -> None:
        ahead: list[int] = []

        def todo(server: Scripted) -> Iterator[Request]:
            for number in range(200):
                ahead.append(number - len(server.asked))
                yield request(f"question {number}")

        with serving(drawn, LISTED) as server, opened(server, concurrency=4) as engine:
            found = [answer for ended in engine.sample(todo(server)) for answer in ended]
        assert len({answer.request.prompt.id for answer in found}) == 200
        assert max(ahead) <= 4
        assert server.most_in_flight <= 4

    def test_nothing_is_read_while_answers_wait_to_be_taken(self) -> None:
        read: list[int] = []
        todo = (read.append(number) or request(f"question {number}") for number in range(1_000))  # type: ignore[func-returns-value]
        with serving(drawn, LISTED) as server, opened(server, concurrency=4) as engine:
            ended = engine.sample(todo)
            first = next(ended)
            at_first = len(read)
            ended.close()
        assert 64 <= len(first) < 100
        assert at_first <= len(first) + 8
        assert len(read) == at_first

    def test_requests_go_out_side_by_side(self) -> None:
        together = threading.Barrier(4)

        def script(body: dict[str, Any]) -> Reply:
            together.wait(timeout=5)  # answers only when four are there at once
            return drawn(body)

        with serving(script, LISTED) as server:
            found = answers(server, *(request(str(number)) for number in range(4)), concurrency=4)
        assert all(len(answer.samples) == 2 for answer in found)

    def test_answers_are_handed_on_while_others_take_long(self) -> None:
        first_is_out = threading.Event()

        def script(body: dict[str, Any]) -> Reply:
            if body["messages"][0]["content"] == "slow":
                assert first_is_out.wait(timeout=10)
            return drawn(body)

        seen = []
        with serving(script, LISTED) as server, opened(server) as engine:
            for ended in engine.sample([request("slow"), request("fast")]):
                seen += [answer.request.prompt.question for answer in ended]
                first_is_out.set()
        assert seen == ["fast", "slow"]

    def test_leaving_early_ends_what_is_in_flight(self) -> None:
        script: Script = lambda body: drawn(body) if body["messages"][0]["content"] == "fast" else Reply(drip=True)  # noqa: E731
        began = time.monotonic()
        with serving(script, LISTED) as server, opened(server, timeout_seconds=60) as engine:
            ended: Generator[Any, None, None] = engine.sample([request("slow"), request("fast")])
            next(ended)
            ended.close()
        assert time.monotonic() - began < 10

    def test_an_engine_answers_more_than_once(self) -> None:
        with serving(drawn, LISTED) as server, opened(server) as engine:
            for _ in range(2):
                assert sum(len(ended) for ended in engine.sample([request("p"), request("q")])) == 2

    def test_an_error_of_the_source_comes_after_what_was_answered(self) -> None:
        def todo() -> Iterator[Request]:
            yield request("p")
            raise ConfigError("broken")

        got: list[Answer] = []
        with serving(drawn, LISTED) as server, opened(server) as engine, pytest.raises(ConfigError, match="broken"):
            keep(engine.sample(todo()), got)
        assert len(got) == 1


class TestWholeServer:
    def test_a_wrong_key_is_found_before_anything_is_spent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WARDROUND_SERVER_KEY", "secret-key-123456")
        with serving(drawn, LISTED, key="another") as server:
            with pytest.raises(EndpointError, match=r"key is refused.*WARDROUND_SERVER_KEY") as caught, opened(server):
                pass
            assert server.asked == []
        assert "secret" not in str(caught.value)

    def test_an_unknown_model_is_found_before_anything_is_spent(self) -> None:
        with serving(in_turn(failure(404, "no such model")), listing("other")) as server:
            with pytest.raises(EndpointError, match=r"no model 'policy-3'.*server\.model"), opened(server):
                pass
            assert [body["messages"][0]["content"] for body in server.asked] == ["Say: ready"]

    def test_no_address_is_a_configuration_error(self) -> None:
        with pytest.raises(ConfigError, match=r"server\.base_url is not set -> "), open_openai(parse_config(""), MODEL):
            pass

    @pytest.mark.parametrize("status", [401, 402, 403, 404])
    def test_what_all_would_meet_ends_the_work_after_what_was_answered(self, status: int) -> None:
        script = in_turn(*[choices("a", "b")] * 10, failure(status, "no"))
        got: list[Answer] = []
        with serving(script, LISTED) as server, opened(server, concurrency=4) as engine:
            with pytest.raises(EndpointError, match=f"{status}: no"):
                keep(engine.sample(request(str(number)) for number in range(40)), got)
            assert len(server.asked) <= 14
        assert [len(answer.samples) for answer in got] == [2] * 10

    def test_after_one_such_refusal_nothing_more_is_asked(self) -> None:
        script = in_turn(*[choices("a", "b")] * 10, failure(401, "no"), choices("a", "b"))
        got: list[Answer] = []
        with serving(script, LISTED) as server, opened(server, concurrency=4) as engine:
            with pytest.raises(EndpointError, match="key is refused"):
                keep(engine.sample(request(str(number)) for number in range(40)), got)
            assert len(server.asked) == len(got) + 1 < 20  # an answer may overtake the refusal

    def test_a_server_that_dies_ends_the_work(self) -> None:
        context = serving(drawn, LISTED)
        server = context.__enter__()
        with opened(server, retries=0) as engine:
            ended = engine.sample(request(str(number)) for number in range(500))
            next(ended)
            context.__exit__(None, None, None)
            with pytest.raises(EndpointError, match="cannot be reached"):
                list(ended)

    def test_a_setting_that_is_not_taken_ends_the_work(self) -> None:
        refusal = failure(400, "Unrecognized request argument supplied: chat_template_kwargs")
        chat = "[chat.template]\nenable_thinking = false"
        with serving(in_turn(refusal), LISTED) as server, pytest.raises(EndpointError, match="chat_template_kwargs"):
            answers(server, request(config=configured(server.url, chat=chat)))


def test_a_run_goes_on_where_it_failed(workspace: Workspace) -> None:
    asked = [prompt(f"question {number}") for number in range(5)]
    workspace.ledger.append([MODEL, *asked])

    def half(body: dict[str, Any]) -> Reply:
        return failure(500, "boom") if body["messages"][0]["content"] == "question 3" else drawn(body)

    with serving(half, LISTED) as server:
        report = sample(replace(workspace, config=configured(server.url, sampling="n = 2")), MODEL, "train")
    assert (report.candidates, dict(report.failed)) == (8, {"server error 500": 1})
    with serving(drawn, LISTED) as mended:
        going_on = replace(workspace, config=configured(mended.url, sampling="n = 2"))
        again = sample(going_on, MODEL, "train")
        assert [body["messages"][0]["content"] for body in mended.asked] == ["question 3"]
    assert (again.candidates, again.failed.total()) == (2, 0)
    assert {each.parameters["engine"] for each in workspace.ledger.read(Candidate)} == {"openai"}
