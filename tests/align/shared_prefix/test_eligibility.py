"""Models that cannot share prefixes say why, and train as TRL does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from align.shared_prefix.eligibility import differs, objection
from sampling.quiet import quiet
from tests.align.shared_prefix.worlds import DENSE, ROTARY, collated, outcome, settings_in, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

EXPERTS: Mapping[str, Any] = {**ROTARY, "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8}
PAIRS = [([3, 4, 5, 6], [7, 8, 9], [10, 11, 12]), ([3, 4, 5, 8], [7, 8], [10])]


def made(name: str, *, head: bool = True, **settings: Any) -> Any:
    import torch
    import transformers
    from trl.trainer.utils import add_fused_lm_head

    torch.manual_seed(0)
    with quiet():
        model = getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**settings))
    if head:
        add_fused_lm_head(model)
    return model


def with_head(model: Any) -> Any:
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model)
    return model


@pytest.mark.parametrize("kind", DENSE)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_dense_models_have_no_objection(kind: str, precision: str) -> None:
    import torch

    model = with_head(tiny_model(kind).to(getattr(torch, precision)))
    model.train()
    assert objection(model) is None
    assert model.training
    assert all(module.training for module in model.modules())
    assert "_fused_forward" in model.forward.__func__.__code__.co_name


def test_experts_share_unless_their_balance_is_trained() -> None:
    model = made("Mixtral", **{**EXPERTS, "sliding_window": None})
    assert objection(model) is None
    assert "auxiliary loss" in str(objection(model, aux_loss=True))
    model.config.output_router_logits = True
    assert "auxiliary loss" in str(objection(model))


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("Mistral", {**ROTARY, "sliding_window": 4}, "sliding window of 4 tokens"),
        ("Qwen2", {**ROTARY, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, "sliding"),
        ("GptOss", {**EXPERTS, "sliding_window": 4}, "sliding attention"),
        ("GptOss", {**EXPERTS, "layer_types": ["full_attention"] * 2}, "s_aux"),
        ("Mamba", {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 4}, "linear attention"),
        ("Bloom", {"vocab_size": 60, "hidden_size": 32, "n_layer": 1, "n_head": 4}, "attention cannot be replaced"),
        ("Llama", {**ROTARY, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "dynamic"),
        ("Lfm2", {**ROTARY, "layer_types": ["conv", "full_attention"]}, "layers of conv"),
    ],
)
def test_other_models_say_why(name: str, settings: dict[str, Any], why: str) -> None:
    assert why in str(objection(made(name, **settings)))


def test_adapters_that_learn_a_prompt_and_compiled_models_say_why() -> None:
    import torch
    from peft import PromptTuningConfig, get_peft_model

    with quiet():
        tuned = get_peft_model(with_head(tiny_model()), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
        compiled = torch.compile(with_head(tiny_model()))
    assert "learns a prompt" in str(objection(tuned))
    assert "compiled" in str(objection(compiled))


def test_a_trial_finds_what_no_configuration_says() -> None:
    """Layers that mix each token with the one before it, as convolutions do, where packed neighbours are siblings."""
    model = with_head(tiny_model())
    assert differs(model) is None

    def mix(_layer: Any, _given: Any, found: Any) -> Any:
        return found + 0.5 * found.roll(1, dims=1)

    hook = model.model.layers[0].mlp.register_forward_hook(mix)
    assert "differ by" in str(differs(model))
    hook.remove()
    assert differs(model) is None


def test_a_trial_that_fails_is_an_objection_and_leaves_the_model_as_it_was() -> None:
    model = with_head(tiny_model())
    before = model.forward

    def only_rows(_layer: Any, given: Any) -> None:
        if len(given[0]) == 1:
            raise ValueError("more than one row, please")

    model.model.layers[0].mlp.register_forward_pre_hook(only_rows)
    assert "more than one row" in str(objection(model))
    assert model.forward == before


@pytest.mark.parametrize("name", ["Mistral", "GptOss"])
def test_a_trainer_then_gives_a_notice_and_trls_result_to_the_bit(
    name: str, tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    from align.shared_prefix.trainers import SharedPrefixDPOTrainer

    settings = {**(EXPERTS if name == "GptOss" else ROTARY), "sliding_window": 4, "vocab_size": 400}
    found = []
    for trainer_class in (DPOTrainer, SharedPrefixDPOTrainer):
        with quiet():
            trainer = trainer_class(
                model=made(name, head=False, **settings),
                ref_model=made(name, head=False, **{**settings, "initializer_range": 0.1}),
                args=DPOConfig(**settings_in(tmp_path)),
                train_dataset=Dataset.from_list([{"prompt": "What?", "chosen": "This.", "rejected": "That."}]),
                processing_class=AutoTokenizer.from_pretrained(tiny_policy),
            )
        found.append(outcome(trainer, collated(PAIRS)))
    assert "No shared prefixes" in capsys.readouterr().err
    assert ("sliding" if name == "Mistral" else "auxiliary loss") in str(trainer.objection)
    assert found[0].loss == found[1].loss
    assert all((found[0].gradients[each] == found[1].gradients[each]).all() for each in found[0].gradients)


def test_it_can_be_switched_off_without_a_notice(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig

    from align.shared_prefix.trainers import SharedPrefixDPOTrainer

    class Plain(SharedPrefixDPOTrainer):
        shares_prefixes = False

    with quiet():
        trainer = Plain(
            model=tiny_model(vocab_size=400),
            ref_model=tiny_model(vocab_size=400),
            args=DPOConfig(**settings_in(tmp_path)),
            train_dataset=Dataset.from_list([{"prompt": "What?", "chosen": "This.", "rejected": "That."}]),
            processing_class=AutoTokenizer.from_pretrained(tiny_policy),
        )
    assert trainer.model.forward.__func__.__code__.co_name == "_fused_forward"
    assert capsys.readouterr().err == ""
