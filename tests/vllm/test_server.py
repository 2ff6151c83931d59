"""The ``openai`` engine against vLLM's own server, with a base model and an adapter in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.config import Config, parse_config
from ledger.errors import EndpointError
from ledger.records import ModelVersion
from sampling.engines.openai import open_openai
from sampling.engines.transformers import open_transformers
from tests.vllm.conftest import (
    GREEDY_TEMPERATURE,
    GREEDY_TOP_P,
    QUESTIONS,
    SMALL,
    WINDOW,
    answered,
    ended,
    everything,
    request,
    source,
)
from tests.vllm.served import KEY, Server, asked, serving

BROKEN = "\ufffd"  # a character that is cut off at the end of an answer: the server leaves it out
# As if they had come with the model: what a request does not say, the server takes from there.
THE_MODELS_OWN = {"top_k": 1, "repetition_penalty": 1.9, "min_p": 0.5}
OPTIONS = {
    "--max-model-len": str(WINDOW),
    "--max-num-batched-tokens": "2048",
    "--kv-cache-memory-bytes": str(SMALL["kv_cache_memory_bytes"]),
    "--max-lora-rank": "8",
    "--max-loras": "2",
    "--override-generation-config": json.dumps(THE_MODELS_OWN),
    "--structured-outputs-config": json.dumps({"backend": "xgrammar", "disable_any_whitespace": True}),
}


@pytest.fixture(scope="module")
def server(policy: Path, adapters: tuple[Path, Path]) -> Iterator[Server]:
    """A server that has the base as "sft" and an adapter on it as "round-1"."""
    models = {"--model": str(policy), "--served-model-name": "sft", "--lora-modules": f"round-1={adapters[0]}"}
    with serving({**models, **OPTIONS}, "--enable-lora") as running:
        yield running


def configured(server: Server, sample: str = "") -> Config:
    text = f'[sample]\nmax_new_tokens = 12\n{sample}\n[server]\nbase_url = "{server.url}"\nretries = 0'
    return parse_config(text)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_SERVER_KEY", KEY)


SFT, TRAINED = ModelVersion("sft", "sft", "w0"), ModelVersion("round-1", "dpo", "w1", parent="sft", adapter=True)


def test_sample_i_of_n_is_the_single_sample_of_seed_s_plus_i(server: Server) -> None:
    requests = [request(number, tuple(range(4))) for number in range(len(QUESTIONS))]
    with open_openai(configured(server), SFT) as engine:
        together = everything(engine, requests)
        assert everything(engine, requests[::-1]) == together
        texts = [text for samples in together.values() for text, *_ in samples]
        assert len(set(texts)) > len(texts) / 2
        for each in requests[:2]:
            for place, seed in enumerate(each.seeds):
                alone = everything(engine, [replace(each, seeds=(seed,))])
                assert alone[each.prompt.question] == [together[each.prompt.question][place]]


@pytest.mark.parametrize("version", [SFT, TRAINED], ids=lambda version: version.name)
def test_base_and_adapter_say_what_they_say_in_transformers(
    version: ModelVersion, server: Server, policy: Path, adapters: tuple[Path, Path]
) -> None:
    config = configured(server, f"top_p = {GREEDY_TOP_P}")
    requests = [request(number, (1, 2), GREEDY_TEMPERATURE) for number in range(len(QUESTIONS))]
    with open_openai(config, version) as engine:
        said = answered(engine, requests)
    chain = adapters[:1] if version.adapter else ()
    with open_transformers(source(policy, *chain), config.sample) as other:
        expected = answered(other, requests)
    for question, samples in said.items():
        for sample, same in zip(samples, expected[question], strict=True):
            assert sample.finish_reason == same.finish_reason
            assert sample.text.rstrip(BROKEN) == same.text.rstrip(BROKEN)
            assert sample.logprob == pytest.approx(same.logprob, abs=1e-4)


def test_structured_output(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"grade": {"type": "integer", "enum": [1, 2, 3]}},
        "required": ["grade"],
        "additionalProperties": False,
    }
    body = {
        "model": "sft",
        "messages": [{"role": "user", "content": QUESTIONS[0]}],
        "max_tokens": 64,
        "seed": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "grading", "schema": schema}},
    }
    (choice,) = asked(server, "/chat/completions", body)["choices"]
    assert json.loads(choice["message"]["content"])["grade"] in (1, 2, 3)


def test_what_the_model_cannot_hold_is_refused_or_loses_passages(server: Server) -> None:
    passages = ("It bulges. " * 10, "It is a wall. " * 200)
    requests = [request(0, (1, 2), context=passages), request(1, (3,))]
    with open_openai(configured(server), SFT) as engine:
        refused = {answer.request.prompt.question: answer for answer in ended(engine, requests)}
    assert refused[QUESTIONS[0]].cause.startswith("too long: ")
    assert len(refused[QUESTIONS[1]].samples) == 1
    with open_openai(configured(server, 'overlong = "cut_context"'), SFT) as engine:
        cut = {answer.request.prompt.question: answer for answer in ended(engine, requests)}[QUESTIONS[0]]
    assert (cut.request.passages, len(cut.samples), cut.cause) == (1, 2, "")


def test_a_model_that_it_does_not_serve_stops_at_once(server: Server) -> None:
    before = len(server.log)
    with (
        pytest.raises(EndpointError, match="round-7"),
        open_openai(configured(server), replace(TRAINED, name="round-7")),
    ):
        pass
    assert not [line for line in server.log[before:] if "/chat/completions" in line and "200 OK" in line]


def test_a_wrong_key_stops_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_SERVER_KEY", "another key")
    with pytest.raises(EndpointError) as caught, open_openai(configured(server), SFT):
        pass
    assert "another key" not in str(caught.value)
