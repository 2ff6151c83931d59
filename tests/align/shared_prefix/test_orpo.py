"""ORPO's loss by itself, and TRL's ORPO trainer over shared prefixes."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from align.shared_prefix.orpo import mean_log_probability, odds_ratio, orpo_losses
from sampling.quiet import quiet
from tests.align.shared_prefix.worlds import Pair, distance, outcome, pair_batches, settings_in, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = [
    {"prompt": f"{number}. What is a hernia?", "chosen": f" A protrusion {number}.", "rejected": " The wall." * 2}
    for number in range(4)
]


def test_the_loss_is_what_the_paper_says() -> None:
    import torch

    chosen, rejected = 0.8, 0.3  # mean probabilities of a token
    odds = math.log((chosen / (1 - chosen)) / (rejected / (1 - rejected)))
    expected = 1.7 - 0.1 * math.log(1 / (1 + math.exp(-odds)))
    found = orpo_losses(torch.tensor([chosen]).log(), torch.tensor([rejected]).log(), torch.tensor(1.7), beta=0.1)
    assert found.tolist() == pytest.approx([expected])


def test_the_odds_of_very_likely_and_very_unlikely_answers_are_finite() -> None:
    import torch

    found = odds_ratio(torch.tensor([-1e-6, -80.0]), torch.tensor([-80.0, -1e-6]))
    assert found.log_odds.tolist() == pytest.approx([80 - math.log(1e-6), math.log(1e-6) - 80], rel=1e-4)
    assert torch.isfinite(found.log_sigmoid).all()


def test_the_mean_is_over_scored_tokens() -> None:
    import torch

    found = mean_log_probability(torch.tensor([[-1.0, -3.0, -9.0]]), torch.tensor([[True, True, False]]))
    assert found.tolist() == [-2.0]


def made(trainer_class: Any, tokenizer: Path, folder: Path, rows: list[dict[str, Any]], **asked: Any) -> Any:
    from datasets import Dataset
    from transformers import AutoTokenizer

    with quiet():
        from trl.experimental.orpo import ORPOConfig

        return trainer_class(
            model=asked.pop("model", partial(tiny_model, vocab_size=400))(),
            args=ORPOConfig(**settings_in(folder, **asked)),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(tokenizer),
        )


def classes() -> tuple[Any, Any]:
    with quiet():
        from trl.experimental.orpo import ORPOTrainer

        from align.shared_prefix.orpo_trainer import SharedPrefixORPOTrainer
    return ORPOTrainer, SharedPrefixORPOTrainer


def batch_of(trainer: Any, pairs: list[Pair], context: int | None = None) -> dict[str, Any]:
    """The trainer's own batch of rows of token ids."""
    rows = [dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), pair, strict=True)) for pair in pairs]
    contexts = {} if context is None else {"chosen_context": context, "rejected_context": 0}
    found = [trainer.tokenize_row({**row, **contexts}) for row in rows]
    if context is None:  # as TRL's own trainer has them
        found = [{name: each for name, each in row.items() if "likelihood" not in name} for row in found]
    batch: dict[str, Any] = trainer.data_collator(found)
    return batch


def test_loss_gradients_and_metrics_are_trls(tiny_policy: Path, tmp_path: Path) -> None:
    stock, shared = (made(each, tiny_policy, tmp_path, TEXTS) for each in classes())
    assert shared.objection is None

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(pair_batches())
    def check(pairs: list[Pair]) -> None:
        batch = batch_of(shared, pairs)
        one, other = outcome(stock, batch), outcome(shared, batch)
        assert distance(one, other) < 1
        for name, value in one.metrics.items():
            assert "logits" in name or other.metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name

    check()


def test_rows_of_ids_are_trained_on_as_they_are_and_context_is_in_no_loss(tiny_policy: Path, tmp_path: Path) -> None:
    stock, shared = (made(each, tiny_policy, tmp_path, TEXTS) for each in classes())
    pairs: list[Pair] = [([7, 8, 9], [10, 11, 12, 13], [14, 15]), ([7, 8], [16, 17, 18, 19], [20])]
    plain = outcome(stock, batch_of(shared, pairs))
    assert distance(plain, outcome(shared, batch_of(shared, pairs, context=0))) < 1
    held_back = batch_of(shared, pairs, context=2)
    assert held_back["chosen_labels"].tolist() == [[-100] * 5 + [12, 13], [-100] * 4 + [18, 19, -100]]
    assert held_back["chosen_likelihood_labels"][0].tolist() == [7, 8, 9, -100, -100, 12, 13]
    assert held_back["rejected_labels"][0].tolist() == [-100, -100, -100, 14, 15]
    found = outcome(shared, held_back)
    assert found.metrics["nll_loss"] == pytest.approx(by_hand(shared.model, pairs, 2), rel=1e-4)


def by_hand(model: Any, pairs: list[Pair], context: int) -> float:
    """Mean negative log-likelihood of prompts and chosen answers without their context, row by row."""
    import torch

    taught: list[float] = []
    for prompt, chosen, _ in pairs:
        ids = prompt + chosen
        with torch.no_grad():
            scores = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        left = [place for place in range(1, len(ids)) if not 0 <= place - len(prompt) < context]
        taught += [-float(scores[place - 1, ids[place]]) for place in left]
    return sum(taught) / len(taught)


def test_training_on_rows_of_ids_lowers_the_loss(tiny_policy: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt_ids": [7, 8, 9, each], "chosen_ids": [10, 11], "rejected_ids": [14, 15, 16], "chosen_context": 0}
        for each in range(20, 24)
    ]
    asked = {"max_steps": 6, "logging_steps": 1, "learning_rate": 1e-2, "save_strategy": "no", "max_length": 5}
    trainer = made(classes()[1], tiny_policy, tmp_path, rows, **asked)
    assert trainer.train_dataset[0]["rejected_input_ids"] == [7, 8, 9, 20, 14]
    with quiet():
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.slow
def test_fifty_steps_have_the_same_losses(tiny_policy: Path, tmp_path: Path) -> None:
    asked = {"max_steps": 50, "logging_steps": 1, "learning_rate": 1e-3, "save_strategy": "no"}
    curves = []
    for each in classes():
        trainer = made(each, tiny_policy, tmp_path, TEXTS, gradient_checkpointing=True, **asked)
        with quiet():
            trainer.train()
        curves.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert len(curves[0]) == 50
    assert curves[0][-1] < curves[0][0] - 0.1
    assert max(abs(one - other) for one, other in zip(*curves, strict=True)) <= 1e-5
