"""One win rate in four ways: raw, at equal length, by surgeons, by surgeons and judge together."""

from __future__ import annotations

from shlex import quote

from align.length_control import LEAST_PROMPTS, LengthControlled
from align.prediction_powered import Rate
from dashboards.figures.interval_chart import Interval
from dashboards.figures.win_rate_choice import Choice
from dashboards.figures.win_rate_words import who
from dashboards.findings.win_rates import Matchup, outcome

TOGETHER, SURGEONS, EQUAL_LENGTH = "surgeons and judge", "surgeons alone", "at equal length"


def rate_kinds(choice: Choice, matchup: Matchup) -> tuple[list[Interval], list[str]]:
    """The rows there are, and why the others are missing."""
    assert matchup.overall is not None
    rows, reasons = [Interval.of(f"{who(choice.judged, matchup)}, raw", matchup.overall)], []
    if matchup.at_equal_length:
        rows.append(_equal_length(matchup.at_equal_length))
    else:
        reasons.append(_no_equal_length(choice, matchup))
    found = choice.with_surgeons(matchup)
    if found is None:
        return rows, [*reasons, _no_surgeons(choice)]
    for name, rate in ((SURGEONS, found.surgeons), (TOGETHER, found.together)):
        row = _by_surgeons(name, rate)
        if row:
            rows.append(row)
        else:
            reasons.append(f"No win rate by {name} yet: {rate.refused}.")
    return rows, reasons


def _equal_length(rate: LengthControlled) -> Interval:
    shown = outcome(rate.low, rate.high, rate.n_prompts)
    return Interval(EQUAL_LENGTH, rate.win_rate, rate.low, rate.high, shown, rate.n_prompts)


def _by_surgeons(name: str, rate: Rate) -> Interval | None:
    if rate.estimate is None or rate.low is None or rate.high is None:
        return None
    return Interval(
        name, rate.estimate, rate.low, rate.high, outcome(rate.low, rate.high, rate.n_prompts), rate.n_prompts
    )


def _no_equal_length(choice: Choice, matchup: Matchup) -> str:
    missing = "The length-controlled win rate is not here:"
    if choice.against != "sft" and matchup.opponent != choice.model.opponents.get("sft"):
        return f"{missing} it is counted against the SFT model alone."
    assert matchup.overall is not None
    if matchup.overall.n_prompts < LEAST_PROMPTS:
        return f"{missing} fewer than {LEAST_PROMPTS} questions carry no regression."
    return f"{missing} with so many contests it takes minutes. wardround evaluate {quote(choice.model.name)} counts it."


def _no_surgeons(choice: Choice) -> str:
    if choice.judged is not choice.findings.judged[0]:
        return f"Surgeons' ratings are put beside those of {choice.findings.judged[0].assessor}."
    return "Surgeons have rated none of these answers yet: wardround review push asks them."
