"""May a new model take its policy's place? From evidence to a decision, with its reasons.

- Promoted: it wins more often than the bar, with the whole interval; every guard is shown to be within its margin; no
  condition has failed; and nothing watched is shown to be worse by as much as matters.
- Rejected: it is shown to win less often than one half; or something is shown to be worse, and is so, as measured, by
  its margin or more; for what is only watched, by as much as matters.
- Else held: with what is missing, and how much would settle it.

Tests are one-sided, at (1 - confidence) / 2, and adjusted after Holm (1979): those of the margins over all guards,
those of being worse over all that is guarded or watched. Since promotion needs every guard, a model that is worse by a
margin or more is promoted no more often than the level even without it (intersection-union test: Berger, 1982).
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from align.gate import reasons
from align.gate.checks import FIGURE, INTERVAL, NAME, Check, Measured, condition_check, measured, superiority_check
from align.gate.evidence import Evidence
from align.gate.needs import Need, guard_needs, superiority_need
from align.gate.noninferiority import holm

Outcome = Literal["promote", "hold", "reject"]
Adjust = Callable[[Sequence[float]], list[float]]
WIDTH = 100
EXAMPLES_SHOWN = 5
HEADER = f"{'':{NAME}}{'before -> after':{FIGURE}} {'change':{INTERVAL}} limit"


@dataclass(frozen=True)
class Verdict:
    """A decision.

    Attributes:
        outcome: "promote", "hold" or "reject"
        reasons: sentences, what weighs most first
        checks: all that was looked at: the win rate, then the rest in the order of the evidence
        examples: ids of the prompts that have become worse by most, by name of the axis
        needed: what would settle what is not shown
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needed: tuple[Need, ...] = ()

    def text(self) -> str:
        """For a terminal, of at most `WIDTH` columns."""
        lines = [self.outcome.upper()]
        for reason in self.reasons:
            lines += _wrapped(reason, "- ")
        lines += ["", HEADER]
        quiet = [check for check in self.checks if check.watched and check.status in {"ok", "not asked"}]
        for check in self.checks:
            if check.unit == "condition":
                lines += _wrapped(check.line(), "")
            elif check not in quiet:
                lines.append(check.line())
        if quiet:
            lines.append(f"{len(quiet)} further figures are watched; none is shown to be worse")
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            "checks": [check.facts() for check in self.checks],
            "examples": {name: list(prompts) for name, prompts in self.examples.items()},
            "needed": [asdict(need) for need in self.needed],
        }


def _wrapped(text: str, bullet: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=bullet, subsequent_indent="  ", break_on_hyphens=False)


def decide(evidence: Evidence, *, adjust: Adjust = holm) -> Verdict:
    """The decision on this evidence; `adjust` is how the P-values of the margins are adjusted for being several.

    Raises:
        ValueError: two tests or conditions have the same name, or more is better on an axis before and less after.
    """
    return concluded(evidence, measurements(evidence), adjust=adjust)


def measurements(evidence: Evidence) -> list[Measured]:
    """The figures of all guards and watched axes, in their order.

    Raises:
        ValueError: see `decide`.
    """
    _names_differ(evidence)
    return [measured(test, evidence) for test in (*evidence.guards, *evidence.watched)]


def concluded(evidence: Evidence, figures: Sequence[Measured], *, adjust: Adjust = holm) -> Verdict:
    """The decision where the figures of the evidence are known."""
    found = _judged(figures, evidence, adjust)
    against, held, needed = _reasons(found, evidence)
    win_rate = superiority_check(evidence.superiority)
    if win_rate.status == "worse" and evidence.superiority is not None:
        against.insert(0, reasons.loses(evidence.superiority))
    outcome: Outcome = "reject" if against else "hold" if held else "promote"
    said = (*against, *held)
    if not said and evidence.superiority is not None:
        said = tuple(reasons.promoted(evidence.superiority, [each for each in found if each.check.p is not None]))
    checks = (win_rate, *(each.check for each in found), *map(condition_check, evidence.conditions))
    examples = {check.name: check.examples for check in checks if check.examples}
    return Verdict(outcome, said, checks, examples, tuple(needed))


def _names_differ(evidence: Evidence) -> None:
    tests = (*evidence.guards, *evidence.watched, *evidence.conditions)
    often = [name for name, times in Counter(each.name for each in tests).items() if times > 1]
    if often:
        raise ValueError(f"the gate is asked twice about {often[0]}")


def _judged(found: Sequence[Measured], evidence: Evidence, adjust: Adjust) -> list[Measured]:
    """The same with P-values, adjusted, and what they show."""
    guards = [each.standing for each in found if each.standing is not None and each.margin is not None]
    every = [each.standing for each in found if each.standing is not None]
    within = iter(adjust([standing.p_within for standing in guards]))
    worse = iter(holm([standing.p_worse for standing in every]))
    judged = []
    for each in found:
        if each.standing is None:
            judged.append(each)
            continue
        p, p_worse = (None if each.margin is None else next(within)), next(worse)
        check = replace(each.check, p=p, p_worse=p_worse)
        judged.append(replace(each, check=_with_status(each, check, evidence.alpha)))
    return judged


def _with_status(found: Measured, check: Check, alpha: float) -> Check:
    shown_worse = check.p_worse is not None and check.p_worse <= alpha
    if shown_worse and found.beyond:
        return replace(check, status="worse")
    return replace(check, status="ok" if check.p is None or check.p <= alpha else "not shown")


def _reasons(found: Sequence[Measured], evidence: Evidence) -> tuple[list[str], list[str], list[Need]]:
    """Those to reject, those to hold, and what is needed."""
    held, needed = _about_win_rate(evidence)
    unsettled = [each for each in found if each.check.status == "not shown"]
    needs = {need.name: need for need in guard_needs(unsettled, evidence)}
    against: list[str] = []
    for each in found:
        status = each.check.status
        if status == "worse":
            against.append(reasons.worse(each))
        elif status == "not shown":
            held.append(reasons.not_within(each, needs[each.test.name]))
        elif status == "missing":
            held.append(reasons.missing(each.test.name, each.advice))
    held += [reasons.failed(condition) for condition in evidence.conditions if condition.passed is False]
    return against, held, [*needed, *needs.values()]


def _about_win_rate(evidence: Evidence) -> tuple[list[str], list[Need]]:
    """Why the win rate does not allow promotion, where it is not shown to lie below one half, and what is needed."""
    found = evidence.superiority
    if found is None:
        return [reasons.missing("win rate", evidence.superiority_advice)], []
    if superiority_check(found).status != "not shown":
        return [], []
    need = superiority_need(found, evidence)
    said = reasons.too_few(found) if found.n_prompts < found.least_prompts else reasons.not_above(found, need)
    return [said], [need]
