"""Several judges, each for itself, and what they say together."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.panel import PanelVerdict, family, judges, own_family, panel_verdict, policy_names
from ledger.config import JudgeConfig, ModelConfig, parse_config
from ledger.records import Verdict

PANEL = """
[judge]
model = "gpt-oss-120b"
base_url = "http://localhost:1/v1"
concurrency = 99
max_tokens = 77
output_price = 3.0

[[judge.panel]]
model = "llama"
base_url = "http://localhost:2/v1"
input_price = 1.0

[[judge.panel]]
model = "qwen"
base_url = "http://localhost:3/v1"
"""


class Said(NamedTuple):
    assessor: str
    verdict: Verdict
    strength: float = 0.5


A, B = 0.9, 0.1
VALUES: dict[Verdict, float] = {"a": A, "b": B, "tie": 0.5, "both_bad": 0.5, "invalid": 0.5}


def said(judge: str, *verdicts: Verdict) -> list[Said]:
    return [Said(f"judge:{judge}", verdict, VALUES[verdict]) for verdict in verdicts]


def test_each_judge_has_its_own_endpoint_and_shares_the_rest() -> None:
    first, second, third = judges(parse_config(PANEL).judge)
    assert [each.model for each in (first, second, third)] == ["gpt-oss-120b", "llama", "qwen"]
    assert [each.base_url[-4:-3] for each in (first, second, third)] == ["1", "2", "3"]
    assert [each.concurrency for each in (first, second, third)] == [99, 16, 16]
    assert [(each.input_price, each.output_price) for each in (first, second, third)] == [(0, 3), (1, 0), (0, 0)]
    assert {each.max_tokens for each in (first, second, third)} == {77}
    assert {each.panel for each in (first, second, third)} == {()}


def test_a_panel_needs_no_first_judge() -> None:
    config = parse_config("[judge]\nmax_tokens = 5\n" + PANEL.partition("output_price = 3.0\n")[2]).judge
    assert [(each.model, each.max_tokens) for each in judges(config)] == [("llama", 5), ("qwen", 5)]


def test_without_a_model_there_is_no_judge() -> None:
    assert judges(JudgeConfig()) == ()
    alone = JudgeConfig(model="m", base_url="u")
    assert judges(alone) == (alone,)


@pytest.mark.parametrize(
    ("opinions", "verdict"),
    [
        ([*said("x", "a", "a"), *said("y", "a", "a"), *said("z", "b", "b")], PanelVerdict("a", 0.633333, 2 / 3, 3)),
        ([*said("x", "b", "b"), *said("y", "b", "b"), *said("z", "b", "b")], PanelVerdict("b", 0.1, 1, 3)),
        ([*said("x", "a"), *said("y", "b"), *said("z", "tie")], PanelVerdict("tie", 0.5, 1 / 3, 3)),
        ([*said("x", "a"), *said("y", "b")], PanelVerdict("tie", 0.5, 0, 2)),
        ([*said("x", "a"), *said("y", "a"), *said("z", "b"), *said("w", "tie")], PanelVerdict("tie", 0.5, 1 / 4, 4)),
        ([*said("x", "a", "b"), *said("y", "a", "a")], PanelVerdict("tie", 0.5, 1 / 2, 2)),
        ([*said("x", "a", "b"), *said("y", "a"), *said("z", "a")], PanelVerdict("a", 0.766667, 2 / 3, 3)),
        ([*said("x", "both_bad"), *said("y", "both_bad"), *said("z", "a")], PanelVerdict("both_bad", 0.5, 2 / 3, 3)),
        ([*said("x", "a", "invalid"), *said("y", "invalid", "invalid")], PanelVerdict("a", 0.9, 1, 1)),
        ([*said("x", "invalid"), *said("y", "invalid")], PanelVerdict("invalid", 0.5, 0, 0)),
        ([], PanelVerdict("invalid", 0.5, 0, 0)),
    ],
)
def test_what_most_judges_say_is_the_panels_verdict(opinions: list[Said], verdict: PanelVerdict) -> None:
    assert panel_verdict(opinions) == verdict


def test_a_judge_that_flips_is_undecided_however_strong_its_words() -> None:
    assert panel_verdict([Said("x", "a", 0.9), Said("x", "b", 0.3), *said("y", "a"), *said("z", "a")]) == PanelVerdict(
        "a", 0.766667, 2 / 3, 3
    )


def test_a_strong_minority_does_not_turn_the_strength_against_the_verdict() -> None:
    opinions = [Said("x", "a", 0.55), Said("y", "a", 0.55), Said("z", "b", 0.01)]
    assert panel_verdict(opinions) == PanelVerdict("a", 0.5, 2 / 3, 3)


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(list(VALUES))), max_size=5))
def test_a_panel_is_blind_to_order_and_symmetric(given_: list[tuple[str, Verdict]]) -> None:
    opinions = [each for judge, verdict in given_ for each in said(judge, verdict)]
    verdict = panel_verdict(opinions)
    assert all(panel_verdict(order) == verdict for order in permutations(opinions))
    swap: dict[Verdict, Verdict] = {"a": "b", "b": "a"}
    other = panel_verdict(
        [Said(one.assessor, swap.get(one.verdict, one.verdict), 1 - one.strength) for one in opinions]
    )
    assert other.verdict == swap.get(verdict.verdict, verdict.verdict)
    assert other.strength == pytest.approx(1 - verdict.strength)
    assert other.agreement == verdict.agreement
    assert (verdict.verdict == "a") <= (verdict.strength >= 0.5)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("Qwen/Qwen3-235B-A22B-Instruct", "qwen"),
        ("QwQ-32B", "qwen"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama"),
        ("nvidia/Llama-3_3-Nemotron-Super-49B", "llama"),
        ("epfl-llm/meditron-7b", "llama"),
        ("openai/gpt-oss-120b", "gpt"),
        ("gpt_oss", "gpt"),
        ("gpt-5-mini", "gpt"),
        ("openai/o3", "gpt"),
        ("o4-mini", "gpt"),
        ("mistralai/Mixtral-8x22B", "mistral"),
        ("BioMistral-7B", "mistral"),
        ("magistral-small", "mistral"),
        ("google/medgemma-27b-it", "gemma"),
        ("gemini-3-pro", "gemma"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "qwen"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama"),
        ("microsoft/phi-4", "phi"),
        ("microsoft/Phi3-mini", "phi"),
        ("claude-opus-4", "claude"),
        ("CohereLabs/c4ai-command-r-plus", "command"),
        ("zai-org/GLM-4.6", "glm"),
        ("moonshotai/Kimi-K2", "kimi"),
        ("01-ai/Yi-34B", "yi"),
        ("ollama/qwen3", "qwen"),
        ("ollama/unheard-of", None),
        ("dolphin-2.9", None),
        ("himalaya-7b", None),
        ("EleutherAI/gpt-neox-20b", None),
        ("gpt2", None),
        ("judge-1", None),
        ("models/sft", None),
        ("", None),
    ],
)
def test_a_family_is_told_by_the_name(name: str, of: str | None) -> None:
    assert family(name) == of


def test_a_judge_of_the_policys_own_family_is_warned_of() -> None:
    said = own_family("Qwen/Qwen3-235B", ["models/sft", "qwen2"])
    assert "Qwen/Qwen3-235B" in said
    assert "(qwen)" in said
    assert "\n" not in said
    assert own_family("openai/gpt-oss-120b", ["models/sft", "qwen2"]) == ""
    assert own_family("judge-1", ["models/sft"]) == ""  # two unknown ones are not one family


def test_a_policy_is_called_what_its_files_say(tmp_path: Path) -> None:
    for folder, file, said in (
        ("sft", "config.json", {"model_type": "qwen3", "_name_or_path": "Qwen/Qwen3-8B"}),
        ("lora", "adapter_config.json", {"base_model_name_or_path": "meta-llama/Llama-3.1-8B"}),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(json.dumps(said), encoding="utf-8")
    named = policy_names(tmp_path, ModelConfig(path="sft", adapter="lora"))
    assert set(named) == {"sft", "lora", "qwen3", "Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B"}
    assert policy_names(tmp_path, ModelConfig(path="Qwen/Qwen3-8B")) == ("Qwen/Qwen3-8B",)
    assert policy_names(tmp_path, ModelConfig()) == ()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model_type": 3}', '{"model_type": null}'])
def test_a_file_that_says_nothing_is_no_trouble(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    assert policy_names(tmp_path, ModelConfig(path=".")) == (".",)
