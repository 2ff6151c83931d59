"""TRL's experimental ORPO trainer over shared prefixes; takes rows of token ids too. Import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trl.experimental.orpo import ORPOTrainer
from trl.trainer.utils import add_fused_lm_head

from align.shared_prefix.orpo import mean_log_probability, odds_ratio
from align.shared_prefix.sharing import SharedPrefix
from align.shared_prefix.tree import IGNORED

SIDES = ("chosen", "rejected")


class SharedPrefixORPOTrainer(SharedPrefix, ORPOTrainer):  # type: ignore[misc]
    """TRL's `ORPOTrainer` with the LM head at scored tokens only, over shared prefixes.

    Its metrics are TRL's but for ``logits/*``: means over the answers' tokens, where TRL's are over padding too.
    """

    def _settle(self) -> None:
        if not self._settled and not self.is_encoder_decoder:
            model = self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=True)
            inner = model.get_base_model() if hasattr(model, "peft_config") else model
            add_fused_lm_head(inner, outputs=("log_probs", "mean_logits"))
        super()._settle()

    def tokenize_row(self, feature: Mapping[str, Any], model: Any = None) -> dict[str, Any]:
        """TRL's columns of one row: of text, or of ``prompt_ids``, ``chosen_ids``, ``rejected_ids``.

        ``chosen_context`` and ``rejected_context`` leading tokens of an answer are attended to, and in no loss.
        """
        if "prompt_ids" not in feature:
            return dict(super().tokenize_row(feature, model))
        prompt = list(feature["prompt_ids"])
        row: dict[str, Any] = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
        for side in SIDES:
            ids = (prompt + list(feature[f"{side}_ids"]))[: self.max_length]
            answer = len(prompt) + (feature.get(f"{side}_context") or 0)
            row[f"{side}_input_ids"] = ids
            row[f"{side}_attention_mask"] = [1] * len(ids)
            row[f"{side}_labels"] = [IGNORED] * min(answer, len(ids)) + ids[answer:]
            row[f"{side}_likelihood_labels"] = ids[: len(prompt)] + row[f"{side}_labels"][len(prompt) :]
        return row

    def concatenated_forward(self, model: Any, batch: Mapping[str, Any]) -> tuple[Any, ...]:
        """TRL's five: mean log-probabilities of the answers, chosen and rejected [pairs], their logits, the likelihood.

        The logits are means over the vocabulary at the answers' tokens, for the metrics. The likelihood is that of the
        whole chosen rows, prompts included, as in TRL 1.16.
        """
        by_text = "chosen_likelihood_labels" not in batch
        if self.is_encoder_decoder or (by_text and (self.objection or not self.shares_prefixes)):
            return tuple(super().concatenated_forward(model, batch))
        pairs = self.concatenated_inputs(batch, padding_value=self.padding_value, device=self.accelerator.device)
        ids, mask, answers = (pairs[f"concatenated_{name}"] for name in ("input_ids", "attention_mask", "labels"))
        number = len(ids) // 2
        taught = answers.clone()
        if by_text:
            taught[:number] = ids[:number].masked_fill(mask[:number] == 0, IGNORED)
        else:
            likelihood = batch["chosen_likelihood_labels"].to(ids.device)
            taught[:number, : likelihood.shape[1]] = likelihood
        found = model(input_ids=ids, attention_mask=mask, labels=taught, fused_lm_head=True, use_cache=False)
        answered, chosen = answers[:, 1:] != IGNORED, taught[:number, 1:] != IGNORED
        mean = mean_log_probability(found.log_probs, answered)
        nll = -(found.log_probs[:number] * chosen).sum() / chosen.sum()
        logits = found.mean_logits
        parts = (logits[:number][answered[:number]], logits[number:][answered[number:]], nll)
        more = (found.aux_loss,) if self.aux_loss_enabled else ()
        return (mean[:number], mean[number:], *parts, *more)

    def odds_ratio_loss(self, policy_chosen_logps: Any, policy_rejected_logps: Any) -> tuple[Any, ...]:
        """TRL's five: weighted odds ratios and rewards [pairs], and two means for the metrics."""
        found = odds_ratio(policy_chosen_logps, policy_rejected_logps)
        chosen, rejected = (self.beta * each.float().detach() for each in (policy_chosen_logps, policy_rejected_logps))
        return self.beta * found.log_sigmoid, chosen, rejected, found.log_sigmoid.mean(), found.log_odds.mean()
