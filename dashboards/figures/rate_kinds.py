"""One win rate in four ways: raw, at equal length, by surgeons, by surgeons and judge together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from align.human_and_judge import HumanAndJudge
from align.length_control import LEAST_PROMPTS, RESAMPLES, LengthControlled
from align.prediction_powered import Rate
from dashboards.figures.interval_chart import Interval
from dashboards.figures.win_rate_choice import Choice
from dashboards.figures.win_rate_words import who
from dashboards.findings.win_rates import Matchup, outcome

TOGETHER, SURGEONS, EQUAL_LENGTH = "surgeons and judge", "surgeons alone", "at equal length"
JACKKNIFE = "jackknife over questions, with Student's t"
WAYS = {
    EQUAL_LENGTH: (
        "a logistic model of the verdicts predicts them for answers as long as the opponent's (Dubois et al., 2024); "
        f"bootstrap over questions, {RESAMPLES:,} resamples, the model fitted anew to each"
    ),
    SURGEONS: f"their ratings, weighed by the chance of being asked; {JACKKNIFE}",
    TOGETHER: f"prediction-powered inference (PPI++, Angelopoulos et al., 2023); {JACKKNIFE}",
}
NOT_RATED = "Surgeons have rated none of these answers yet: wardround review push asks them."


def rate_kinds(choice: Choice, matchup: Matchup) -> tuple[list[Interval], list[str]]:
    """The rows there are, and why the others are missing."""
    assert matchup.overall is not None
    rows, reasons = [Interval.of(f"{who(choice.judged, matchup)}, raw", matchup.overall)], []
    if matchup.at_equal_length:
        rows.append(_equal_length(matchup.at_equal_length))
    else:
        reasons.append(_no_equal_length(choice, matchup))
    found = choice.rated_by_surgeons(matchup)
    if found is None:
        return rows, [*reasons, NOT_RATED]
    kinds = {SURGEONS: found.surgeons}
    if found.assessor == choice.judged.assessor:
        kinds[TOGETHER] = found.together
    else:
        reasons.append(_beside(found))
    for name, rate in kinds.items():
        row = _by_surgeons(name, rate)
        if row:
            rows.append(row)
        else:
            reasons.append(f"No win rate by {name} yet: {rate.refused}.")
    return rows, reasons


def ways(rows: Sequence[Interval]) -> Iterator[str]:
    """How the rows other than the raw one were counted, and their intervals."""
    for row in rows:
        if row.name in WAYS:
            yield f"{row.name[:1].upper()}{row.name[1:]}: {WAYS[row.name]}."


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


def _beside(found: HumanAndJudge) -> str:
    """Beside whom surgeons are put, where that is not who is shown."""
    said = f"Surgeons' ratings are put beside the verdicts of {found.assessor}, the configured assessor"
    if found.unjudged < found.n_contests:
        return f"{said}."
    return f"{said}, which has no valid verdict on these answers yet: wardround evaluate asks for them."
