from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.probes import forward
from align.probes.forward import Scorable, scored_batches
from align.probes.likelihood import (
    Scored,
    completion_logprobs,
    option_logprobs,
    perplexity,
    text_logprobs,
)
from ledger.config import ChatConfig, ModelConfig
from ledger.records import Message, Prompt
from sampling.chat import conversation, prompt_tokens
from sampling.models import PolicySource, load_policy, load_tokenizer

CHAT = ChatConfig()
QUESTION = Prompt(
    (Message("user", "Which wall is weak?"),),
    mode="exam",
    kind="mcq",
    options=("The back wall", "The front wall", "The roof", "The floor, which it contains"),
    answer="A",
)
TALK = replace(
    QUESTION,
    messages=(
        Message("user", "What is a hernia?"),
        Message("assistant", "A protrusion through the wall which contains it."),
        Message("user", "Which wall?"),
    ),
    context=("The inguinal canal has four walls.",),
    options=("One", "Two", "Three"),
)


@pytest.fixture(scope="module")
def policy(tiny_policy: Path) -> tuple[Any, Any]:
    source = PolicySource(str(tiny_policy), (), ModelConfig(device="cpu"))
    return load_policy(source), load_tokenizer(source)


def one_by_one(model: Any, context: list[int], continuation: list[int]) -> float:
    """The log-probability of a continuation: a pass for each token, nothing batched or padded."""
    import torch

    total = 0.0
    for place, token in enumerate(continuation):
        with torch.no_grad():
            logits = model(torch.tensor([[*context, *continuation[:place]]])).logits[0, -1]
        total += float(torch.log_softmax(logits.double(), -1)[token])
    return total


def shown(tokenizer: Any, prompt: Prompt) -> list[int]:
    return prompt_tokens(tokenizer, conversation(prompt, CHAT), CHAT)


def plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def by_place(found: list[Scored]) -> list[Scored]:
    return sorted(found, key=lambda each: each.place)


@pytest.mark.parametrize("tokens_at_once", [1, 300, 2**14])
def test_options_are_scored_as_by_a_plain_loop(policy: tuple[Any, Any], tokens_at_once: int) -> None:
    model, tokenizer = policy
    prompts = [QUESTION, TALK, replace(QUESTION, mode="clinical")]
    found = by_place(list(option_logprobs(model, tokenizer, prompts, CHAT, tokens_at_once=tokens_at_once)))
    assert [each.place for each in found] == [0, 1, 2]
    for prompt, each in zip(prompts, found, strict=True):
        context = shown(tokenizer, prompt)
        letters = "ABCD"[: len(prompt.options)]
        expected = [one_by_one(model, context, plain(tokenizer, letter)) for letter in letters]
        assert each.logprobs == pytest.approx(expected, abs=1e-4)
        assert each.tokens == (1,) * len(letters)


def test_letters_of_several_tokens_are_scored_too(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy

    class Spelt:
        """A tokenizer to which a letter is two tokens."""

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __call__(self, texts: list[str], **told: Any) -> Any:
            return tokenizer([f"*{text}" if len(text) == 1 else text for text in texts], **told)

    found = by_place(list(option_logprobs(model, Spelt(), [TALK, QUESTION], CHAT, tokens_at_once=400)))
    for prompt, each in zip([TALK, QUESTION], found, strict=True):
        context = shown(tokenizer, prompt)
        letters = "ABCD"[: len(prompt.options)]
        expected = [one_by_one(model, context, plain(tokenizer, f"*{letter}")) for letter in letters]
        assert each.logprobs == pytest.approx(expected, abs=1e-4)
        assert each.tokens == (2,) * len(letters)


def test_completions_are_scored_with_their_end_and_without_their_prompt(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    prompts = [QUESTION, TALK, TALK]
    completions = ["A bulge of what it contains.", "B", "The wall <|im_end|> is weak, " * 5]
    found = by_place(list(completion_logprobs(model, tokenizer, prompts, completions, CHAT, tokens_at_once=500)))
    for prompt, completion, each in zip(prompts, completions, found, strict=True):
        answer = [*plain(tokenizer, completion), tokenizer.eos_token_id]
        assert each.tokens == (len(answer),)
        assert each.logprobs == pytest.approx((one_by_one(model, shown(tokenizer, prompt), answer),), abs=1e-4)


def test_the_first_token_of_a_plain_text_is_scored_behind_a_beginning_token_only(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    texts = ["A hernia is a protrusion.", "A", "", "The wall contains it, and more than that."]
    found = by_place(list(text_logprobs(model, tokenizer, texts)))
    first, *rest = plain(tokenizer, texts[0])
    assert found[0].tokens == (len(rest),)
    assert found[0].logprobs == pytest.approx((one_by_one(model, [first], rest),), abs=1e-4)
    assert [bool(each.cause) for each in found] == [False, True, True, False]
    try:
        tokenizer.bos_token = "<|im_start|>"
        begun = by_place(list(text_logprobs(model, tokenizer, texts)))
    finally:
        tokenizer.bos_token = None
    whole = [first, *rest]
    assert begun[0].tokens == (len(whole),)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert begun[0].logprobs == pytest.approx((one_by_one(model, [start], whole),), abs=1e-4)


def test_what_the_model_cannot_take_says_why(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    long = replace(QUESTION, messages=(Message("user", "wall " * 3_000),))
    system = replace(QUESTION, options=())
    found = by_place(list(option_logprobs(model, tokenizer, [long, QUESTION, system], CHAT)))
    assert "the model takes 2048" in found[0].cause
    assert (found[0].logprobs, found[0].tokens) == ((), ())
    assert found[1].cause == ""
    assert found[2].cause == "the question has no options"


def test_a_prompt_that_the_template_refuses_says_why(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    template = tokenizer.chat_template
    try:
        tokenizer.chat_template = (
            "{% if messages|length > 3 %}{{ raise_exception('too many turns') }}{% endif %}" + template
        )
        found = by_place(list(option_logprobs(model, tokenizer, [TALK, QUESTION], CHAT)))
    finally:
        tokenizer.chat_template = template
    assert "too many turns" in found[0].cause
    assert found[1].logprobs


def test_batches_end_before_all_is_done_and_the_longest_come_first(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    texts = ["wall " * n for n in (3, 40, 10, 80)]
    running = text_logprobs(model, tokenizer, texts, tokens_at_once=90)
    assert next(running).place == 3
    assert {each.place for each in running} == {0, 1, 2}


def test_a_batch_that_does_not_fit_is_halved(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    texts = ["A hernia.", "The wall contains it.", "Through the wall.", "What is it?", "A protrusion."]
    expected = by_place(list(text_logprobs(model, tokenizer, texts)))
    sizes: list[int] = []

    def small(_module: Any, _inputs: Any, told: dict[str, Any]) -> None:
        sizes.append(len(told["input_ids"]))
        if sizes[-1] > 2:
            raise RuntimeError("CUDA out of memory")

    handle = model.register_forward_pre_hook(small, with_kwargs=True)
    try:
        found = by_place(list(text_logprobs(model, tokenizer, texts)))
    finally:
        handle.remove()
    assert sizes == [5, 2, 3, 1, 2]
    assert [each.logprobs[0] for each in found] == pytest.approx([each.logprobs[0] for each in expected], abs=1e-4)


def test_an_error_that_is_no_lack_of_memory_is_raised(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy

    def broken(_module: Any, _inputs: Any) -> None:
        raise RuntimeError("shapes differ")

    handle = model.register_forward_pre_hook(broken)
    try:
        with pytest.raises(RuntimeError, match="shapes differ"):
            list(text_logprobs(model, tokenizer, ["A hernia.", "A wall."]))
    finally:
        handle.remove()


def test_the_head_sees_the_scored_positions_only(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    seen: list[tuple[int, ...]] = []
    head = model.get_output_embeddings()
    handle = head.register_forward_hook(lambda _module, _inputs, logits: seen.append(tuple(logits.shape)))
    try:
        list(option_logprobs(model, tokenizer, [QUESTION, TALK], CHAT))
    finally:
        handle.remove()
    assert seen == [(1, 2, model.config.vocab_size)]
    assert not head._forward_pre_hooks


def test_logits_are_kept_within_bounds(policy: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = policy
    texts = ["A hernia is a protrusion.", "The wall contains it.", "What is it?"]
    expected = by_place(list(text_logprobs(model, tokenizer, texts)))
    vocabulary = model.config.vocab_size
    monkeypatch.setattr(forward, "LOGITS", vocabulary * 12)
    monkeypatch.setattr(forward, "ELEMENTS", vocabulary * 2)
    rows: list[int] = []
    handle = model.register_forward_hook(lambda _module, _inputs, out: rows.append(out.logits.shape[1]))
    try:
        found = by_place(list(text_logprobs(model, tokenizer, texts)))
    finally:
        handle.remove()
    assert len(rows) > 1
    assert [each.logprobs[0] for each in found] == pytest.approx([each.logprobs[0] for each in expected], abs=1e-4)


def test_a_model_whose_head_is_no_module_is_scored_alike(policy: tuple[Any, Any]) -> None:
    model, _ = policy

    class Headless:
        config, device = model.config, model.device

        def __call__(self, **told: Any) -> Any:
            return model(**told)

    works = [Scorable([5, 6, 7, 8], (1, 3), [(7, 9), (9, 7)]), Scorable([9, 3], (1,), [(4, 5)])]
    (expected,), (found,) = list(scored_batches(model, works)), list(scored_batches(Headless(), works))
    assert found.keys() == expected.keys() == {0, 1}
    for number, sums in expected.items():
        assert found[number] == pytest.approx(sums, abs=1e-5)


def test_perplexity_weighs_by_tokens() -> None:
    scored = [Scored(0, (-2.0,), (1,)), Scored(1, (-3.0,), (9,)), Scored(2, cause="too long")]
    assert perplexity(scored) == pytest.approx(math.exp(0.5))
    assert perplexity([Scored(0, cause="too long")]) is None
    assert perplexity([]) is None


def test_the_perplexity_of_an_untrained_model_is_about_its_vocabulary(policy: tuple[Any, Any]) -> None:
    model, tokenizer = policy
    texts = [json.dumps({"wall": number, "name": "hernia" * number}) for number in range(1, 6)]
    found = perplexity(text_logprobs(model, tokenizer, texts))
    assert found == pytest.approx(model.config.vocab_size, rel=0.4)
