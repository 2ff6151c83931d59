"""TRL's DPO, KTO and ORPO trainers, with what a round adds to them.

They take rows that are tokens already (`align/rendering/pairs.py`), let each pair's weight enter the loss, keep the
reference model's log-probabilities on disk, and order batches by length. Loss, metrics and everything else are TRL's
code, and rows as TRL knows them are treated as TRL treats them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import SequentialSampler

from align.preference.collating import WEIGHTS, LabelledCollator, PairCollator
from align.preference.halving import Halving
from align.preference.length_buckets import LengthBuckets
from align.preference.pair_losses import PAIR_LOSSES, LossSettings, Side, correction, kto_correction, odds_ratio_terms
from align.preference.reference_pass import ReferencePass, Scored
from align.preference.reference_store import Reference
from align.shared_prefix.orpo import odds_ratio
from align.shared_prefix.orpo_trainer import SharedPrefixORPOTrainer
from align.shared_prefix.trainers import SharedPrefixDPOTrainer, SharedPrefixKTOTrainer

Row = Mapping[str, Any]
BY_LENGTH = "group_by_length"
PAIR_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")


def is_rendered(dataset: Any) -> bool:
    """Is a data set one of tokens already?"""
    return "prompt_ids" in (getattr(dataset, "column_names", None) or ())


def _are_weighted(dataset: Any) -> bool:
    return "weight" in dataset.column_names and any(weight != 1 for weight in dataset["weight"])


def _row_lengths(dataset: Any) -> list[int]:
    """The tokens of each row of pairs."""
    import pyarrow.compute as pc

    table = dataset.with_format("arrow")[:]
    return [int(total) for total in sum(pc.list_value_length(table[column]).to_numpy() for column in PAIR_COLUMNS)]


class Listening:
    """A model that remembers its last log-probabilities, which TRL's loss does not hand on."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.log_probs = torch.empty(0)  # [rows, length - 1]

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Call the model."""
        output = self._model(*arguments, **settings)
        self.log_probs = output.log_probs
        return output


@contextmanager
def _as_in_training(model: Any, dropout_is_off: bool) -> Iterator[None]:
    """Compute with the kernels that training takes: those of 8-bit weights are others in evaluation mode."""
    before = model.training
    model.train(before or dropout_is_off)
    try:
        yield
    finally:
        model.train(before)


class _Rendered:
    """What the trainers of DPO and KTO share: rendered rows, and the reference model's pass over them."""

    precompute_ref_logps: bool  # TRL's
    collator: type[PairCollator] | type[LabelledCollator]
    columns: tuple[str, ...]  # beside TRL's own

    def __init__(
        self, *arguments: Any, reference: Reference | None = None, shared_prefix: bool = True, **settings: Any
    ) -> None:
        self.reference, self.shares_prefixes = reference, shared_prefix
        rows = settings.get("train_dataset")
        if is_rendered(rows) and settings.get("data_collator") is None:
            pad, length = settings["processing_class"].pad_token_id, settings["args"].max_length
            settings["data_collator"] = self.collator(pad, length, weighted=_are_weighted(rows))
        super().__init__(*arguments, **settings)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if is_rendered(dataset):
            return dataset
        return super()._prepare_dataset(dataset, processing_class, args, dataset_name)  # type: ignore[misc]

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        self._signature_columns: list[str] = [*self._signature_columns, *self.columns]

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        self._settle()  # type: ignore[attr-defined]  # prefixes are shared in this pass already
        sharded = self.is_deepspeed_enabled or self.is_fsdp_enabled  # type: ignore[attr-defined]
        if self.reference is None or sharded or not is_rendered(dataset):
            return super()._precompute_ref_logps(dataset, name, batch_size)  # type: ignore[misc]
        with _as_in_training(self.ref_model or self.model, self.args.disable_dropout):  # type: ignore[attr-defined]
            found = self._reference_pass(self.reference).over(dataset, batch_size, self.accelerator)  # type: ignore[attr-defined]
        for column, values in found.items():
            dataset = dataset.add_column(column, values)
        return dataset

    def _reference_pass(self, reference: Reference) -> ReferencePass:
        return ReferencePass(reference, self.data_collator, self._reference_scores, self._sequences)  # type: ignore[attr-defined]

    def _compute_loss(self, model: Any, inputs: Row, return_outputs: bool) -> Any:
        inputs = dict(inputs)
        weights = inputs.pop(WEIGHTS, None)
        if weights is None or self.weights_objection():
            return super()._compute_loss(model, inputs, return_outputs)  # type: ignore[misc]
        if not self.precompute_ref_logps:
            inputs.update(self._reference_scores(inputs))
        heard = Listening(model)
        loss = self._with_reference_given(heard, inputs, return_outputs)
        more = self._correction(heard.log_probs, inputs, weights)
        return (loss[0] + more, loss[1]) if return_outputs else loss + more

    def _with_reference_given(self, model: Any, inputs: Row, return_outputs: bool) -> Any:
        """TRL's loss, which then need not ask the reference model a second time."""
        before, self.precompute_ref_logps = self.precompute_ref_logps, True
        try:
            return super()._compute_loss(model, inputs, return_outputs)  # type: ignore[misc]
        finally:
            self.precompute_ref_logps = before

    def weights_objection(self) -> str | None:
        """Why weights cannot enter this loss; None where they can."""
        return None

    def _correction(self, log_probs: torch.Tensor, inputs: Row, weights: torch.Tensor) -> torch.Tensor:
        """What the weights add to TRL's loss."""
        raise NotImplementedError

    def _reference_scores(self, batch: Row) -> dict[str, torch.Tensor]:
        """The reference model's log-probabilities of a batch, by the columns that TRL reads them from."""
        raise NotImplementedError

    def _sequences(self, row: Row) -> list[Scored]:
        """What of a row the reference model scores."""
        raise NotImplementedError


class WardroundDPOTrainer(Halving, _Rendered, SharedPrefixDPOTrainer):
    """TRL's `DPOTrainer` on weighted, rendered pairs. Of ``reference`` it reads and keeps log-probabilities."""

    collator = PairCollator
    columns = ("chosen_context", "rejected_context", "weight")

    def weights_objection(self) -> str | None:
        """Why weights cannot enter this loss; None where they can."""
        others = [loss for loss in self.loss_types if loss not in PAIR_LOSSES]
        if others:
            return f"{others[0]} has no loss of each pair"
        if self.f_divergence_type != "reverse_kl":
            return f"f_divergence_type is {self.f_divergence_type}"
        if self.use_weighting:
            return "use_weighting weighs pairs already"
        return "ld_alpha is set" if self.ld_alpha is not None else None

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != BY_LENGTH or not is_rendered(dataset):
            return super()._get_train_sampler(train_dataset)
        step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthBuckets(_row_lengths(dataset), step, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        return SequentialSampler(eval_dataset) if is_rendered(eval_dataset) else super()._get_eval_sampler(eval_dataset)

    def _compute_loss(self, model: Any, inputs: Row, return_outputs: bool) -> Any:
        loss = super()._compute_loss(model, inputs, return_outputs)
        if isinstance(self.data_collator, PairCollator):  # for the alarm that watches what the policy prefers
            metrics = self._metrics["train" if self.model.training else "eval"]
            for side, mask in zip(("chosen", "rejected"), inputs["completion_mask"].chunk(2), strict=True):
                metrics[f"lengths/{side}"].append(mask.sum().item() / len(mask))
        return loss

    def _correction(self, log_probs: torch.Tensor, inputs: Row, weights: torch.Tensor) -> torch.Tensor:
        references = torch.cat([inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]])
        ratios = (log_probs.sum(dim=1) - references).chunk(2)
        tokens = inputs["completion_mask"].sum(dim=1).chunk(2)
        chosen, rejected = (Side(*each) for each in zip(ratios, tokens, strict=True))
        settings = LossSettings(self.beta, self.label_smoothing, self.args.discopop_tau)
        parts = zip(self.loss_types, self.loss_weights, strict=True)
        corrections = [share * correction(name, chosen, rejected, weights, settings) for name, share in parts]
        return torch.stack(corrections).sum()

    def _reference_scores(self, batch: Row) -> dict[str, torch.Tensor]:
        chosen, rejected = self.compute_ref_log_probs(self.ref_model or self.model, batch)
        return {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}

    def _sequences(self, row: Row) -> list[Scored]:
        more = ""
        if self.ld_alpha is not None:  # what it takes of an answer depends on how long the other is
            more = f"{self.ld_alpha}/{min(len(row['chosen_ids']), len(row['rejected_ids']))}"
        return [
            Scored(f"ref_{side}_logps", row["prompt_ids"], row[f"{side}_ids"], row.get(f"{side}_context") or 0, more)
            for side in ("chosen", "rejected")
        ]


class WardroundKTOTrainer(Halving, _Rendered, SharedPrefixKTOTrainer):
    """TRL's `KTOTrainer` on weighted, rendered answers, read in the order given."""

    collator = LabelledCollator
    columns = ("context", "KL_context", "weight")

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if not (is_rendered(dataset) and self.calculate_KL):
            return super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        return dataset.map(_with_neighbours_answer, batched=True, batch_size=args.per_device_train_batch_size)

    def _correction(self, log_probs: torch.Tensor, inputs: Row, weights: torch.Tensor) -> torch.Tensor:
        mode = "train" if self.model.training else "eval"
        kl = self._metrics[mode]["kl"][-1] if self.loss_type == "kto" else 0.0
        desirable = inputs["label"].to(device=log_probs.device, dtype=torch.bool)
        gains = self.beta * (log_probs.sum(dim=1) - inputs["ref_logps"] - kl)
        classes = torch.where(desirable, self.desirable_weight, self.undesirable_weight)
        return kto_correction(torch.where(desirable, gains, -gains), weights, classes)

    def _reference_scores(self, batch: Row) -> dict[str, torch.Tensor]:
        answers, mismatched = self.compute_ref_log_probs(self.ref_model or self.model, batch)
        return {"ref_logps": answers} if mismatched is None else {"ref_logps": answers, "ref_KL_logps": mismatched}

    def _sequences(self, row: Row) -> list[Scored]:
        own = Scored("ref_logps", row["prompt_ids"], row["completion_ids"], row.get("context") or 0)
        if not self.calculate_KL:
            return [own]
        return [own, Scored("ref_KL_logps", row["prompt_ids"], row["KL_completion_ids"], row["KL_context"])]


def _with_neighbours_answer(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Give each row the answer of its neighbour in the batch, from which TRL estimates the KL term."""
    answers = batch["completion_ids"]
    contexts = batch.get("context") or [0] * len(answers)
    return {**batch, "KL_completion_ids": _turned(answers), "KL_context": _turned(contexts)}


def _turned(values: Sequence[Any]) -> list[Any]:
    return [values[-1], *values[:-1]]


class WardroundORPOTrainer(Halving, SharedPrefixORPOTrainer):
    """TRL's `ORPOTrainer` on weighted, rendered pairs. It has no reference model."""

    _weights: torch.Tensor | None = None

    def __init__(self, *arguments: Any, shared_prefix: bool = True, **settings: Any) -> None:
        self.shares_prefixes = shared_prefix
        super().__init__(*arguments, **settings)

    def get_batch_loss_metrics(self, model: Any, batch: Row, train_eval: Any = "train") -> Any:
        """See TRL's; the weights of the batch enter its odds-ratio term."""
        weights = batch.get("weight")
        self._weights = None if weights is None else torch.tensor(weights, device=self.accelerator.device)
        return super().get_batch_loss_metrics(model, batch, train_eval)

    def odds_ratio_loss(self, policy_chosen_logps: torch.Tensor, policy_rejected_logps: torch.Tensor) -> Any:
        """See TRL's."""
        plain = super().odds_ratio_loss(policy_chosen_logps, policy_rejected_logps)
        if self._weights is None:
            return plain
        log_odds = odds_ratio(policy_chosen_logps, policy_rejected_logps).log_odds
        return (self.beta * odds_ratio_terms(log_odds, self._weights), *plain[1:])
