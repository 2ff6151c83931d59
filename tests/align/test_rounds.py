"""The loop, walked with the tiny policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.evaluate import evaluate
from align.gate.stage import gate
from align.rounds import RoundReport, rounds_decided, run_round
from ledger.config import parse_config
from ledger.errors import EndpointError, ModelError, StageError
from ledger.queries import latest
from ledger.records import Candidate, Comparison, Decision, ModelVersion, Pair, Prompt, Record, Round
from ledger.tables import candidates
from ledger.workspace import Workspace
from sampling.models import load_policy, source_of
from sampling.policies import current_policy, sft_model
from tests.align.toy_judge import ToyJudge
from tests.align.untrained import untrained_adapter
from tests.annotate.answered import question
from tests.openai_server import failure

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS: tuple[type[Record], ...] = (Prompt, Candidate, Comparison, Pair, ModelVersion, Round, Decision)


def started(workspace: Workspace) -> Counter[str]:
    return Counter(done.stage for done in latest(workspace.ledger, 1_000) if done.event == "started")


def another_run(workspace: Workspace) -> Workspace:
    """As another process has it: what was done twice in one run is logged once."""
    return replace(workspace, run="another")


def counts(workspace: Workspace) -> list[int]:
    return [workspace.ledger.count(kind) for kind in KINDS]


def texts_of(workspace: Workspace, model: ModelVersion) -> list[str]:
    return [each.text for each in workspace.ledger.read(Candidate, candidates.c.model == model.id)]


def promoting_round(workspace: Workspace, judge: ToyJudge) -> RoundReport:
    """A round in which the judge likes whatever the new model says on held-out prompts."""
    asked = judge.answer

    def partial(body: dict[str, Any]) -> Any:
        newest = list(workspace.ledger.read(ModelVersion))[-1]
        if newest.adapter:
            judge.favour(texts_of(workspace, newest))
        return asked(body)

    judge.server.chat = partial
    return run_round(workspace)


def test_a_round_ends_with_a_decision_and_is_not_done_again(toy: Workspace, judge: ToyJudge) -> None:
    sft = sft_model(toy)
    report = run_round(toy)
    (current,) = toy.ledger.read(Round)
    assert (current.number, current.policy, current.method) == (1, sft.id, "dpo")
    assert (report.round, report.model.parent, report.model.name) == (current, sft.id, "round-1-dpo")
    assert list(toy.ledger.read(Decision)) == [report.decision]
    assert (report.decision.round, report.decision.model) == (current.id, report.model.id)
    assert report.against_sft is report.against_policy
    assert report.against_policy.overall.n_prompts == 10
    splits = {prompt.id: prompt.split for prompt in toy.ledger.read(Prompt)}
    assert {splits[pair.prompt] for pair in toy.ledger.training_set(report.model.id)} == {"train"}
    assert {splits[each.prompt] for each in toy.ledger.read(Candidate)} == {"train", "eval"}
    done = {"sample": 3, "judge": 2, "pairs": 1, "train": 1, "likelihoods": 2, "passport": 1}
    assert started(toy) == done

    before, asked = counts(toy), len(judge.server.asked)
    again = run_round(another_run(toy), number=1)
    assert again == report
    assert counts(toy) == before
    assert len(judge.server.asked) == asked
    assert (started(toy)["sample"], started(toy)["train"]) == (3, 1)


def test_a_round_that_was_left_unfinished_goes_on(toy: Workspace, judge: ToyJudge) -> None:
    """The judge's server refuses as soon as the trained model is to be compared."""
    asked = judge.answer
    judge.server.chat = lambda body: failure(401) if toy.ledger.count(ModelVersion) > 1 else asked(body)
    with pytest.raises(EndpointError, match="the key is refused"):
        run_round(toy)
    assert rounds_decided(toy) == 0
    done, calls = started(toy), len(judge.server.asked)
    judge.server.chat = asked
    report = run_round(another_run(toy))
    assert report.round.number == 1
    assert toy.ledger.count(Round) == 1
    assert (started(toy)["sample"], started(toy)["train"]) == (done["sample"], done["train"]) == (3, 1)
    verdicts = [each for each in toy.ledger.read(Comparison) if each.model_a != each.model_b]
    assert len(verdicts) >= len(judge.server.asked) - calls > 0


def test_without_a_promotion_the_next_round_has_the_same_policy_and_wants_something_new(toy: Workspace) -> None:
    sft = sft_model(toy)
    strict = parse_config("[evaluate]\nleast_prompts = 1000").evaluate
    toy = replace(toy, config=toy.config.model_copy(update={"evaluate": strict}))
    first = run_round(toy)
    assert not first.decision.promoted
    assert current_policy(toy) == sft
    with pytest.raises(StageError, match="round 2: it would repeat round 1"):
        run_round(toy)
    assert toy.ledger.count(ModelVersion) == 2
    toy.ledger.append([question(50)])
    second = run_round(toy)
    assert (second.round.number, second.round.policy, second.model.parent) == (2, sft.id, sft.id)
    assert len(toy.ledger.trained_on(second.model.id)) > len(toy.ledger.trained_on(first.model.id))


def test_a_promoted_model_is_the_next_rounds_policy(toy: Workspace, judge: ToyJudge) -> None:
    sft = sft_model(toy)
    first = promoting_round(toy, judge)
    assert first.decision.promoted
    assert first.against_policy.overall.low > 0.5  # babble that is plainly no answer loses, favourite or not
    assert current_policy(toy) == first.model

    second = promoting_round(toy, judge)
    assert (second.round.number, second.round.policy) == (2, first.model.id)
    assert second.model.parent == first.model.id
    assert (second.against_policy.opponent, second.against_sft.opponent) == (first.model.id, sft.id)
    answers = {each.id: each.model for each in toy.ledger.read(Candidate)}
    trained = list(toy.ledger.training_set(second.model.id))
    assert {answers[pair.chosen] for pair in trained} == {first.model.id}
    assert "against the policy it came from: wins" in second.text()
    assert "against SFT: wins" in second.text()
    assert second.facts()["round"] == 2
    assert merged_by_hand(toy, first.model, second.model)

    before = counts(toy)
    assert run_round(toy, number=2) == second
    assert counts(toy) == before
    assert run_round(toy, number=1).round == first.round


def merged_by_hand(toy: Workspace, *chain: ModelVersion) -> bool:
    """Is the last model's policy the base plus each adapter's B A, scaled? And does each adapter add something?"""
    import torch
    from safetensors.torch import load_file

    layer = "model.layers.0.mlp.down_proj"
    policy = load_policy(source_of(toy, chain[-1])).state_dict()[f"{layer}.weight"].clone()
    added = load_policy(source_of(toy, sft_model(toy))).state_dict()[f"{layer}.weight"].clone()
    align = toy.config.align
    assert source_of(toy, chain[-1]).adapters == tuple(toy.root / model.path for model in chain)
    for model in chain:
        weights = load_file(toy.root / model.path / "adapter_model.safetensors")
        up, down = (weights[f"base_model.model.{layer}.lora_{side}.weight"] for side in "BA")
        assert torch.any(up != 0)
        added += align.lora_alpha / align.lora_rank * up @ down
    return torch.allclose(policy, added, atol=1e-6)


def test_an_untrained_adapter_comes_out_at_one_half(toy: Workspace) -> None:
    """Nothing is hard-wired: the same weights, sampled under another model's seeds, are no better and no worse."""
    toy.ledger.append([question(number, split="eval") for number in range(100, 130)])
    sft = sft_model(toy)
    untrained = untrained_adapter(toy, sft)
    found = evaluate(toy, untrained, sft)
    assert found.overall.n_prompts == 40
    assert found.overall.low < 0.5 < found.overall.high
    assert found.overall.high - found.overall.low < 0.4
    assert sorted(texts_of(toy, untrained)) != sorted(texts_of(toy, sft))
    assert gate(toy, untrained, sft).verdict.outcome == "hold"


def test_a_round_needs_a_policy_and_prompts(workspace: Workspace, tiny_policy: Path) -> None:
    with pytest.raises(ModelError, match="no SFT model is named"):
        run_round(workspace)
    with pytest.raises(StageError, match="there are no train prompts"):
        run_round(replace(workspace, config=parse_config(f'[model]\npath = "{tiny_policy}"')))
