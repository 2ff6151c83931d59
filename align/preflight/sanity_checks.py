"""What a short run shows about a long one: pure checks of its figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.watching.steps import Step
from ledger.config import AlignConfig

LN2 = math.log(2)
KNOWS = 0.99  # accuracy on a handful that has been seen some dozens of times
EXACT = 1e-3  # relative: sums of float32 log-probabilities in another order
HALF = 0.03  # the same in 16 bits
ZERO = 1e-4  # reward, where it must be 0
ZERO_HALF = 0.1


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Sanity:
    """All of them."""

    checks: tuple[Check, ...]
    seconds_a_row: float | None = None  # of the longer run, reference pass not counted

    @property
    def passed(self) -> bool:
        """Is nothing wrong?"""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """For people: one line a check."""
        return "\n".join(
            f"{'ok   ' if check.passed else 'WRONG'} {check.name}: {check.detail}" for check in self.checks
        )

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        checks = [{"name": each.name, "passed": each.passed, "detail": each.detail} for each in self.checks]
        return {"passed": self.passed, "checks": checks}


def first_loss(config: AlignConfig, beta: float) -> tuple[float, float] | None:
    """Bounds of the loss where every log-ratio is 0; None where it depends on the model (ORPO) or is not known.

    A pair's weight does not move it: both directions of a pair cost the same there. KTO's rows count by their class.
    """
    if config.method == "orpo":
        return None
    if config.method == "kto":
        weights = [float(config.trainer.get(name, 1.0)) for name in ("desirable_weight", "undesirable_weight")]
        return 0.5 * min(weights), 0.5 * max(weights)
    kinds = config.trainer.get("loss_type") or (["ipo"] if config.method == "ipo" else ["sigmoid"])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    weights = config.trainer.get("loss_weights") or [1.0] * len(kinds)
    known = _first_losses(beta)
    if any(kind not in known for kind in kinds):
        return None
    value = sum(weight * known[kind] for kind, weight in zip(kinds, weights, strict=False))
    return value, value


def _first_losses(beta: float) -> Mapping[str, float]:
    """TRL's ``loss_type``s with all log-ratios at 0."""
    return {
        **dict.fromkeys(("sigmoid", "sigmoid_norm", "robust", "aot", "aot_unpaired"), LN2),
        **dict.fromkeys(("hinge", "apo_zero", "apo_down"), 1.0),
        **dict.fromkeys(("nca_pair", "bco_pair"), 2 * LN2),
        "ipo": (1 / (2 * beta)) ** 2,
        "sppo_hard": 2 * (0.5 / beta) ** 2,
        "discopop": 0.5 * LN2 + 0.5,
    }


def begins_at_the_reference(first: Step, bounds: tuple[float, float] | None, *, half: bool) -> Check:
    """Before the first step the policy is its own reference: rewards 0, and the loss is known."""
    name = "begins at the reference"
    if first.odds is not None:
        return Check(name, True, "ORPO has no reference")
    zero = ZERO_HALF if half else ZERO
    rewards = [each for each in (first.chosen_reward, first.rejected_reward) if each is not None]
    still = bool(rewards) and all(abs(reward) <= zero for reward in rewards)
    said = f"rewards {', '.join(f'{reward:.2g}' for reward in rewards) or 'missing'}, loss {_figure(first.loss)}"
    if bounds is None:
        return Check(name, still, said)
    low, high = bounds
    slack = (HALF if half else EXACT) * max(abs(low), abs(high))
    loss = math.nan if first.loss is None else first.loss
    expected = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return Check(name, still and low - slack <= loss <= high + slack, f"{said} (expected 0, {expected})")


def memorises(steps: Sequence[Step], pairs: int) -> Check:
    """A handful of pairs, seen again and again at a high rate, must be told apart."""
    name = "memorises"
    if len(steps) < 2:
        return Check(name, False, "no steps were logged")
    first, last = steps[0], steps[-1]
    margins = first.margin or 0.0, last.margin or 0.0
    loss = _falls(first.loss, last.loss)
    known = last.accuracy is None or last.accuracy >= KNOWS
    grown = margins[1] > max(margins[0], 0.0) + 1e-3 * abs(margins[0])
    accuracy = "" if last.accuracy is None else f"accuracy {last.accuracy:.2f}, "
    detail = (
        f"{pairs} pairs in {last.step} steps: {accuracy}margin {margins[0]:.3g} to {margins[1]:.3g}, "
        f"loss {_figure(first.loss)} to {_figure(last.loss)}"
    )
    return Check(name, known and grown and loss, detail)


def loss_falls(steps: Sequence[Step]) -> Check:
    """With the settings as they are: the last third's mean loss is below the first third's."""
    name = "loss falls"
    losses = [step.loss for step in steps if step.loss is not None]
    if len(losses) < 3:
        return Check(name, False, f"{len(losses)} steps were logged, too few to see")
    third = len(losses) // 3
    before, after = statistics.fmean(losses[:third]), statistics.fmean(losses[-third:])
    detail = f"{before:.4g} to {after:.4g} in {len(losses)} steps at the configured rate"
    return Check(name, _falls(before, after), detail)


def mask_is_right(first: Step, expected: tuple[float, float], labelled: int, *, half: bool) -> Check:
    """The trainer's log-probabilities are those of the answers' tokens, summed by hand: no prompt, no padding."""
    pairs = list(zip(("chosen", "rejected"), (first.chosen_logp, first.rejected_logp), expected, strict=True))
    slack = HALF if half else EXACT
    right = all(found is not None and abs(found - own) <= slack * max(1.0, abs(own)) for _, found, own in pairs)
    said = ", ".join(f"{name} {_figure(found)} (by hand {own:.4g})" for name, found, own in pairs)
    return Check("mask is right", right, f"{labelled} answer tokens; {said}")


def prompt_is_read(expected: tuple[float, float], flipped: tuple[float, float]) -> Check:
    """Another token in the prompt changes the answers' log-probabilities, by way of attention."""
    moved = max(abs(one - other) for one, other in zip(expected, flipped, strict=True))
    return Check("prompt is read", moved > 0, f"another prompt token moves an answer by {moved:.2g} nats")


def trains_only_what_it_should(
    first: Step, trained: Sequence[str], before: Sequence[tuple[int, float]], after: Sequence[tuple[int, float]]
) -> Check:
    """There is a gradient; where there are adapters they alone are trained, and the weights below are as they were."""
    name = "trains only what it should"
    adapters = [weight for weight in trained if "lora_" in weight]
    strangers = [weight for weight in trained if weight not in adapters] if adapters else []
    frozen = not adapters or sorted(before) == sorted(after)
    moves = first.grad_norm is not None and math.isfinite(first.grad_norm) and first.grad_norm > 0
    kind = "adapter weights" if adapters else "weights"
    detail = f"gradient norm {_figure(first.grad_norm)} on {len(trained)} {kind}"
    if strangers:
        detail += f"; not adapters: {', '.join(strangers[:3])}"
    if not frozen:
        detail += "; frozen weights have changed"
    return Check(name, bool(trained) and moves and frozen and not strangers, detail)


def _falls(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and after < before


def _figure(value: float | None) -> str:
    return "missing" if value is None else f"{value:.4g}"
