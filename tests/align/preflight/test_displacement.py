"""Which pairs may push down what they should teach."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.preflight.displacement import Score, _by_length, ches, ranked, scored
from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import Answered, Rendering, rendered_pairs
from ledger.records import canonical_json
from sampling.chat import Turn
from sampling.reasoning import Spoken
from tests.align.preflight.test_figures import pair

if TYPE_CHECKING:
    import torch

WORDS = ["hernia", "protrusion", "through", "the", "wall", "which", "contains", "it", "what", "is", "a"]


def states(rng: np.random.Generator, tokens: int, size: int = 8) -> torch.Tensor:
    import torch

    return torch.from_numpy(rng.normal(0.5, 1.0, (tokens, size)).astype(np.float32))


@given(seed=st.integers(0, 2**32 - 1), chosen=st.integers(1, 40), rejected=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_paper(seed: int, chosen: int, rejected: int) -> None:
    """Equation by equation, in double precision, token by token (Razin et al., 2025)."""
    rng = np.random.default_rng(seed)
    ours, theirs = states(rng, chosen), states(rng, rejected)
    between = sum(float(one @ other) for one in ours.double() for other in theirs.double())
    within = sum(float(one @ other) for one in ours.double() for other in ours.double())
    found = ches(ours, theirs)
    assert found.ches == pytest.approx(between - within, rel=1e-9, abs=1e-9)
    assert found.normalised == pytest.approx(between / (chosen * rejected) - within / chosen**2, rel=1e-9, abs=1e-9)
    assert found.relative == pytest.approx(found.ches / within, rel=1e-9, abs=1e-9)


def test_the_same_states_score_nothing_and_contrary_ones_far_below() -> None:
    rng = np.random.default_rng(0)
    one = states(rng, 5)
    assert ches(one, one) == Score(0.0, 0.0, 0.0)
    assert ches(one, -one).relative == pytest.approx(-2)
    assert ches(one, 2 * one).relative == pytest.approx(1)
    assert ches(one * 0, one) == Score(0.0, 0.0, 0.0)


def test_answers_of_one_word_that_the_model_hardly_tells_apart_rank_highest() -> None:
    import torch

    rng = np.random.default_rng(1)  # states of many dimensions, which have little in common by chance
    prompt, end, nudge = (states(rng, 1, 256) for _ in range(3))
    yes_no = ches(torch.cat([prompt, end]), torch.cat([prompt, end + 0.02 * nudge]))
    others = [ches(states(rng, 10, 256) - 0.4, states(rng, 12, 256) - 0.4) for _ in range(20)]
    ranking = ranked(["yes or no", *(f"other {n}" for n in range(20))], [yes_no, *others])
    assert ranking.pairs[0][0] == "yes or no"
    assert ranked(["yes or no"], [yes_no], threshold=-0.05).at_risk == ("yes or no",)
    assert ranked(["other"], others[:1], threshold=-0.05).at_risk == ()


def rendered(tokenizer: Any) -> Rendering:
    rng = random.Random(0)
    turns: tuple[Turn, ...] = ({"role": "user", "content": "What is a hernia?"},)
    pairs = []
    for number in range(6):
        length = rng.randint(3, 20)
        said = " ".join(rng.choices(WORDS, k=length))
        other = " ".join(rng.choices(WORDS, k=length // 2))  # a longer rejected answer is a risk of its own
        pairs.append(Answered(f"far {number}", turns, Spoken(said), Spoken(other)))
        pairs.append(Answered(f"near {number}", turns, Spoken(f"{said} wall"), Spoken(f"{said} wall.")))
    return rendered_pairs(tokenizer, pairs, RenderSettings())


@pytest.fixture(scope="module")
def policy(tiny_policy: Path) -> tuple[Any, Rendering]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    return AutoModelForCausalLM.from_pretrained(tiny_policy), rendered(tokenizer)


def test_a_batched_pass_scores_each_pair_as_if_alone(policy: tuple[Any, Rendering]) -> None:
    import torch

    model, rendering = policy
    rows = [dict(row) for row in rendering.rows]
    for row in rows[:3]:
        row["chosen_context"] = 2
    found = scored(model, rows, most_tokens=300)
    for row, score in zip(rows, found, strict=True):
        parts = []
        for which in ("chosen", "rejected"):
            ids = [*row["prompt_ids"], *row[f"{which}_ids"]]
            with torch.no_grad():
                output = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
            first = len(row["prompt_ids"]) + row[f"{which}_context"]
            parts.append(torch.stack([output.hidden_states[-1][0, place - 1] for place in range(first, len(ids))]))
        alone = ches(*parts)
        assert score.ches == pytest.approx(alone.ches, rel=1e-4, abs=1e-2)
        assert score.normalised == pytest.approx(alone.normalised, rel=1e-4, abs=1e-4)
    assert len({score.ches for score in found}) == len(rows)


def test_near_identical_answers_rank_highest_under_a_model(policy: tuple[Any, Rendering]) -> None:
    model, rendering = policy
    ranking = ranked(rendering.ids, scored(model, rendering.rows))
    assert {name.split()[0] for name, _ in ranking.pairs[:6]} == {"near"}
    assert sorted(name for name, _ in ranking.pairs) == sorted(rendering.ids)


def test_an_adapter_is_scored_as_its_model_is(policy: tuple[Any, Rendering], tiny_policy: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model, rendering = policy
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=True)
    wrapped = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_policy), lora)
    few = rendering.rows[:2]
    assert [each.ches for each in scored(wrapped, few)] == pytest.approx([each.ches for each in scored(model, few)])


def test_the_model_is_left_as_it_was(policy: tuple[Any, Rendering]) -> None:
    model, rendering = policy
    for mode in (True, False):
        model.train(mode)
        scored(model, rendering.rows[:1])
        assert model.training is mode
    assert scored(model, []) == []


def test_batches_are_of_like_length_and_hold_no_more_than_they_may() -> None:
    rng = random.Random(0)
    rows = [pair([0] * rng.randint(1, 30), [1] * rng.randint(1, 30), [2] * rng.randint(1, 30)) for _ in range(50)]
    longest = [len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in rows]
    batches = list(_by_length(rows, 300))
    assert sorted(place for batch in batches for place in batch) == list(range(50))
    assert all(2 * len(batch) * max(longest[place] for place in batch) <= 300 for batch in batches)
    ordered = [longest[place] for batch in batches for place in batch]
    assert ordered == sorted(ordered, reverse=True)
    assert [len(batch) for batch in _by_length(rows, 1)] == [1] * 50


def test_a_ranking_is_told_by_ids_alone() -> None:
    scores = [Score(-5.0, -0.5, -0.5), Score(0.1, 0.01, 0.01), Score(0.01, -0.9, 0.001), Score(0.0, 0.0, 0.0)]
    ranking = ranked(["a", "b", "c", "d"], scores)
    assert [name for name, _ in ranking.pairs] == ["b", "c", "d", "a"]
    assert ranking.at_risk == ("b", "c")
    assert ranking.share == 0.5
    assert ranking.text(2).splitlines() == [
        "pairs at risk of likelihood displacement: 2 of 4 (50%)",
        "b  CHES 0.1, relative +0.010",
        "c  CHES 0.01, relative +0.001",
    ]
    facts = ranking.facts(1)
    assert facts["riskiest"] == [{"pair": "b", "ches": 0.1, "normalised": 0.01, "relative": 0.01}]
    assert (facts["pairs"], facts["share"]) == (4, 0.5)
    assert canonical_json(facts)
    assert ranked([], []).share == 0.0
