"""What goes wrong in preference training and shows in its figures, said once a run and with what to do about it.

Pure: steps in, alarms out. Each rule looks at all steps so far and says nothing, or what it sees.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from align.watching.steps import Step

Kind = Literal["not_a_number", "no_gradient", "leak", "displacement", "kl", "length", "no_progress"]

WINDOW = 10  # logged steps that are averaged: single batches of a few pairs say little
LEAK_STEPS = 20  # of the first epoch: so early, a policy cannot have learnt what surgeons prefer
LEAK_RUN = 5  # steps in a row; with two pairs a step, chance gets them all right once in a thousand times
LEAK_ACCURACY = 0.995
DISPLACED_NATS = 2.0  # the chosen answers are e^2, seven times, less likely than under the reference
DISPLACED_SHARE = 0.02  # ... and by 2 % of their log-probability: long answers move by some nats without harm
DISPLACED_ERRORS = 3.0  # standard errors by which a mean must fall where batches are compared with other batches
# Gao, Schulman and Hilton (2023) see the true reward fall while the proxy still rises at KLs of some tens of nats.
KL_BOUND = 50.0
LENGTH_STEPS = 30  # fewer give a correlation of 0.7 by chance too often: 30 do so once in 50,000
LENGTH_CORRELATION = 0.7  # half of the margin's variance is the length difference's
PROGRESS_STEPS = 50  # a warm-up of 10 % of 500 steps is over by then
PROGRESS_SHARE = 0.001  # of the first window's loss: less is rounding
NO_GRADIENT_RUN = 3  # steps in a row: one alone can be a batch of pairs that are learnt already


@dataclass(frozen=True)
class Alarm:
    """One thing that went wrong."""

    kind: Kind
    step: int
    what: str
    advice: str

    def text(self) -> str:
        """One line for people."""
        return f"step {self.step}: {self.what} -> {self.advice}"

    def facts(self) -> dict[str, Any]:
        """What ``--json`` and the ledger hold."""
        return {"kind": self.kind, "step": self.step, "what": self.what, "advice": self.advice}


Rule = Callable[[Sequence[Step]], str | None]


@dataclass
class Alarms:
    """Watches a run. Each kind is raised once; what is restored from a log is not raised again."""

    steps: list[Step] = field(default_factory=list)
    raised: list[Alarm] = field(default_factory=list)

    def see(self, step: Step) -> tuple[Alarm, ...]:
        """The alarms that this step sets off."""
        self.steps.append(step)
        known = {alarm.kind for alarm in self.raised}
        new = tuple(
            Alarm(kind, step.step, what, ADVICE[kind])
            for kind, rule in RULES.items()
            if kind not in known and (what := rule(self.steps))
        )
        self.raised.extend(new)
        return new

    def restore(self, steps: Iterable[Step]) -> None:
        """Take in the steps of a run that is gone on with, in silence."""
        for step in steps:
            self.see(step)


def not_a_number(steps: Sequence[Step]) -> str | None:
    """A figure is NaN or infinite."""
    spoilt = steps[-1].spoilt
    return f"{', '.join(spoilt)} not a number any more" if spoilt else None


def no_gradient(steps: Sequence[Step]) -> str | None:
    """The gradient's norm is exactly 0, step after step: nothing trains."""
    last = [step.grad_norm for step in steps[-NO_GRADIENT_RUN:]]
    if len(last) < NO_GRADIENT_RUN or any(norm != 0 for norm in last):
        return None
    return f"the gradient has been 0 for {NO_GRADIENT_RUN} steps: nothing is trained"


def leak(steps: Sequence[Step]) -> str | None:
    """Every pair is told apart in the first steps, before the policy has seen any of them twice."""
    last = steps[-LEAK_RUN:]
    if len(last) < LEAK_RUN or steps[-1].step > LEAK_STEPS or (steps[-1].epoch or 0) > 1:
        return None
    if any(step.accuracy is None or step.accuracy < LEAK_ACCURACY for step in last):
        return None
    return f"every pair has been told apart since step {last[0].step}, too early to be learnt"


def displacement(steps: Sequence[Step]) -> str | None:
    """Chosen answers grow less likely while the margin grows (Razin et al., 2024; Pal et al., 2024)."""
    if len(steps) < 2 * WINDOW:
        return None
    first, last = steps[:WINDOW], steps[-WINDOW:]
    margins = _mean(first, "margin"), _mean(last, "margin")
    if None in margins or not margins[1] > margins[0]:  # type: ignore[operator]
        return None
    fallen = _fallen(first, last)
    return None if fallen is None else f"chosen answers are {fallen} than at the start, while the margin grows"


def _fallen(first: Sequence[Step], last: Sequence[Step]) -> str | None:
    """By how much, if by enough: against the reference on the same pairs where there is one, else between windows."""
    ratio = _mean(last, "chosen_ratio")
    if ratio is not None:
        least = max(DISPLACED_NATS, DISPLACED_SHARE * abs(_mean(last, "chosen_logp") or 0.0))
        return f"{-ratio:.1f} nats less likely" if -ratio > least else None
    before, now = _values(first, "chosen_logp"), _values(last, "chosen_logp")
    if len(before) < WINDOW or len(now) < WINDOW:
        return None
    drop = statistics.mean(before) - statistics.mean(now)
    error = ((statistics.variance(before) + statistics.variance(now)) / WINDOW) ** 0.5
    if drop <= max(DISPLACED_ERRORS * error, DISPLACED_SHARE * abs(statistics.mean(before))):
        return None
    return f"{drop:.2f} nats a token less likely"


def beyond_kl(steps: Sequence[Step]) -> str | None:
    """The policy has gone far from its reference."""
    kl = _mean(steps[-WINDOW:], "kl") if len(steps) >= WINDOW else None
    if kl is None or abs(kl) <= KL_BOUND:
        return None
    return f"the policy is {kl:.0f} nats an answer from its reference (bound {KL_BOUND:.0f})"


def length_drift(steps: Sequence[Step]) -> str | None:
    """Where the chosen answers are longer, the margin is larger: length is what is learnt."""
    seen = [
        (step.chosen_length - step.rejected_length, step.margin)
        for step in steps
        if step.chosen_length is not None and step.rejected_length is not None and step.margin is not None
    ][-LENGTH_STEPS:]
    found = length_correlation([gap for gap, _ in seen], [margin for _, margin in seen])
    if len(seen) < LENGTH_STEPS or found is None or abs(found) < LENGTH_CORRELATION:
        return None
    return f"the margin follows the {'longer' if found > 0 else 'shorter'} answer (correlation {found:.2f})"


def length_correlation(gaps: Sequence[float], margins: Sequence[float]) -> float | None:
    """Pearson's correlation of length differences (chosen - rejected) with margins; None where one does not vary."""
    if len(gaps) < 2 or min(gaps) == max(gaps) or min(margins) == max(margins):
        return None
    return statistics.correlation(gaps, margins)


def no_progress(steps: Sequence[Step]) -> str | None:
    """The loss of the last steps is that of the first ones."""
    if len(steps) < PROGRESS_STEPS:
        return None
    first, last = _mean(steps[:WINDOW], "loss"), _mean(steps[-WINDOW:], "loss")
    if first is None or last is None or not first - last <= PROGRESS_SHARE * abs(first):  # NaN has its own alarm
        return None
    return f"the loss has not fallen in {steps[-1].step} steps ({first:.4g}, now {last:.4g})"


def _values(steps: Sequence[Step], name: str) -> list[float]:
    return [value for step in steps if (value := getattr(step, name)) is not None]


def _mean(steps: Sequence[Step], name: str) -> float | None:
    values = _values(steps, name)
    return statistics.fmean(values) if values else None


RULES: Mapping[Kind, Rule] = {
    "not_a_number": not_a_number,
    "no_gradient": no_gradient,
    "leak": leak,
    "displacement": displacement,
    "kl": beyond_kl,
    "length": length_drift,
    "no_progress": no_progress,
}
ADVICE: Mapping[Kind, str] = {
    "not_a_number": "lower align.learning_rate; use bf16 in place of fp16; the last whole checkpoint is kept",
    "no_gradient": "see that some weights are trainable and that the answers are not cut off by align.max_length",
    "leak": "look whether the answers differ in length or form alone, and whether prompts name the better answer",
    "displacement": "lower align.learning_rate or raise align.beta; leave out near-identical pairs; "
    "`wardround train --preflight` ranks them",
    "kl": "raise align.beta, lower align.learning_rate, or train for fewer epochs",
    "length": 'balance the pairs by length, or set loss_type = ["sigmoid_norm"] under align.trainer',
    "no_progress": "raise align.learning_rate; try `wardround train --sanity`",
}
