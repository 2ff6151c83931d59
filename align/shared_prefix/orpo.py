"""The loss of ORPO (Hong et al., 2024), apart from any trainer: TRL's own is an experiment, which may be dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

LN_HALF = -0.6931471805599453


@dataclass(frozen=True)
class OddsRatio:
    """Of each pair [pairs]: how the odds of the two answers compare."""

    log_odds: torch.Tensor  # log of chosen's odds over rejected's
    log_sigmoid: torch.Tensor  # of the log odds: what the loss is made of


def odds_ratio(chosen: torch.Tensor, rejected: torch.Tensor) -> OddsRatio:
    """Compare answers by their mean log-probability a token (equations 4 and 7; nats, at most 0), [pairs] each."""
    from torch.nn.functional import logsigmoid

    chosen, rejected = chosen.float(), rejected.float()
    log_odds = (chosen - rejected) - (_log_of_rest(chosen) - _log_of_rest(rejected))
    return OddsRatio(log_odds=log_odds, log_sigmoid=logsigmoid(log_odds))


def orpo_losses(chosen: torch.Tensor, rejected: torch.Tensor, nll: torch.Tensor, beta: float) -> torch.Tensor:
    """The loss of each pair [pairs]: likelihood of the chosen row, and ``beta`` times the odds ratio (equation 6).

    Args:
        chosen: mean log-probability of the chosen answer's tokens [pairs].
        rejected: the same of the rejected answer.
        nll: mean negative log-likelihood, a scalar over the batch (as TRL 1.16 has it, prompts included) or [pairs].
        beta: weight of the odds ratio, lambda in the paper.
    """
    return nll - beta * odds_ratio(chosen, rejected).log_sigmoid


def mean_log_probability(log_probs: Any, scored: Any) -> Any:
    """Mean over the scored tokens of each row: [rows, length] and booleans of that shape to [rows]."""
    return (log_probs * scored).sum(-1) / scored.sum(-1)


def _log_of_rest(log_p: torch.Tensor) -> torch.Tensor:
    """log(1 - p) without cancellation on either side (Mächler, 2012)."""
    import torch

    return torch.where(log_p < LN_HALF, torch.log1p(-torch.exp(log_p)), torch.log(-torch.expm1(log_p)))
