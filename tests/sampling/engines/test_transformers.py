"""The embedded engine draws from the model's own distribution, and an answer depends on nothing but its request."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.config import SampleConfig
from sampling.chat import prompt_tokens
from sampling.engines.protocol import Request, Sample
from sampling.engines.transformers import SeededSampling, TransformersEngine

LOGITS = (2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -3.0)
QUESTIONS = (
    "What is a hernia?",
    "Hi",
    "What is a hernia, and which is the wall that contains it, and what is a protrusion through the wall?",
    "Which wall contains a hernia?",
)


def critical(freedom: int) -> float:
    """The chi-square quantile at about 3e-5 (Wilson and Hilferty, 1931)."""
    return freedom * (1 - 2 / (9 * freedom) + 4 * math.sqrt(2 / (9 * freedom))) ** 3


def chi_square(seen: Counter[Any], expected: dict[Any, float]) -> float:
    total = sum(seen.values())
    return sum((seen[key] - total * share) ** 2 / (total * share) for key, share in expected.items())


def softmax(logits: Sequence[float], temperature: float) -> list[float]:
    weights = [math.exp(logit / temperature) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def draw(seeds: Sequence[int], temperature: float, top_p: float, steps: int = 1) -> list[list[int]]:
    """The tokens drawn for each seed, by step."""
    import torch

    sampling = SeededSampling(seeds, temperature, top_p)
    scores = torch.tensor(LOGITS).repeat(len(seeds), 1)
    ids = torch.zeros(len(seeds), 1, dtype=torch.long)
    drawn: list[list[int]] = [sampling(ids, scores).argmax(-1).tolist() for _ in range(steps)]
    return drawn


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.0, 2.0])
def test_tokens_come_from_the_tempered_softmax(temperature: float) -> None:
    (drawn,) = draw(range(20_000), temperature, 1.0)
    expected = dict(enumerate(softmax(LOGITS, temperature)))
    assert chi_square(Counter(drawn), expected) < critical(len(LOGITS) - 1)


def test_neighbouring_seeds_and_successive_steps_are_independent() -> None:
    first, second = draw(range(40_000), 1.0, 1.0, steps=2)
    shares = softmax(LOGITS[:4], 1.0)
    expected = {(a, b): shares[a] * shares[b] for a in range(4) for b in range(4)}
    for pairs in (zip(first[::2], first[1::2], strict=True), zip(first, second, strict=True)):
        seen = Counter(pair for pair in pairs if max(pair) < 4)
        assert chi_square(seen, expected) < critical(15)


@pytest.mark.parametrize(("top_p", "kept"), [(1e-9, 1), (0.4, 1), (0.62, 2), (0.9, 5), (0.999, 8)])
def test_the_nucleus_is_never_left_and_is_drawn_from_in_proportion(top_p: float, kept: int) -> None:
    shares = softmax(LOGITS, 1.0)
    assert sum(shares[: kept - 1]) < top_p <= sum(shares[:kept])
    (drawn,) = draw(range(10_000), 1.0, top_p)
    expected = {token: share / sum(shares[:kept]) for token, share in enumerate(shares[:kept])}
    assert set(drawn) == set(expected)
    assert chi_square(Counter(drawn), expected) < critical(max(1, kept - 1))


def test_the_nucleus_is_of_the_tempered_distribution() -> None:
    assert set(draw(range(2_000), 0.2, 0.9)[0]) == {0}
    assert set(draw(range(2_000), 5.0, 0.9)[0]) > {0, 1, 2}


def test_the_log_probability_is_the_untempered_one() -> None:
    import torch

    sampling = SeededSampling([1, 2, 3], 0.3, 0.8)
    scores = torch.tensor(LOGITS).repeat(3, 1)
    picked = [sampling(torch.zeros(3, 1), scores) for _ in range(2)]
    shares = torch.log_softmax(torch.tensor(LOGITS), -1)
    for row, said in enumerate(sampling.logprobs_by_row()):
        tokens = [int(step[row].argmax()) for step in picked]
        assert said == pytest.approx([shares[token].item() for token in tokens], abs=1e-6)
    assert ((picked[0] == 0).sum(-1) == 1).all()
    assert (picked[0] == -torch.inf).sum() == 3 * (len(LOGITS) - 1)


@pytest.fixture(scope="module")
def sharp_policy(tiny_policy: Path) -> tuple[Any, Any]:
    """The tiny policy with weights so large that what it says next depends on all that went before."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("proj.weight"):
                weight.mul_(6)
            if "embed" in name:
                weight.mul_(8)
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    return model.eval(), tokenizer


def settings(**changed: Any) -> SampleConfig:
    return SampleConfig(**{"max_new_tokens": 10, **changed})


def request(number: int, seeds: tuple[int, ...] = (11, 12)) -> Request:
    turns = ({"role": "user", "content": QUESTIONS[number]},)
    return Request(f"prompt {number}", turns, tuple(seed + 100 * number for seed in seeds))


def answered(engine: TransformersEngine, requests: Sequence[Request]) -> dict[str, list[Sample]]:
    return {request.prompt: samples for request, samples in engine.sample(requests)}


def facts(samples: Sequence[Sample]) -> list[tuple[Any, ...]]:
    return [(sample.text, sample.seed, sample.finish_reason, sample.tokens) for sample in samples]


def alone(engine: TransformersEngine, asked: Request, seed: int, steps: int) -> tuple[list[int], list[float]]:
    """The tokens and log-probabilities of one answer, by plain forward passes: no batch, no padding, no cache."""
    import torch

    ids = prompt_tokens(engine.tokenizer, asked.turns)
    start, said = len(ids), []
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        with torch.inference_mode():
            plain = engine.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        noise = torch.empty(len(plain)).exponential_(generator=generator).log()
        ids.append(int((plain / engine.config.temperature - noise).argmax()))
        said.append(plain[ids[-1]].item())
    return ids[start:], said


def test_padding_and_batches_change_nothing(sharp_policy: tuple[Any, Any]) -> None:
    engine = TransformersEngine(*sharp_policy, settings())
    requests = [request(number) for number in range(len(QUESTIONS))]
    together = answered(engine, requests)
    backwards = answered(engine, requests[::-1])
    lengths = {engine.length(each) for each in requests}
    assert len(lengths) == len(requests)
    assert list(backwards) == [each.prompt for each in requests[::-1]]
    for each in requests:
        (by_itself,) = answered(engine, [each]).values()
        (last_seed,) = answered(engine, [Request(each.prompt, each.turns, each.seeds[1:])]).values()
        assert facts(together[each.prompt]) == facts(by_itself) == facts(backwards[each.prompt])
        assert facts(last_seed) == facts(by_itself[1:])
        for one, other in zip(together[each.prompt], by_itself, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


def test_answers_are_those_of_plain_forward_passes(sharp_policy: tuple[Any, Any]) -> None:
    engine = TransformersEngine(*sharp_policy, settings(temperature=0.7))
    requests = [request(number) for number in range(3)]
    for asked, samples in engine.sample(requests):
        for sample in samples:
            tokens, said = alone(engine, asked, sample.seed, engine.config.max_new_tokens)
            assert engine.tokenizer.eos_token_id not in tokens
            assert sample.text == engine.tokenizer.decode(tokens, skip_special_tokens=True).strip()
            assert sample.logprob == pytest.approx(sum(said) / len(said), abs=1e-4)


def test_what_the_prompt_and_the_seed_say_matters(sharp_policy: tuple[Any, Any]) -> None:
    engine = TransformersEngine(*sharp_policy, settings())
    turns = [({"role": "user", "content": text},) for text in QUESTIONS]
    requests = [Request(str(number), each, (5, 6, 7)) for number, each in enumerate(turns)]
    texts = [sample.text for samples in answered(engine, requests).values() for sample in samples]
    assert len(set(texts)) == len(texts)


def test_an_answer_ends_at_the_end_token_or_at_the_limit(sharp_policy: tuple[Any, Any]) -> None:
    model, tokenizer = sharp_policy
    asked = request(0, tuple(range(8)))
    whole = answered(TransformersEngine(model, tokenizer, settings()), [asked])[asked.prompt]
    assert {(sample.finish_reason, sample.tokens) for sample in whole} == {("length", 10)}

    engine = TransformersEngine(model, tokenizer, settings())
    rows = [alone(engine, asked, seed, 10) for seed in asked.seeds]
    stop = rows[0][0][4]  # the fifth token of the first answer now ends an answer, as the model's own settings have it
    first = rows[0][0].index(stop)
    old, model.generation_config.eos_token_id = model.generation_config.eos_token_id, [stop, tokenizer.eos_token_id]
    cut = answered(TransformersEngine(model, tokenizer, settings()), [asked])[asked.prompt]
    model.generation_config.eos_token_id = old

    assert (cut[0].finish_reason, cut[0].tokens) == ("stop", first)
    for (tokens, said), sample in zip(rows, cut, strict=True):
        end = tokens.index(stop) if stop in tokens else None
        assert sample.finish_reason == ("length" if end is None else "stop")
        assert sample.text == tokenizer.decode(tokens[:end], skip_special_tokens=True).strip()
        counted = said if end is None else said[: end + 1]  # the end token was chosen too
        assert sample.logprob == pytest.approx(sum(counted) / len(counted), abs=1e-4)


def test_an_empty_answer_is_an_answer(sharp_policy: tuple[Any, Any]) -> None:
    model, tokenizer = sharp_policy
    asked = request(0, (1,))
    engine = TransformersEngine(model, tokenizer, settings())
    (token, *_), (said, *_) = alone(engine, asked, 1, 1)
    model.generation_config.eos_token_id = token
    (empty,) = answered(TransformersEngine(model, tokenizer, settings()), [asked])[asked.prompt]
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    assert facts([empty]) == [("", 1, "stop", 0)]
    assert empty.logprob == pytest.approx(said, abs=1e-4)


def test_the_models_own_generation_settings_are_not_obeyed(tiny_policy: Path, tmp_path: Path) -> None:
    """They would change the distribution that is drawn from, unrecorded; many published models have some."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy).eval()
    asked = request(0)
    plain = answered(TransformersEngine(model, tokenizer, settings()), [asked])
    model.generation_config = GenerationConfig(
        do_sample=True,
        top_k=1,
        temperature=0.01,
        repetition_penalty=1.9,
        no_repeat_ngram_size=1,
        suppress_tokens=list(range(3, 150)),
        max_length=3,
        eos_token_id=tokenizer.eos_token_id,
    )
    obeyed = answered(TransformersEngine(model, tokenizer, settings()), [asked])
    assert facts(obeyed[asked.prompt]) == facts(plain[asked.prompt])


def test_the_length_is_the_rendered_prompts(sharp_policy: tuple[Any, Any]) -> None:
    engine = TransformersEngine(*sharp_policy, settings())
    assert engine.name == "transformers"
    assert engine.length(request(1)) == len(
        engine.tokenizer("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n").input_ids
    )
