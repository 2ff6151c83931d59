"""The training methods: which trainer, which configuration of TRL's, and how a run of each begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.config import AlignConfig

# (learning rate, beta) for LoRA. TRL's default rate of 1e-6 is meant for full fine-tuning.
DEFAULTS: Mapping[str, tuple[float, float]] = {
    "dpo": (2e-5, 0.1),  # Rafailov et al., 2023
    "ipo": (2e-5, 0.1),  # Azar et al., 2024; beta is its tau
    "orpo": (5e-5, 0.1),  # Hong et al., 2024; beta is its lambda
    "kto": (2e-5, 0.1),  # Ethayarajh et al., 2024
}
FULL_RATE = 1e-6  # where all weights are trained: TRL's own, and that of the papers
# The reference model's log-probabilities once, not once an epoch.
PRECOMPUTE: Mapping[str, Any] = {"precompute_ref_log_probs": True}
# What is set in TRL's configuration of a method, beside what all methods are told.
OWN: Mapping[str, Mapping[str, Any]] = {
    "dpo": PRECOMPUTE,
    "ipo": {"loss_type": ["ipo"], **PRECOMPUTE},
    "orpo": {},
    "kto": PRECOMPUTE,
}
BY_LENGTH: Mapping[str, Any] = {"train_sampling_strategy": "group_by_length"}


@dataclass(frozen=True)
class Method:
    """How TRL trains by one method."""

    trainer: Any  # a class
    settings: Any  # the class of its configuration
    own: Mapping[str, Any]  # see `OWN`


def method(name: str) -> Method:
    """The method of that name; loads TRL."""
    return {"dpo": _dpo, "ipo": _ipo, "orpo": _orpo, "kto": _kto}[name]()


def learning_rate(config: AlignConfig) -> float:
    """The configured rate, or that of the method."""
    return config.learning_rate or (DEFAULTS[config.method][0] if config.tuning == "lora" else FULL_RATE)


def beta(config: AlignConfig) -> float:
    """The configured beta, or that of the method."""
    return config.beta or DEFAULTS[config.method][1]


def _dpo() -> Method:
    from trl import DPOConfig

    from align.preference.trainers import WardroundDPOTrainer

    return Method(WardroundDPOTrainer, DPOConfig, OWN["dpo"])


def _ipo() -> Method:
    dpo = _dpo()
    return Method(dpo.trainer, dpo.settings, OWN["ipo"])


def _orpo() -> Method:
    from trl.experimental.orpo import ORPOConfig

    from align.preference.trainers import WardroundORPOTrainer

    return Method(WardroundORPOTrainer, ORPOConfig, OWN["orpo"])


def _kto() -> Method:
    from trl import KTOConfig

    from align.preference.trainers import WardroundKTOTrainer

    return Method(WardroundKTOTrainer, KTOConfig, OWN["kto"])
