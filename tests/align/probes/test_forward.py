from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from align.probes.forward import Scorable, longest, scored_batches

VOCABULARY = 60
SIZES = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
COMMON = {**SIZES, "vocab_size": VOCABULARY, "intermediate_size": 48, "max_position_embeddings": 64}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Llama": COMMON,
    "Gemma2": {**COMMON, "head_dim": 16, "final_logit_softcapping": 0.05, "sliding_window": 4},  # caps its logits
    "Granite": {**COMMON, "logits_scaling": 8.0},  # scales them
    "GPT2": {"n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": VOCABULARY, "n_positions": 64},
}
WORKS = [
    Scorable([5, 9, 12, 7, 33], range(1, 5), [(12,), (7,), (33,), (41,)]),
    Scorable([5, 9], (1,), [(3, 4, 8)]),
    Scorable([8, 8, 40, 2, 19, 20, 21, 22, 3], (8,), [(1, 2)]),
]


def model(name: str) -> Any:
    import torch

    transformers = import_module("transformers")
    settings = getattr(transformers, f"{name}Config")(
        **ARCHITECTURES[name], pad_token_id=0, bos_token_id=1, eos_token_id=2
    )
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(settings).eval()


def plainly(policy: Any, work: Scorable) -> list[float]:
    """The sums over the logits of the whole sequence, on its own."""
    import torch

    with torch.no_grad():
        scores = torch.log_softmax(policy(torch.tensor([list(work.ids)])).logits[0].double(), -1)
    columns = zip(*work.targets, strict=True)
    return [sum(float(scores[at, token]) for at, token in zip(work.positions, of, strict=True)) for of in columns]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_padded_batches_are_scored_as_each_sequence_alone(name: str) -> None:
    policy = model(name)
    (found,) = scored_batches(policy, WORKS)
    assert longest(policy) == 64
    for number, work in enumerate(WORKS):
        assert found[number] == pytest.approx(plainly(policy, work), abs=1e-4)


def test_a_model_with_an_adapter_on_its_head_is_scored_alike() -> None:
    peft = import_module("peft")
    policy = peft.get_peft_model(model("Llama"), peft.LoraConfig(target_modules=["q_proj", "lm_head"])).eval()
    import torch

    with torch.no_grad():
        for weight_name, weight in policy.named_parameters():
            if "lora_B" in weight_name:
                weight.normal_(generator=torch.Generator().manual_seed(1))
    (found,) = scored_batches(policy, WORKS)
    for number, work in enumerate(WORKS):
        assert found[number] == pytest.approx(plainly(policy, work), abs=1e-4)


def test_half_precision_is_normalised_in_full() -> None:
    import torch

    policy = model("Llama").to(torch.bfloat16)
    (found,) = scored_batches(policy, WORKS[1:2])
    with torch.no_grad():
        logits = policy(torch.tensor([[5, 9]])).logits[0, -1]
    assert found[0] == pytest.approx(torch.log_softmax(logits.float(), -1)[[3, 4, 8]].tolist(), abs=1e-4)
    coarse = torch.log_softmax(logits, -1)[[3, 4, 8]].float().tolist()
    assert found[0] != pytest.approx(coarse, abs=1e-4)
