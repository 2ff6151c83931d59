"""Alarms go off on runs that go wrong, once, and are silent on those that do not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest

from align.watching.alarms import ADVICE, RULES, Alarm, Alarms, length_correlation
from align.watching.steps import Step

Made = Callable[[int], Step]


def healthy(number: int, rng: random.Random | None = None) -> Step:
    """A good run: the loss falls, chosen answers grow likelier, rejected ones less so, accuracy rises to 0.8."""
    noise = (rng or random.Random(number)).gauss(0, 0.1)
    grown = min(1.0, number / 200)
    chosen, rejected = 2 * grown + noise, -4 * grown + noise
    return Step(
        step=number,
        epoch=number / 100,
        loss=0.69 - 0.3 * grown + noise / 10,
        margin=0.1 * (chosen - rejected),
        accuracy=0.5 + 0.3 * grown + noise / 3,
        chosen_logp=-100 + chosen + 20 * noise,
        rejected_logp=-100 + rejected,
        chosen_ratio=chosen,
        rejected_ratio=rejected,
        kl=-(chosen + rejected) / 2,
        grad_norm=1 + noise,
        chosen_length=100 + 50 * random.Random(f"c{number}").random(),
        rejected_length=100 + 50 * random.Random(f"r{number}").random(),
    )


def run(make: Made, count: int = 200) -> list[Alarm]:
    alarms = Alarms()
    return [alarm for number in range(1, count + 1) for alarm in alarms.see(make(number))]


def kinds(found: Sequence[Alarm]) -> list[str]:
    return [alarm.kind for alarm in found]


def changed(**parts: Callable[[Step], float | None] | float | None) -> Made:
    """A healthy run with some figures changed."""

    def make(number: int) -> Step:
        step = healthy(number)
        values = {name: part(step) if callable(part) else part for name, part in parts.items()}
        return Step(**{**step.facts(), **values})

    return make


def test_a_good_run_is_silent() -> None:
    assert run(healthy) == []


def test_a_short_noisy_run_is_silent() -> None:
    """Nothing but noise, ten steps of it."""
    assert run(changed(accuracy=0.5, loss=0.69, chosen_ratio=0.0, rejected_ratio=0.0, margin=0.0), 10) == []


BAD: dict[str, tuple[Made, int]] = {
    "not_a_number": (changed(loss=lambda step: math.nan if step.step >= 30 else step.loss), 30),
    "no_gradient": (changed(grad_norm=0.0), 3),
    "leak": (changed(accuracy=1.0), 5),
    "displacement": (
        changed(chosen_ratio=lambda step: -step.step / 10, rejected_ratio=lambda step: -step.step / 5, kl=0.0),
        25,
    ),
    "kl": (changed(kl=lambda step: step.step / 1.0), 55),
    "length": (
        changed(margin=lambda step: ((step.chosen_length or 0) - (step.rejected_length or 0)) / 100),
        30,
    ),
    "no_progress": (changed(loss=lambda step: 0.69), 50),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_run_is_told_once_and_in_time(kind: str) -> None:
    make, expected = BAD[kind]
    found = run(make)
    assert kinds(found) == [kind]
    assert found[0].step == pytest.approx(expected, abs=3)
    assert found[0].advice
    assert f"step {found[0].step}: " in found[0].text()
    assert found[0].facts()["kind"] == kind


def test_every_kind_is_tested_and_has_its_advice() -> None:
    assert set(BAD) == set(RULES) == set(ADVICE)


class TestDisplacement:
    def test_without_a_reference_windows_are_compared(self) -> None:
        """ORPO: mean log-probability a token, which differs from batch to batch."""

        def orpo(number: int, slope: float) -> Step:
            noise = random.Random(number).gauss(0, 0.1)
            return Step(step=number, loss=1 / number, margin=number / 100, chosen_logp=-1.5 + noise - slope * number)

        assert run(lambda number: orpo(number, 0.0)) == []
        found = run(lambda number: orpo(number, 0.01))
        assert kinds(found) == ["displacement"]
        assert "a token" in found[0].what

    def test_a_falling_margin_is_something_else(self) -> None:
        both = changed(chosen_ratio=lambda step: -step.step / 10, margin=lambda step: -step.step / 100)
        assert run(both) == []

    def test_two_nats_of_a_long_answer_are_nothing(self) -> None:
        fallen: dict[str, float] = {"chosen_ratio": -4.0, "rejected_ratio": -9.0, "kl": 6.5}
        assert kinds(run(changed(**fallen, chosen_logp=-100.0))) == ["displacement"]
        assert run(changed(**fallen, chosen_logp=-900.0)) == []


class TestLeak:
    def test_late_accuracy_is_learning(self) -> None:
        assert run(changed(accuracy=lambda step: 1.0 if step.step > 20 else 0.6)) == []

    def test_a_second_epoch_is_memory(self) -> None:
        assert run(changed(accuracy=1.0, epoch=lambda step: 1 + step.step / 5), 20) == []

    def test_four_in_a_row_are_chance(self) -> None:
        assert run(changed(accuracy=lambda step: 0.5 if step.step % 5 == 0 else 1.0), 20) == []


def test_a_kl_that_falls_far_below_zero_is_far_too() -> None:
    assert kinds(run(changed(kl=-80.0))) == ["kl"]


def test_shorter_answers_are_a_drift_as_well() -> None:
    made = changed(margin=lambda step: ((step.rejected_length or 0) - (step.chosen_length or 0)) / 100)
    assert "the margin follows the shorter answer" in run(made)[0].what


def test_what_a_log_holds_is_not_said_again() -> None:
    alarms = Alarms()
    make = BAD["no_progress"][0]
    alarms.restore(map(make, range(1, 100)))
    assert kinds(alarms.raised) == ["no_progress"]
    assert [alarm for number in range(100, 150) for alarm in alarms.see(make(number))] == []


def test_kto_and_sft_figures_are_enough() -> None:
    """No accuracy, no lengths, batches without one class; fine-tuning has a loss alone."""
    kto = changed(accuracy=None, chosen_length=None, chosen_ratio=lambda step: None if step.step % 3 else 0.1)
    assert run(kto) == []
    assert run(lambda number: Step(step=number, loss=1 / number)) == []


def test_correlation() -> None:
    assert length_correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert length_correlation([1, 1], [2, 4]) is None
    assert length_correlation([], []) is None
