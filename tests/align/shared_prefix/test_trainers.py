"""TRL's DPO and KTO over shared prefixes: the losses, gradients, metrics and loss curves of TRL's own trainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from sampling.quiet import quiet
from tests.align.shared_prefix.worlds import (
    Pair,
    agree,
    collated,
    distance,
    outcome,
    pair_batches,
    settings_in,
    tiny_model,
)

pytestmark = pytest.mark.usefixtures("one_thread")

DPO_LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
)
# Where all answers are the same, what is left of the gradient is rounding.
ORDINARY: Pair = ([7, 14], [7, 30, 31], [40, 41])
RAGGED: list[Pair] = [
    ([3, 4, 5, 6], [7, 8, 9], [10, 11, 12, 13, 14]),
    ([3, 4, 15], [16, 17], [16, 18, 19]),
    ([3, 4, 15], [16, 17], [20]),
    ([3, 4, 15, 8], [21, 22], [21, 22]),
]
TEXTS = [
    {"prompt": f"{number % 5}. What is a hernia?", "chosen": f" A protrusion {number}.", "rejected": " The wall." * 3}
    for number in range(12)
]
Make = Callable[..., Any]


@dataclass(frozen=True)
class Both:
    """A trainer of TRL and the same over shared prefixes, of equal models."""

    stock: Any
    shared: Any

    def told(self, **values: Any) -> Both:
        """Both with other settings."""
        for trainer in (self.stock, self.shared):
            for name, value in values.items():
                setattr(trainer, name, value)
        return self

    def apart(self, batch: Mapping[str, Any]) -> float:
        """How far apart they are on one batch, see `distance`; their metrics must be equal."""
        one, other = outcome(self.stock, batch), outcome(self.shared, batch)
        assert agree(one.metrics, other.metrics)
        return distance(one, other)


def made(kind: str, tokenizer: Path, folder: Path, model: Any, **asked: Any) -> Both:
    """TRL's trainer and ours."""
    import trl
    from datasets import Dataset
    from transformers import AutoTokenizer

    from align.shared_prefix import trainers

    rows = asked.pop("rows", TEXTS)
    others = {name: asked.pop(name) for name in ("ref_model", "peft_config") if name in asked}
    config = getattr(trl, f"{kind}Config")

    def trainer(trainer_class: Any, name: str) -> Any:
        with quiet():
            return trainer_class(
                model=model(),
                args=config(**settings_in(folder / name, **asked)),
                train_dataset=Dataset.from_list(rows),
                processing_class=AutoTokenizer.from_pretrained(tokenizer),
                **{name: make() for name, make in others.items()},
            )

    both = Both(
        trainer(getattr(trl, f"{kind}Trainer"), "stock"),
        trainer(getattr(trainers, f"SharedPrefix{kind}Trainer"), "shared"),
    )
    assert both.shared.objection is None
    return both


@pytest.fixture(scope="module")
def dpo(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """DPO of all weights against a reference that is another model."""
    model, reference = partial(tiny_model, vocab_size=400), partial(tiny_model, seed=1, vocab_size=400)
    return made("DPO", tiny_policy, tmp_path_factory.mktemp("dpo"), model, ref_model=reference)


@pytest.mark.parametrize("loss", DPO_LOSSES)
def test_each_loss_of_dpo_has_trls_value_gradients_and_metrics(loss: str, dpo: Both) -> None:
    both = dpo.told(loss_types=[loss], loss_weights=[1.0], label_smoothing=0.1 if loss != "sigmoid" else 0.0)

    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(pair_batches())
    def check(pairs: list[Pair]) -> None:
        assert both.apart(collated([*pairs, ORDINARY])) < 1

    check()
    assert both.apart(collated(RAGGED)) < 1


@pytest.mark.parametrize(
    "asked",
    [
        {"ld_alpha": 0.5},
        {"f_divergence_type": "forward_kl"},
        {"f_divergence_type": "js_divergence"},
        {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.5},
        {"loss_types": ["sigmoid", "sft"], "loss_weights": [0.8, 0.3]},
    ],
)
def test_each_option_of_dpo_too(asked: dict[str, Any], dpo: Both) -> None:
    usual: dict[str, Any] = {"loss_types": ["sigmoid"], "loss_weights": [1.0], "label_smoothing": 0.0}
    before = {name: getattr(dpo.stock, name) for name in ("ld_alpha", "f_divergence_type", "f_alpha_divergence_coef")}
    try:
        assert dpo.told(**{**usual, **asked}).apart(collated(RAGGED)) < 1
    finally:
        dpo.told(**usual, **before)


def test_truncated_rows_are_trls_too(dpo: Both) -> None:
    assert dpo.told(loss_types=["sigmoid"], loss_weights=[1.0]).apart(collated(RAGGED, max_length=6)) < 1


def test_mixed_precision_around_the_reference_is_no_objection(tiny_policy: Path, tmp_path: Path) -> None:
    reference = partial(tiny_model, seed=1, vocab_size=400)
    both = made("DPO", tiny_policy, tmp_path, partial(tiny_model, vocab_size=400), ref_model=reference, bf16=True)
    stock, shared = (outcome(each, collated(RAGGED)) for each in (both.stock, both.shared))
    assert shared.loss == pytest.approx(stock.loss, abs=0.05)


def lora() -> Any:
    from peft import LoraConfig

    return LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")


def test_weighting_and_gradient_checkpointing_with_an_adapter(tiny_policy: Path, tmp_path: Path) -> None:
    asked = {"peft_config": lora, "use_weighting": True, "gradient_checkpointing": True}
    both = made("DPO", tiny_policy, tmp_path, partial(tiny_model, vocab_size=400), **asked)
    for trainer in (both.stock, both.shared):
        trainer.model.activation_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
        for name, weight in trainer.model.named_parameters():
            if "lora_B" in name:
                weight.data.fill_(0.02)
    assert both.apart(collated(RAGGED)) < 1


def test_kto_has_trls_value_gradients_and_metrics(tiny_policy: Path, tmp_path: Path) -> None:
    from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

    reference = partial(tiny_model, seed=1, vocab_size=400)
    asked = {"rows": unpaired(), "desirable_weight": 0.7, "ref_model": reference}
    both = made("KTO", tiny_policy, tmp_path, partial(tiny_model, vocab_size=400), **asked)

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(pair_batches())
    def check(pairs: list[Pair]) -> None:
        names = ("prompt_ids", "completion_ids", "KL_completion_ids", "label")
        rows = [dict(zip(names, (prompt, one, other, True), strict=True)) for prompt, one, other in pairs]
        rows += [dict(zip(names, (prompt, other, one, False), strict=True)) for prompt, one, other in pairs]
        assert both.apart(DataCollatorForUnpairedPreference(pad_token_id=0)(rows)) < 1

    check()


def unpaired() -> list[dict[str, Any]]:
    return [
        {"prompt": row["prompt"], "completion": row["chosen" if number % 2 else "rejected"], "label": bool(number % 2)}
        for number, row in enumerate(TEXTS)
    ]


CURVES: dict[str, dict[str, Any]] = {
    "DPO": {"precompute_ref_log_probs": True},
    "IPO": {"loss_type": ["ipo"], "gradient_checkpointing": True},
    "KTO": {"rows": unpaired(), "precompute_ref_log_probs": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", CURVES)
def test_fifty_steps_have_the_same_losses(method: str, tiny_policy: Path, tmp_path: Path) -> None:
    steps = {"max_steps": 50, "logging_steps": 1, "save_strategy": "no", "learning_rate": 2e-3}
    asked = {**steps, "per_device_train_batch_size": 4, "peft_config": lora, **CURVES[method]}
    kind = "KTO" if method == "KTO" else "DPO"
    both = made(kind, tiny_policy, tmp_path, partial(tiny_model, vocab_size=400), **asked)
    curves = [losses_of(trainer) for trainer in (both.stock, both.shared)]
    assert len(curves[0]) == 50
    assert abs(curves[0][0] - curves[0][-1]) > 0.02
    assert max(abs(one - other) for one, other in zip(*curves, strict=True)) <= 1e-5


def losses_of(trainer: Any) -> list[float]:
    with quiet():
        trainer.train()
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def test_the_reference_pass_before_training_is_shared_too(tiny_policy: Path, tmp_path: Path) -> None:
    from align.shared_prefix import trainers

    class Seen(trainers.SharedPrefixDPOTrainer):
        shared_by_then = False

        def compute_ref_log_probs(self, *given: Any) -> Any:
            type(self).shared_by_then = (
                "shared_forward" in self.model.get_base_model().forward.__func__.__code__.co_name
            )
            return super().compute_ref_log_probs(*given)

    real, trainers.SharedPrefixDPOTrainer = trainers.SharedPrefixDPOTrainer, Seen  # type: ignore[misc]
    try:
        made(
            "DPO",
            tiny_policy,
            tmp_path,
            partial(tiny_model, vocab_size=400),
            peft_config=lora,
            precompute_ref_log_probs=True,
        )
    finally:
        trainers.SharedPrefixDPOTrainer = real  # type: ignore[misc]
    assert Seen.shared_by_then


def test_evaluation_gives_trls_figures(dpo: Both) -> None:
    from datasets import Dataset

    def figures(trainer: Any) -> dict[str, float]:
        with quiet():
            found = trainer.evaluate(trainer.train_dataset)
        return {name: value for name, value in found.items() if not name.endswith(("runtime", "second"))}

    dpo.told(loss_types=["sigmoid"], loss_weights=[1.0])
    assert isinstance(dpo.stock.train_dataset, Dataset)
    assert agree(figures(dpo.stock), figures(dpo.shared))
