"""vLLM as Ray's workers hold it: the answers are the embedded engine's where nothing is left to chance."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.config import ChatConfig, Config, SampleConfig, parse_config
from ledger.records import Message, Prompt
from sampling.engines.protocol import Request
from sampling.engines.ray import open_ray
from sampling.engines.transformers import open_transformers
from tests.vllm.conftest import GREEDY_TEMPERATURE, QUESTIONS, SMALL, WINDOW, answered, facts, request, source

TOKENS = 12


def configured(**sample: Any) -> Config:
    config = parse_config('[ray]\nworker = "vllm"\nreplicas = 1\n')
    return config.model_copy(update={"sample": SampleConfig(max_new_tokens=TOKENS, vllm=SMALL, **sample)})


def key(asked: Request) -> tuple[str, float, tuple[int, ...]]:
    return asked.prompt.question, asked.temperature, asked.seeds


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_vllm_workers_answer_as_the_policy_does(
    policy: Path, adapters: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sampling.engines.ray_vllm.ROWS", 8)  # of which a request has three
    config = configured()
    chain = source(policy, *adapters)
    greedy = [request(number, temperature=GREEDY_TEMPERATURE) for number in range(len(QUESTIONS))]
    whole = [request(number) for number in range(len(QUESTIONS))]
    single = [replace(each, seeds=each.seeds[1:2]) for each in whole]
    known, mistaken = request(0, seeds=()), request(0, temperature=-1.0)
    long = Request(Prompt((Message("user", "wall " * WINDOW),)), ChatConfig(), 0.9, (1,))
    asked = [*greedy, mistaken, *whole, long, *single, known]
    with open_ray(chain, config) as engine, closing(engine.sample(iter(asked))) as came:
        found = {key(answer.request): answer for ended in came for answer in ended}
    assert found.pop(key(long)).cause.startswith("too long: ")
    assert "temperature" in found[key(mistaken)].cause
    assert found.pop(key(mistaken)).samples == ()
    assert [answer.cause for answer in found.values()] == [""] * len(greedy + whole + single)
    with open_transformers(chain, config.sample) as embedded:
        expected = answered(embedded, greedy)
    for each in greedy:
        samples = found[key(each)].samples
        assert facts(samples) == facts(expected[each.prompt.question])
        for one, other in zip(samples, expected[each.prompt.question], strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
    for one_seed, all_seeds in zip(single, whole, strict=True):
        assert facts(found[key(one_seed)].samples) == facts(found[key(all_seeds)].samples[1:2])
    assert len({sample.text for each in whole for sample in found[key(each)].samples}) > len(whole)
