"""Why a model is promoted, held or rejected: plain sentences with their figures."""

from __future__ import annotations

from collections.abc import Sequence

from align.gate.checks import Check, Measured
from align.gate.evidence import Condition, Superiority
from align.gate.needs import Need


def wins(found: Superiority) -> str:
    """The win rate as a clause."""
    interval = f"[{found.low:.1%}, {found.high:.1%}]"
    return f"wins {found.rate:.1%} {interval} on {found.n_prompts} held-out prompts, by {found.by}"


def missing(name: str, advice: str) -> str:
    """Nothing has been measured."""
    return f"{name}: nothing measured" + (f" -> {advice}" if advice else "")


def too_few(found: Superiority) -> str:
    """Held-out prompts."""
    return f"{wins(found)}, where at least {found.least_prompts} prompts are needed"


def not_above(found: Superiority, need: Need) -> str:
    """The win rate is not shown to be above its bar."""
    return f"{wins(found)}: not shown to be above {found.bar:.1%}; {need.text()}"


def loses(found: Superiority) -> str:
    """The win rate is shown to be below one half."""
    return f"{wins(found)}: it loses more often than it wins"


def worse(found: Measured) -> str:
    """A guarded or a watched axis is shown to be worse."""
    limit = "which matters" if found.margin is None else f"beyond its margin of {_margin(found.check)}"
    return f"{figures(found.check)}: shown to be worse, {limit} (p {found.check.p_worse:.2g})"


def not_within(found: Measured, need: Need) -> str:
    """A guard is not shown to be within its margin."""
    return f"{figures(found.check)}: not shown to be within its margin of {_margin(found.check)}; {need.text()}"


def failed(condition: Condition) -> str:
    """A condition is not as it should be."""
    return f"{condition.name}: {condition.said}" + (f" -> {condition.advice}" if condition.advice else "")


def promoted(found: Superiority, guards: Sequence[Measured]) -> list[str]:
    """All is as it should be."""
    reasons = [f"{wins(found)}: above {found.bar:.1%}"]
    names = ", ".join(f"{each.test.name} ({_margin(each.check)})" for each in guards)
    return [*reasons, f"shown to be within the margin: {names}"] if names else reasons


def figures(check: Check) -> str:
    """The figures of a check as a clause."""
    return f"{check.name} {check.figure}, {check.interval} on {check.n_prompts} prompts"


def _margin(check: Check) -> str:
    margin = f"{100 * (check.margin or 0):.1f}"
    return f"{margin}%" if check.unit == "words" else f"{margin} points"
