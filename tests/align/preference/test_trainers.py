"""What a round adds to TRL's trainers, against TRL's own on the same rows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from align.preference.methods import method
from align.preference.pair_losses import PAIR_LOSSES
from align.preference.reference_store import Reference, ReferenceStore
from align.preference.runs import TrainingRun, make_trainer
from ledger.config import AlignConfig, ModelConfig
from sampling.models import PolicySource, load_policy, load_tokenizer
from sampling.quiet import quiet

pytestmark = pytest.mark.usefixtures("one_thread")

WEIGHTS = (0.9, 0.55, 0.7, 1.0)
BOTH = ("chosen", "rejected")


def pair_rows(weights: Sequence[float], seed: int = 0) -> list[dict[str, Any]]:
    """Pairs of random tokens, ragged."""
    rng = random.Random(seed)
    some = [[rng.randrange(3, 300) for _ in range(rng.randrange(2, 14))] for _ in range(3 * len(weights))]
    return [
        {
            "prompt_ids": some[3 * place],
            "chosen_ids": some[3 * place + 1],
            "rejected_ids": some[3 * place + 2],
            "chosen_context": 0,
            "rejected_context": 0,
            "weight": weight,
        }
        for place, weight in enumerate(weights)
    ]


def answer_rows(weights: Sequence[float], seed: int = 0) -> list[dict[str, Any]]:
    """The answers of such pairs by themselves, in turn."""
    return [
        {
            "prompt_ids": row["prompt_ids"],
            "completion_ids": row[f"{side}_ids"],
            "context": 0,
            "label": side == "chosen",
            "weight": row["weight"],
        }
        for row in pair_rows(weights, seed)
        for side in BOTH
    ]


def swapped(row: Mapping[str, Any]) -> dict[str, Any]:
    """The other answer chosen."""
    return {**row, "chosen_ids": row["rejected_ids"], "rejected_ids": row["chosen_ids"]}


class Bench:
    """Makes trainers on one policy, in folders of their own."""

    def __init__(self, policy: Path, folder: Path) -> None:
        self.policy, self.folder, self.made = policy, folder, 0

    def trainer(self, rows: Sequence[Mapping[str, Any]], name: Any = "dpo", **settings: Any) -> Any:
        """A trainer of ours, its adapter no longer at its start unless ``fresh``."""
        fresh, reference = settings.pop("fresh", False), settings.pop("reference", None)
        self.made += 1
        source = PolicySource(str(self.policy), (), ModelConfig())
        config = AlignConfig(method=name, lora_rank=4, **{"batch_size": 4, **settings})
        run = TrainingRun(
            model=load_policy(source),
            tokenizer=load_tokenizer(source),
            rows=rows,
            config=config,
            folder=self.folder / str(self.made),
            reference=reference,
        )
        with quiet():
            trainer = make_trainer(run)
        if not fresh:
            disturb(trainer.model)
        return trainer


def disturb(model: Any) -> None:
    """Give an adapter something to say, the same for all of that shape."""
    import torch

    torch.manual_seed(5)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data.normal_(std=0.05)


@pytest.fixture
def bench(tiny_policy: Path, tmp_path: Path) -> Bench:
    return Bench(tiny_policy, tmp_path)


def loss_of(trainer: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """The loss of a batch, as training computes it, the reference being asked at once."""
    batch = trainer.data_collator([dict(row) for row in rows])
    trainer.precompute_ref_logps = False
    return float(trainer.compute_loss(trainer.model, batch).detach())


@pytest.mark.parametrize("loss", sorted(PAIR_LOSSES))
def test_a_weight_is_the_share_of_the_loss_with_the_pair_as_it_is(loss: str, bench: Bench) -> None:
    """What TRL has for each pair alone, as it is and the other way round, is what the weights mix."""
    rows = pair_rows(WEIGHTS)
    plain = [{**row, "weight": 1.0} for row in rows]
    extra = {"loss_type": [loss], "label_smoothing": 0.1}
    one_by_one = bench.trainer(plain, trainer=extra)
    assert not one_by_one.data_collator.weighted
    expected = sum(
        weight * loss_of(one_by_one, [row]) + (1 - weight) * loss_of(one_by_one, [swapped(row)])
        for weight, row in zip(WEIGHTS, plain, strict=True)
    ) / len(rows)
    ours = bench.trainer(rows, trainer=extra)
    assert ours.data_collator.weighted
    assert loss_of(ours, rows) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert loss_of(ours, rows) != pytest.approx(loss_of(one_by_one, plain), rel=1e-4)


def test_several_losses_are_weighted_each_with_its_share(bench: Bench) -> None:
    rows = pair_rows(WEIGHTS)
    alone = {name: loss_of(bench.trainer(rows, trainer={"loss_type": [name]}), rows) for name in ("sigmoid", "hinge")}
    both = bench.trainer(rows, trainer={"loss_type": ["sigmoid", "hinge"], "loss_weights": [0.3, 2.0]})
    assert loss_of(both, rows) == pytest.approx(0.3 * alone["sigmoid"] + 2.0 * alone["hinge"], rel=1e-5)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"loss_type": ["aot"]}, "aot"),
        ({"loss_type": ["sigmoid", "sft"]}, "sft"),
        ({"use_weighting": True}, "use_weighting"),
        ({"f_divergence_type": "js_divergence"}, "js_divergence"),
        ({"ld_alpha": 0.5}, "ld_alpha"),
    ],
)
def test_a_loss_that_weights_cannot_enter_is_trls(
    extra: dict[str, Any], why: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pair_rows(WEIGHTS)
    ours = bench.trainer(rows, trainer=extra)
    assert why in ours.weights_objection()
    assert f"do not enter the loss: {ours.weights_objection()}" in capsys.readouterr().err
    plain = [{**row, "weight": 1.0} for row in rows]
    assert loss_of(ours, rows) == pytest.approx(loss_of(bench.trainer(plain, trainer=extra), plain), abs=1e-7)


@pytest.mark.parametrize("loss", ["kto", "apo_zero_unpaired"])
def test_a_kto_weight_is_the_chance_that_the_label_is_right(loss: str, bench: Bench) -> None:
    """The mean over the answers of w times the loss as labelled and 1 - w times that of the other label."""
    import torch

    rows = answer_rows(WEIGHTS)
    extra = {"loss_type": loss, "desirable_weight": 1.5}
    ours = bench.trainer(rows, "kto", batch_size=8, trainer=extra)
    ours.precompute_ref_logps = False
    batch = ours.data_collator(list(ours.train_dataset))
    found = float(ours.compute_loss(ours.model, dict(batch)).detach())
    batch.pop("weights")
    references = ours.compute_ref_log_probs(ours.model, batch)
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    shown = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        log_probs = ours.model(**shown, labels=labels, fused_lm_head=True).log_probs.sum(1)
        kl = torch.tensor(ours._metrics["train"]["kl"][-1]) if loss == "kto" else torch.tensor(0.0)
        gain = 0.1 * (log_probs - references[0] - kl)
        sign = torch.where(batch["label"], 1.0, -1.0)
        share = torch.tensor([row["weight"] for row in rows])
        right, wrong = 1 - torch.sigmoid(sign * gain), 1 - torch.sigmoid(-sign * gain)
        classes = torch.where(batch["label"], 1.5, 1.0)
        expected = (classes * (share * right + (1 - share) * wrong)).mean()
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_an_orpo_weight_mixes_the_odds_ratio_term_alone(bench: Bench) -> None:
    rows = pair_rows(WEIGHTS)
    plain = bench.trainer([{**row, "weight": 1.0} for row in rows], "orpo")
    ours = bench.trainer(rows, "orpo")
    batch = [ours.train_dataset[place] for place in range(len(rows))]
    loss, figures = ours.get_batch_loss_metrics(ours.model, ours.data_collator(batch))
    expected = 0.0
    for weight, row in zip(WEIGHTS, list(plain.train_dataset), strict=True):
        _, alone = plain.get_batch_loss_metrics(plain.model, plain.data_collator([row]))
        odds = float(alone["log_odds_chosen"])
        expected -= 0.1 * (weight * log_sigmoid(odds) + (1 - weight) * log_sigmoid(-odds)) / len(rows)
    assert float(loss.detach()) - figures["nll_loss"] == pytest.approx(expected, rel=1e-4)


def log_sigmoid(x: float) -> float:
    import math

    return -math.log1p(math.exp(-x))


class TestContext:
    """Tokens that are attended to and never scored."""

    def test_context_is_as_if_it_stood_in_the_prompt(self, bench: Bench) -> None:
        rows = pair_rows((1.0, 1.0))
        shown = [
            {**row, "chosen_ids": [7, 8, 9, *row["chosen_ids"]], "rejected_ids": [7, 8, 9, *row["rejected_ids"]]}
            for row in rows
        ]
        as_context = [{**row, "chosen_context": 3, "rejected_context": 3} for row in shown]
        as_prompt = [{**row, "prompt_ids": [*row["prompt_ids"], 7, 8, 9]} for row in rows]
        trainer = bench.trainer(
            rows, trainer={"loss_type": ["bco_pair"]}
        )  # of the plain loss the same tokens cancel out
        assert loss_of(trainer, as_context) == pytest.approx(loss_of(trainer, as_prompt), abs=1e-6)
        assert loss_of(trainer, as_context) != pytest.approx(loss_of(trainer, shown), abs=1e-5)

    def test_each_answer_has_its_own(self, bench: Bench) -> None:
        rows = [{**row, "chosen_ids": [7, 8, *row["chosen_ids"]], "chosen_context": 2} for row in pair_rows((1.0,))]
        mask = bench.trainer(rows).data_collator(rows)["completion_mask"]
        start = len(rows[0]["prompt_ids"])
        assert mask[0, start : start + 3].tolist() == [0, 0, 1]
        assert mask[1, start] == 1

    def test_unequal_classes_are_weighed_from_their_counts_and_shown(
        self, bench: Bench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [row for place, row in enumerate(answer_rows((1.0,) * 4)) if row["label"] or place < 2]
        trainer = bench.trainer(rows, "kto", batch_size=5)
        assert (trainer.desirable_weight, trainer.undesirable_weight) == (1.0, 4.0)
        said = capsys.readouterr().err
        assert "4 desirable, 1 undesirable" in said
        assert "undesirable_weight 4" in said

    def test_kto_takes_it_from_the_neighbour_too(self, bench: Bench) -> None:
        rows = [{**row, "context": place % 2} for place, row in enumerate(answer_rows((1.0, 1.0)))]
        trainer = bench.trainer(rows, "kto", batch_size=4)
        assert [row["KL_context"] for row in trainer.train_dataset] == [1, 0, 1, 0]
        batch = trainer.data_collator(list(trainer.train_dataset))
        first = len(rows[0]["prompt_ids"])
        assert batch["KL_completion_mask"][0, first] == 0
        assert batch["completion_mask"][0, first] == 1


class TestReference:
    """The reference model's log-probabilities, computed once."""

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Reference:
        return Reference(ReferenceStore(tmp_path / "reference.db"), "this model")

    def asked(self, trainer: Any, rows: Any) -> tuple[Any, int]:
        """The data set with its log-probabilities, and how many rows the model was shown for it."""
        shown = 0
        inner = trainer.compute_ref_log_probs

        def counting(model: Any, inputs: Any) -> Any:
            nonlocal shown
            shown += len(inputs["input_ids"])
            return inner(model, inputs)

        trainer.compute_ref_log_probs = counting
        drop = [name for name in rows.column_names if name.startswith("ref_")]
        return trainer._precompute_ref_logps(rows.remove_columns(drop), "train", 2), shown

    def test_they_are_trls(self, bench: Bench, kept: Reference) -> None:
        rows = pair_rows(WEIGHTS)
        ours = bench.trainer(rows, reference=kept, fresh=True).train_dataset
        theirs = bench.trainer(rows, fresh=True).train_dataset
        for column in ("ref_chosen_logps", "ref_rejected_logps"):
            assert ours[column] == pytest.approx(list(theirs[column]), abs=1e-4)

    def test_another_rank_rate_seed_or_method_asks_for_nothing_anew(self, bench: Bench, kept: Reference) -> None:
        rows = pair_rows(WEIGHTS)
        first = bench.trainer(rows, reference=kept, fresh=True).train_dataset
        for settings in ({"seed": 3}, {"learning_rate": 1e-3}, {"trainer": {"loss_type": ["hinge"]}}, {"name": "ipo"}):
            trainer = bench.trainer(rows, reference=kept, **settings)
            found, shown = self.asked(trainer, trainer.train_dataset)
            assert shown == 0
            assert list(found["ref_chosen_logps"]) == list(first["ref_chosen_logps"])
        answers = bench.trainer(answer_rows(WEIGHTS), "kto", reference=kept, batch_size=8)
        assert list(answers.train_dataset["ref_logps"])[::2] == list(first["ref_chosen_logps"])

    def test_a_batch_that_does_not_fit_is_halved(self, bench: Bench, kept: Reference) -> None:
        import torch

        rows = pair_rows(WEIGHTS)
        whole = bench.trainer(rows, reference=kept, fresh=True).train_dataset
        trainer = bench.trainer(rows, reference=Reference(kept.store, "another"), fresh=True)
        inner, sizes = trainer.compute_ref_log_probs, list[int]()

        def small(model: Any, inputs: Any) -> Any:
            sizes.append(len(inputs["input_ids"]) // 2)
            if sizes[-1] > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return inner(model, inputs)

        trainer.compute_ref_log_probs = small
        trainer.reference = Reference(kept.store, "a third")
        plain = trainer.train_dataset.remove_columns(["ref_chosen_logps", "ref_rejected_logps"])
        found = trainer._precompute_ref_logps(plain, "train", 4)
        assert sizes == [4, 2, 1, 1, 2, 1, 1]
        assert found["ref_chosen_logps"][:] == pytest.approx(whole["ref_chosen_logps"][:], abs=1e-4)

    def test_one_pair_more_costs_one_batch(self, bench: Bench, kept: Reference) -> None:
        bench.trainer(pair_rows(WEIGHTS), reference=kept)
        more = [*pair_rows(WEIGHTS), *pair_rows((1.0,), seed=9)]
        trainer = bench.trainer(pair_rows(WEIGHTS), reference=kept)
        from datasets import Dataset

        _, shown = self.asked(trainer, Dataset.from_list(more))
        assert 0 < shown <= 4

    def test_another_model_or_context_is_another_value(self, bench: Bench, kept: Reference) -> None:
        rows = pair_rows(WEIGHTS)
        bench.trainer(rows, reference=kept)
        trainer = bench.trainer(rows, reference=kept)
        trainer.reference = Reference(kept.store, "another model")
        _, shown = self.asked(trainer, trainer.train_dataset)
        assert shown == 8
        from datasets import Dataset

        trainer.reference = kept
        _, shown = self.asked(trainer, Dataset.from_list([{**row, "chosen_context": 1} for row in rows]))
        assert shown == 8


def test_batches_are_of_like_length_and_the_same_after_a_resume() -> None:
    from align.preference.length_buckets import LengthBuckets

    rng = random.Random(1)
    lengths = [rng.randrange(10, 500) for _ in range(1_003)]
    sampler = LengthBuckets(lengths, 8, seed=4)
    orders = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == list(range(1_003))
        batches = [orders[-1][start : start + 8] for start in range(0, 1_000, 8)]
        spread = [max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in batches]
        assert sum(spread) / len(spread) < 30
    again = LengthBuckets(lengths, 8, seed=4)
    again.set_epoch(1)
    assert list(again) == orders[1] != orders[0]
    assert list(LengthBuckets(lengths, 8, seed=5)) != orders[0]
    assert len(sampler) == 1_003


def test_the_preset_of_each_method() -> None:
    assert method("ipo").own["loss_type"] == ["ipo"]
    assert method("kto").own["precompute_ref_log_probs"] is True
    assert "precompute_ref_log_probs" not in method("orpo").own
