"""Each check passes on figures of a good run, and fails on those of a run with one thing wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from align.preflight.sanity_checks import (
    LN2,
    Check,
    Sanity,
    begins_at_the_reference,
    first_loss,
    loss_falls,
    mask_is_right,
    memorises,
    prompt_is_read,
    trains_only_what_it_should,
)
from align.watching.steps import Step
from ledger.config import AlignConfig
from ledger.records import canonical_json

FIRST = Step(
    step=1,
    loss=LN2,
    margin=0.0,
    accuracy=0.0,
    chosen_reward=0.0,
    rejected_reward=0.0,
    chosen_logp=-90.0,
    rejected_logp=-50.0,
    grad_norm=1.0,
)
LAST = replace(FIRST, step=40, loss=0.01, margin=5.0, accuracy=1.0)


class TestFirstLoss:
    @pytest.mark.parametrize(
        ("method", "trainer", "expected"),
        [
            ("dpo", {}, LN2),
            ("ipo", {}, 25.0),
            ("kto", {}, 0.5),
            ("dpo", {"loss_type": "hinge"}, 1.0),
            ("dpo", {"loss_type": ["sigmoid", "bco_pair"], "loss_weights": [0.5, 2.0]}, 4.5 * LN2),
        ],
    )
    def test_known(self, method: Any, trainer: dict[str, Any], expected: float) -> None:
        low, high = first_loss(AlignConfig(method=method, trainer=trainer), 0.1) or (0, 0)
        assert low == high == pytest.approx(expected)

    def test_by_class(self) -> None:
        config = AlignConfig(method="kto", trainer={"desirable_weight": 1.5, "undesirable_weight": 1.0})
        assert first_loss(config, 0.1) == (0.5, 0.75)

    def test_unknown(self) -> None:
        assert first_loss(AlignConfig(method="orpo"), 0.1) is None
        assert first_loss(AlignConfig(trainer={"loss_type": ["sigmoid", "sft"]}), 0.1) is None


class TestReference:
    @pytest.mark.parametrize(
        "step", [replace(FIRST, loss=0.7), replace(FIRST, chosen_reward=0.01), replace(FIRST, loss=math.nan)]
    )
    def test_it_is_not_the_policy(self, step: Step) -> None:
        assert begins_at_the_reference(FIRST, (LN2, LN2), half=False).passed
        assert not begins_at_the_reference(step, (LN2, LN2), half=False).passed

    def test_an_unknown_loss_leaves_the_rewards(self) -> None:
        assert begins_at_the_reference(replace(FIRST, loss=9.0), None, half=False).passed
        assert not begins_at_the_reference(replace(FIRST, rejected_reward=-1.0), None, half=False).passed
        assert not begins_at_the_reference(Step(step=1, loss=LN2), (LN2, LN2), half=False).passed

    def test_sixteen_bits_are_coarse(self) -> None:
        coarse = replace(FIRST, loss=0.70, chosen_reward=0.02)
        assert begins_at_the_reference(coarse, (LN2, LN2), half=True).passed


class TestMemorises:
    def test_it_does(self) -> None:
        found = memorises([FIRST, LAST], 8)
        assert found.passed
        assert found.detail == "8 pairs in 40 steps: accuracy 1.00, margin 0 to 5, loss 0.6931 to 0.01"
        assert memorises([replace(FIRST, accuracy=None), replace(LAST, accuracy=None)], 8).passed  # KTO

    @pytest.mark.parametrize(
        "last", [replace(LAST, accuracy=0.5), replace(LAST, margin=0.0), replace(LAST, loss=0.8), FIRST]
    )
    def test_it_does_not(self, last: Step) -> None:
        assert not memorises([FIRST, last], 8).passed
        assert not memorises([], 8).passed


def test_loss_falls() -> None:
    falling = [replace(FIRST, step=step, loss=0.7 - step / 100) for step in range(9)]
    assert loss_falls(falling).passed
    assert not loss_falls(falling[::-1]).passed
    assert not loss_falls(falling[:2]).passed
    assert not loss_falls([replace(step, loss=math.nan) for step in falling]).passed


def test_mask() -> None:
    assert mask_is_right(FIRST, (-90.00001, -50.0), 30, half=False).passed
    assert not mask_is_right(FIRST, (-90.0, -51.0), 30, half=False).passed
    assert mask_is_right(FIRST, (-90.0, -51.0), 30, half=True).passed
    assert not mask_is_right(replace(FIRST, chosen_logp=None), (-90.0, -50.0), 30, half=False).passed


def test_prompt() -> None:
    assert prompt_is_read((-1.0, -2.0), (-1.0, -2.1)).passed
    assert not prompt_is_read((-1.0, -2.0), (-1.0, -2.0)).passed


class TestTrained:
    BASE = ((4, 1.0), (2, 3.0))

    def test_adapters_alone(self) -> None:
        assert trains_only_what_it_should(FIRST, ["a.lora_A", "a.lora_B"], self.BASE, self.BASE[::-1]).passed

    @pytest.mark.parametrize(
        ("trained", "after", "norm"),
        [
            (["a.lora_A"], [(4, 1.0), (2, 3.5)], 1.0),
            (["a.lora_A"], BASE, 0.0),
            (["a.lora_A"], BASE, math.nan),
            (["a.lora_A", "norm.weight"], BASE, 1.0),
            ([], BASE, 1.0),
        ],
    )
    def test_something_else(self, trained: list[str], after: list[tuple[int, float]], norm: float) -> None:
        assert not trains_only_what_it_should(replace(FIRST, grad_norm=norm), trained, self.BASE, after).passed

    def test_all_weights(self) -> None:
        assert trains_only_what_it_should(FIRST, ["a.weight", "b.weight"], self.BASE, []).passed


def test_it_reads_well() -> None:
    found = Sanity((Check("one", True, "fine"), Check("other", False, "not fine")))
    assert found.text().splitlines() == ["ok    one: fine", "WRONG other: not fine"]
    assert not found.passed
    assert json.loads(canonical_json(found.facts()))["checks"][1] == {
        "name": "other",
        "passed": False,
        "detail": "not fine",
    }
