"""What a pair's weight does to a preference loss: the conservative loss of each pair. Pure, on tensors.

A pair's weight w is the probability that chosen is better. Its conservative loss (cDPO; Mitchell, 2023) is the expected
one, ``w L(chosen, rejected) + (1 - w) L(rejected, chosen)``. That is the plain loss plus ``(1 - w)`` times the
difference of the two, so TRL's own loss code stays what computes the plain part, and weights of 1 change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Side:
    """One answer of each pair: its log-ratios to the reference, in nats, and its numbers of tokens, [pairs] each."""

    log_ratios: Tensor
    tokens: Tensor


@dataclass(frozen=True)
class LossSettings:
    """What a loss depends on, under TRL's names."""

    beta: float
    label_smoothing: float = 0.0
    discopop_tau: float = 0.05


PairLoss = Callable[[Side, Side, LossSettings], "Tensor"]


def _sigmoid(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Rafailov et al., 2023."""
    return -_log_sigmoid(settings.beta * (chosen.log_ratios - rejected.log_ratios))


def _hinge(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """SLiC: Zhao et al., 2023."""
    return (1 - settings.beta * (chosen.log_ratios - rejected.log_ratios)).relu()


def _ipo(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Azar et al., 2024, per token as TRL has it."""
    return (_mean(chosen) - _mean(rejected) - 1 / (2 * settings.beta)) ** 2


def _sigmoid_norm(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """The sigmoid loss per token."""
    return -_log_sigmoid(settings.beta * (_mean(chosen) - _mean(rejected)))


def _robust(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Ray Chowdhury et al., 2024."""
    flip = settings.label_smoothing
    logits = settings.beta * (chosen.log_ratios - rejected.log_ratios)
    return (flip * _log_sigmoid(-logits) - (1 - flip) * _log_sigmoid(logits)) / (1 - 2 * flip)


def _exo_pair(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Ji et al., 2024."""
    logits = settings.beta * (chosen.log_ratios - rejected.log_ratios)
    for_chosen = logits.sigmoid() * (_log_sigmoid(logits) - math.log1p(-settings.label_smoothing))
    return for_chosen + (-logits).sigmoid() * (_log_sigmoid(-logits) - math.log(settings.label_smoothing))


def _discopop(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Lu et al., 2024."""
    logits = settings.beta * (chosen.log_ratios - rejected.log_ratios)
    share = (logits / settings.discopop_tau).sigmoid()
    return -_log_sigmoid(logits) * (1 - share) + (-logits).exp() * share


def _nca_pair(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Chen et al., 2024."""
    ours, theirs = settings.beta * chosen.log_ratios, settings.beta * rejected.log_ratios
    return -_log_sigmoid(ours) - 0.5 * _log_sigmoid(-ours) - 0.5 * _log_sigmoid(-theirs)


def _bco_pair(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Jung et al., 2024."""
    return -_log_sigmoid(settings.beta * chosen.log_ratios) - _log_sigmoid(-settings.beta * rejected.log_ratios)


def _sppo_hard(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """Wu et al., 2024."""
    return (chosen.log_ratios - 0.5 / settings.beta) ** 2 + (rejected.log_ratios + 0.5 / settings.beta) ** 2


def _apo_zero(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """D'Oosterlinck et al., 2024."""
    return 1 - (settings.beta * chosen.log_ratios).sigmoid() + (settings.beta * rejected.log_ratios).sigmoid()


def _apo_down(chosen: Side, rejected: Side, settings: LossSettings) -> Tensor:
    """D'Oosterlinck et al., 2024."""
    logits = settings.beta * (chosen.log_ratios - rejected.log_ratios)
    return (settings.beta * chosen.log_ratios).sigmoid() + 1 - logits.sigmoid()


# Those of TRL's that can be told which answer is the better one. aot and aot_unpaired sort the answers of a batch, so
# no pair has a loss of its own; sft has no other side.
PAIR_LOSSES: Mapping[str, PairLoss] = {
    "sigmoid": _sigmoid,
    "hinge": _hinge,
    "ipo": _ipo,
    "exo_pair": _exo_pair,
    "nca_pair": _nca_pair,
    "robust": _robust,
    "bco_pair": _bco_pair,
    "sppo_hard": _sppo_hard,
    "apo_zero": _apo_zero,
    "apo_down": _apo_down,
    "discopop": _discopop,
    "sigmoid_norm": _sigmoid_norm,
}


def correction(loss_type: str, chosen: Side, rejected: Side, weights: Tensor, settings: LossSettings) -> Tensor:
    """What the weights add to the mean loss of a batch of pairs; a number without dimensions.

    Args:
        loss_type: one of `PAIR_LOSSES`.
        chosen: the answers said to be better.
        rejected: the others.
        weights: probability that chosen is better, [pairs].
        settings: of the loss.
    """
    loss = PAIR_LOSSES[loss_type]
    return ((1 - weights) * (loss(rejected, chosen, settings) - loss(chosen, rejected, settings))).mean()


def kto_correction(gains: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """What the weights add to the mean KTO loss of a batch of labelled answers.

    An answer that is desirable with probability w has the loss of a desirable one w times, that of an undesirable one
    1 - w times. With the value ``v`` of an answer as labelled, these two are ``1 - v`` and ``v`` (Ethayarajh et al.,
    2024, equation 8), and so they are for ``apo_zero_unpaired``.

    Args:
        gains: beta times (log-ratio less the KL term; ``apo_zero_unpaired`` has none), negated for undesirable answers,
            [answers].
        weights: probability that the label is right, [answers].
        class_weights: ``desirable_weight`` or ``undesirable_weight``, [answers].
    """
    value = gains.sigmoid()
    return ((1 - weights) * class_weights * (2 * value - 1)).mean()


def odds_ratio_terms(log_odds: Tensor, weights: Tensor) -> Tensor:
    """The odds-ratio term of each pair, which ORPO's loss has times minus beta (Hong et al., 2024), [pairs].

    Args:
        log_odds: log of chosen's odds over rejected's, [pairs].
        weights: probability that chosen is better, [pairs].
    """
    return weights * _log_sigmoid(log_odds) + (1 - weights) * _log_sigmoid(-log_odds)


def _log_sigmoid(x: Tensor) -> Tensor:
    from torch.nn.functional import logsigmoid

    return logsigmoid(x)


def _mean(side: Side) -> Tensor:
    return side.log_ratios / side.tokens.clamp(min=1)
