"""What a trainer says about one step, under our names, whichever of TRL's trainers said it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Our name -> the names that TRL 1.16 logs it under (DPO, KTO, ORPO and SFT agree on these).
NAMES: Mapping[str, str] = {
    "loss": "loss",
    "margin": "rewards/margins",
    "accuracy": "rewards/accuracies",
    "chosen_reward": "rewards/chosen",
    "rejected_reward": "rewards/rejected",
    "chosen_logp": "logps/chosen",
    "rejected_logp": "logps/rejected",
    "kl": "kl",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "tokens": "num_tokens",
    "epoch": "epoch",
    "chosen_length": "lengths/chosen",
    "rejected_length": "lengths/rejected",
    "odds": "log_odds_chosen",
}
# Where a value that is no number means that the weights are spoilt, or will be after this step.
TELLING = ("loss", "margin", "chosen_logp", "rejected_logp", "kl", "grad_norm")


@dataclass(frozen=True)
class Step:
    """One optimiser step. None: the method does not say. Log-probabilities are in nats, means over the batch."""

    step: int
    epoch: float | None = None
    loss: float | None = None
    margin: float | None = None  # of the rewards; for ORPO beta times the difference of log-probabilities
    accuracy: float | None = None
    chosen_reward: float | None = None  # beta times the log-ratio to the reference; for ORPO beta times the logp
    rejected_reward: float | None = None
    chosen_logp: float | None = None  # summed over the answer; for ORPO its mean a token
    rejected_logp: float | None = None
    chosen_ratio: float | None = None  # log(policy / reference) of the chosen answer; None without a reference
    rejected_ratio: float | None = None
    kl: float | None = None  # see `reference_kl`; KTO's own estimate where it gives one
    grad_norm: float | None = None
    learning_rate: float | None = None
    tokens: float | None = None  # seen so far in this process
    chosen_length: float | None = None  # tokens, where the trainer logs them
    rejected_length: float | None = None
    odds: float | None = None  # ORPO's log odds of chosen over rejected

    @property
    def spoilt(self) -> tuple[str, ...]:
        """Which of its figures are not numbers."""
        return tuple(name for name in TELLING if not _is_number(getattr(self, name)))

    def facts(self) -> dict[str, Any]:
        """What it says, without what it does not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def step_of(logs: Mapping[str, Any], step: int = 0, beta: float | None = None) -> Step:
    """Read what TRL logged at ``step`` (``logs["step"]`` where it has one).

    Args:
        logs: what a ``TrainerCallback.on_log`` is given, or an entry of ``state.log_history``.
        step: the optimiser step, from 1.
        beta: of DPO, IPO and KTO: turns rewards into log-ratios. None, or ORPO: no reference, no log-ratios, no KL.
    """
    said = {ours: float(logs[theirs]) for ours, theirs in NAMES.items() if logs.get(theirs) is not None}
    if beta and "odds" not in said:
        for answer in ("chosen", "rejected"):
            if f"{answer}_reward" in said:
                said[f"{answer}_ratio"] = said[f"{answer}_reward"] / beta
        kl = reference_kl(said.get("chosen_ratio"), said.get("rejected_ratio"))
        if kl is not None:
            said.setdefault("kl", kl)
    return Step(step=int(logs.get("step", step)), **said)


def reference_kl(chosen_ratio: float | None, rejected_ratio: float | None) -> float | None:
    """KL(reference || policy) in nats an answer, from mean log-ratios log(policy / reference) on the training answers.

    The estimator k1 of Schulman ("Approximating KL divergence", 2020): the mean of log(reference / policy) over answers
    drawn from the reference. Biased here: the answers of a pair were picked as the best and the worst of several, not
    drawn at random, and the policy is trained on these very answers. It may be negative. It says how far the policy
    has moved on its training set, and that is what the alarm needs.
    """
    if chosen_ratio is None or rejected_ratio is None:
        return None
    return 0.0 - (chosen_ratio + rejected_ratio) / 2


def _is_number(value: float | None) -> bool:
    return value is None or math.isfinite(value)
