"""Log-probabilities for the plan, written down as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.probes.likelihoods import likelihoods_of, score_texts
from align.probes.plan import probe_plan
from ledger.queries import latest
from ledger.records import Likelihood, ModelVersion, Prompt
from ledger.workspace import Workspace
from sampling.chat import conversation, prompt_tokens
from sampling.models import load_policy, load_tokenizer, source_of
from sampling.policies import sft_model
from tests.align.probes.probed import ROWS, held_out, held_out_choice, with_probes

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """A workspace with probes and held-out questions, and words around each prompt."""
    workspace.ledger.append([*map(held_out, range(3)), held_out_choice(0)])
    return with_probes(workspace, tiny_policy, probes='[chat]\nclinical = "You answer surgeons."')


class Policy:
    """The model and its tokenizer, read one text at a time."""

    def __init__(self, workspace: Workspace) -> None:
        source = source_of(workspace, sft_model(workspace))
        self.chat = workspace.config.chat
        self.model, self.tokenizer = load_policy(source), load_tokenizer(source)

    def plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def shown(self, prompt: Prompt) -> list[int]:
        return prompt_tokens(self.tokenizer, conversation(prompt, self.chat), self.chat)

    def logprob(self, context: Sequence[int], continuation: Sequence[int]) -> float:
        import torch

        with torch.no_grad():
            logits = self.model(torch.tensor([[*context, *continuation]])).logits[0].double().log_softmax(-1)
        places = range(len(context) - 1, len(context) + len(continuation) - 1)
        return sum(float(logits[place, token]) for place, token in zip(places, continuation, strict=True))


def started(workspace: Workspace) -> int:
    return sum(done.event == "started" for done in latest(workspace.ledger, 100, "likelihoods"))


def test_records_equal_a_direct_computation(ready: Workspace) -> None:
    model, plan, policy = sft_model(ready), probe_plan(ready), Policy(ready)
    score_texts(ready, model, plan)
    options = likelihoods_of(ready, model, "options")
    assert options.keys() == {each.prompt.id for each in plan.showings}
    for each in plan.showings:
        letters = [policy.logprob(policy.shown(each.prompt), policy.plain(letter)) for letter in "ABC"]
        assert options[each.prompt.id].logprobs == pytest.approx(letters, abs=1e-4)
    references = likelihoods_of(ready, model, "reference")
    assert references.keys() == {held_out(number).id for number in range(3)}
    for prompt in map(held_out, range(3)):
        said = [*policy.plain(prompt.reference or ""), policy.tokenizer.eos_token_id]
        assert references[prompt.id].tokens == (len(said),)
        assert references[prompt.id].logprobs == pytest.approx([policy.logprob(policy.shown(prompt), said)], abs=1e-4)
    texts = likelihoods_of(ready, model, "text")
    assert len(texts) == len(plan.passages) == 2
    for passage in plan.passages:
        first, *rest = policy.plain(passage.probe.expected["text"])
        assert texts[passage.prompt.id].logprobs == pytest.approx([policy.logprob([first], rest)], abs=1e-4)
    of_text, of_options = (next(iter(found.values())).setting for found in (texts, options))
    assert of_text != of_options


def test_what_is_known_is_not_computed_again(ready: Workspace) -> None:
    model, plan = sft_model(ready), probe_plan(ready)
    score_texts(ready, model, plan)
    known = list(ready.ledger.read(Likelihood))
    score_texts(ready, model, plan)
    assert list(ready.ledger.read(Likelihood)) == known
    assert started(ready) == 1


def test_other_words_around_a_prompt_are_another_computation_but_of_plain_text(ready: Workspace) -> None:
    model, plan = sft_model(ready), probe_plan(ready)
    score_texts(ready, model, plan)
    chat = ready.config.chat.model_copy(update={"clinical": "You are brief."})
    other = replace(ready, config=ready.config.model_copy(update={"chat": chat}))
    assert likelihoods_of(other, model, "options") == likelihoods_of(other, model, "reference") == {}
    before = ready.ledger.count(Likelihood)
    score_texts(other, model, plan)
    assert ready.ledger.count(Likelihood) == before + len(plan.showings) + len(plan.references)
    assert len(likelihoods_of(other, model, "text")) == 2


def test_weights_that_a_server_alone_knows_have_none(ready: Workspace) -> None:
    served = ModelVersion("large", "sft", "served:large")
    score_texts(ready, served, probe_plan(ready))
    assert ready.ledger.count(Likelihood) == 0
    assert started(ready) == 0


def test_a_text_that_the_model_does_not_take_is_told_and_not_tried_again(
    ready: Workspace, tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = {"question": "Long?", "area": "text", "check": "text", "expected": {"text": "zq" * 3_000}}
    own = with_probes(ready, tiny_policy, rows=[*ROWS, long])
    model, plan = sft_model(own), probe_plan(own)
    score_texts(own, model, plan)
    assert "sft cannot read 1 texts: " in capsys.readouterr().err
    assert len(plan.passages) == 3
    assert len(likelihoods_of(own, model, "text")) == 2
    score_texts(own, model, plan)
    assert started(own) == 1


def test_what_was_computed_before_the_end_is_kept(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends half-way has written down what it had."""
    monkeypatch.setattr("align.probes.likelihoods.WRITTEN_AT_ONCE", 2)
    model, plan = sft_model(ready), probe_plan(ready)
    whole = load_policy(source_of(ready, model))
    passes: list[Any] = []

    def ends(_module: Any, _inputs: Any) -> None:
        passes.append(1)
        if len(passes) == 2:
            raise KeyboardInterrupt

    whole.register_forward_pre_hook(ends)
    with monkeypatch.context() as within:
        within.setattr("align.probes.likelihoods.load_policy", lambda _source: whole)
        with pytest.raises(KeyboardInterrupt):
            score_texts(ready, model, plan)
    kept = list(ready.ledger.read(Likelihood))
    assert {each.of for each in kept} == {"options"}
    assert len(kept) == len(plan.showings)
    score_texts(ready, model, plan)
    assert list(ready.ledger.read(Likelihood))[: len(kept)] == kept
    assert ready.ledger.count(Likelihood) == len(plan.showings) + len(plan.references) + len(plan.passages)
