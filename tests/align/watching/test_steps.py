"""One step's figures under our names."""

from __future__ import annotations

import math
from typing import Any

import pytest

from align.watching.steps import Step, reference_kl, step_of

DPO: dict[str, Any] = {
    "loss": 0.6,
    "grad_norm": 1.5,
    "learning_rate": 1e-5,
    "num_tokens": 900.0,
    "rewards/chosen": -0.2,
    "rewards/rejected": -0.6,
    "rewards/accuracies": 0.75,
    "rewards/margins": 0.4,
    "logps/chosen": -60.0,
    "logps/rejected": -70.0,
    "epoch": 0.5,
}


def test_dpo() -> None:
    step = step_of(DPO, 7, beta=0.1)
    assert (step.step, step.loss, step.margin, step.accuracy) == (7, 0.6, 0.4, 0.75)
    assert (step.chosen_logp, step.rejected_logp, step.tokens, step.epoch) == (-60, -70, 900, 0.5)
    assert [step.chosen_ratio, step.rejected_ratio] == pytest.approx([-2, -6])
    assert step.kl == pytest.approx(4)
    assert (step.chosen_length, step.odds) == (None, None)


def test_without_beta_there_is_no_ratio() -> None:
    step = step_of(DPO, 7)
    assert (step.chosen_ratio, step.kl) == (None, None)


def test_ktos_own_estimate_is_taken() -> None:
    kto = {name: value for name, value in DPO.items() if name != "rewards/accuracies"} | {"kl": 0.25}
    step = step_of(kto, 1, beta=0.1)
    assert (step.kl, step.accuracy) == (0.25, None)
    assert step.chosen_ratio == pytest.approx(-2)


def test_kto_batches_may_lack_a_class() -> None:
    step = step_of({"loss": 0.5, "rewards/chosen": 0.1, "kl": 0.0, "step": 3}, beta=0.1)
    assert (step.step, step.rejected_ratio, step.kl) == (3, None, 0)
    assert step.chosen_ratio == pytest.approx(1)


def test_orpo_has_no_reference() -> None:
    step = step_of({**DPO, "log_odds_chosen": 0.3, "nll_loss": 2.0}, 1, beta=0.1)
    assert (step.chosen_ratio, step.kl, step.odds) == (None, None, 0.3)


def test_facts_leave_out_what_is_not_said() -> None:
    assert Step(step=2, loss=0.5).facts() == {"step": 2, "loss": 0.5}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_named(value: float) -> None:
    assert step_of({**DPO, "grad_norm": value}, 1).spoilt == ("grad_norm",)
    assert step_of({**DPO, "loss": value, "rewards/margins": value}, 1).spoilt == ("loss", "margin")
    assert step_of(DPO, 1).spoilt == ()


def test_the_estimate_is_a_divergence() -> None:
    """Over answers drawn from the reference it is unbiased: here two answers, all their mass counted."""
    reference, policy = (0.75, 0.25), (0.5, 0.5)
    drawn = [math.log(q / p) for q, p in zip(policy, reference, strict=True)]
    true = sum(p * math.log(p / q) for q, p in zip(policy, reference, strict=True))
    estimate = sum(p * (reference_kl(ratio, ratio) or 0) for p, ratio in zip(reference, drawn, strict=True))
    assert estimate == pytest.approx(true)
    assert reference_kl(None, 1.0) is None
