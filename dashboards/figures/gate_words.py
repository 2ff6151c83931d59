"""The gate's verdicts in plain words, for people who are no statisticians."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from align.gate.checks import WIN_RATE, Check
from align.gate.needs import Need
from align.probes.areas import ACCURACY, FORGOTTEN, HARMS, OVER_REFUSALS, UNREADABLE
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Line, Tone
from dashboards.figures.shifts import LENGTH, of_check, share
from dashboards.findings.gate_verdicts import Gated

# What it is to become worse.
LOSSES: Mapping[str, str] = {
    ACCURACY: "exam accuracy fell",
    HARMS: "harmful answers rose",
    OVER_REFUSALS: "refusals of harmless requests rose",
    FORGOTTEN: "general abilities fell",
    UNREADABLE: "unreadable answers rose",
    LENGTH: "answers grew longer",
    WIN_RATE: "the win rate fell below half",
}
OUTCOMES: Mapping[str, str] = {"promote": "promoted", "hold": "held", "reject": "rejected"}
TONES: Mapping[str, Tone] = {"promote": "better", "hold": "warning", "reject": "worse"}


def headline(decision: Gated, confidence: str) -> Line:
    """What was decided, and the reason that weighs most."""
    said = list(why(decision, confidence))
    more = f"; {n_of(len(said) - 1, 'more reason')} below" if len(said) > 1 else ""
    because = f"{said[0]}{more}" if said else decision.reasons[0]
    ruled = OUTCOMES.get(decision.outcome, "promoted" if decision.promoted else "not promoted")
    tone = TONES.get(decision.outcome, "plain")
    if decision.forced:
        done = "promoted" if decision.promoted else "not promoted, or no longer,"
        text = f"{decision.label} is {done} by force (“{decision.forced}”); by the rules it is {ruled}: {because}."
        return Line(text, "warning")
    return Line(f"{decision.label} is {ruled}: {because}.", tone)


def why(decision: Gated, confidence: str) -> Iterator[str]:
    """The reasons as clauses, what weighs most first."""
    checks = decision.checks
    worse = [check for check in checks if check.status == "worse"]
    if decision.outcome == "promote":
        yield _wins(decision, confidence)
    yield from (_worse(check, confidence) for check in worse)
    for axis, some in _by_axis([check for check in checks if check.status == "not shown"]).items():
        yield _unsettled(axis, some, confidence)
    yield from (f"{check.name} was not measured" for check in checks if check.status == "missing")
    yield from (f"{check.name}: {check.said}" for check in checks if check.status == "failed")


def _by_axis(checks: Sequence[Check]) -> dict[str, list[Check]]:
    """Checks of one figure in several modes together; the win rate itself is apart from that of a mode."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        axis = check.name.partition(", ")[0]
        found.setdefault(f"{axis} by mode" if axis == WIN_RATE and check.name != axis else axis, []).append(check)
    return found


def _wins(decision: Gated, confidence: str) -> str:
    guarded = [check for check in decision.checks if check.p is not None]
    held = f", and none of the {len(guarded)} guarded figures got worse by its margin" if guarded else ""
    found = decision.superiority
    by = f", {found.said}" if found.said else ""
    rate = f"{confidence} interval {_ends(found)}{by}"
    return f"it wins on {share(found.after or 0)} of {found.n_prompts:,} held-out questions, {rate}{held}"


def _worse(check: Check, confidence: str) -> str:
    if check.unit == "share" and check.after is not None:
        interval = f"{confidence} interval {_ends(check)}"
        return f"{check.name} is {share(check.after)} of {check.n_prompts:,} questions, {interval}: it loses"
    shift = of_check(check)
    if shift is None:
        return f"{check.name} got worse"
    unit = "% longer" if check.unit == "words" else " points worse"
    ends = f"{-100 * shift.high:+.0f} to {-100 * shift.low:+.0f}{unit}"
    return f"{check.name} went {shift.levels} on {check.n_prompts:,} questions, {confidence} interval {ends}"


def _unsettled(axis: str, checks: Sequence[Check], confidence: str) -> str:
    n = sum(check.n_prompts for check in checks)
    check = checks[0]
    if check.name == WIN_RATE:
        return _no_win(check, confidence)
    loss = LOSSES.get(axis.removesuffix(" by mode"), f"{axis} became worse")
    unit = "%" if check.unit == "words" else " points"
    return f"{n_of(n, 'question')} cannot show that {loss} by less than {100 * (check.margin or 0):.0f}{unit}"


def _no_win(check: Check, confidence: str) -> str:
    """Why the win rate does not suffice: its interval, or else the number of its questions."""
    bar = check.margin or 0.5
    figures = f"{share(check.after or 0)}, {confidence} interval {_ends(check)}"
    if (check.low or 0) > bar:
        return f"{check.n_prompts:,} held-out questions are too few to go by ({figures})"
    return f"{check.n_prompts:,} held-out questions cannot show that it wins more than {bar:.0%} ({figures})"


def _ends(check: Check) -> str:
    return f"{100 * (check.low or 0):.0f} to {100 * (check.high or 0):.0f}"


def settled_by(need: Need) -> str:
    """How much would settle it."""
    if need.prompts is None:
        return "more questions would not show it, unless chance has misled here"
    minutes = f", and {need.minutes:,} more minutes of surgeons" if need.minutes is not None else ""
    return f"about {need.prompts:,} questions{minutes}"
