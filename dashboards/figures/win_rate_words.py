"""What is said of win rates, in plain sentences. Whoever shows them escapes them: names come from users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from align.human_and_judge import HumanAndJudge
from align.winrate import WinRate
from annotate.assessor_kinds import JUDGE, METRIC, SIMULATED
from annotate.assessors import PANEL
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Line, Tone
from dashboards.findings.win_rates import FEW, Judged, Matchup, Outcome, outcome

CONCLUSIONS: Mapping[Outcome, str] = {
    "better": "better",
    "worse": "worse",
    "not shown": "a difference is not shown",
    "too few": f"not shown, with fewer than {FEW} questions",
}
TONES: Mapping[Outcome, Tone] = {"better": "better", "worse": "worse", "not shown": "plain", "too few": "plain"}
ASSESSORS = {
    "metric:reference": "computed from the reference answer and a rubric; neither an LLM nor a surgeon",
    "metric:key": "the answer key of multiple-choice questions",
    METRIC: "a computed metric; neither an LLM nor a surgeon",
    JUDGE: "an LLM judge",
    SIMULATED: "a simulated assessor; neither an LLM nor a surgeon",
}
METHOD = (
    "A win rate is the mean over questions of each question's share of wins; a tie and “both bad” count a half, so 50% "
    "is no difference."
)
LEGEND = f"▶ better, ● not shown, ◀ worse, ◆ fewer than {FEW} questions, too few to say. Bar: the interval."


def headline(model: str, opponent: str, rate: WinRate, who: str) -> Line:
    """One sentence on a win rate."""
    shown = outcome(rate.low, rate.high, rate.n_prompts)
    questions = f"{rate.n_prompts:,} held-out questions"
    said = _beats(model, opponent, rate.win_rate, shown)
    interval = _interval(rate.low, rate.high, rate.confidence, shown)
    return Line(f"{said} of {questions}, {interval}, judged by {who}: {CONCLUSIONS[shown]}.", TONES[shown])


def human_headline(model: str, opponent: str, found: HumanAndJudge) -> Line | None:
    """The same by surgeons and judge together; None where the ratings do not carry it."""
    rate = found.together
    if rate.estimate is None or rate.low is None or rate.high is None:
        return None
    shown = outcome(rate.low, rate.high, rate.n_prompts)
    said = _beats(model, opponent, rate.estimate, shown)
    interval = _interval(rate.low, rate.high, rate.confidence, shown)
    who = f"{surgeons(found)} and {found.assessor}"
    return Line(f"{said} of held-out questions, {interval}, judged by {who}: {CONCLUSIONS[shown]}.", TONES[shown])


def surgeons(found: HumanAndJudge) -> str:
    """How many there are; never who."""
    return "a surgeon" if found.n_surgeons == 1 else f"{found.n_surgeons} surgeons"


def surgeons_note(found: HumanAndJudge) -> str:
    """How much surgeons have rated, and why that does not carry a win rate yet, where it does not."""
    refused, questions = found.together.refused, found.together.n_prompts
    on = f" on {n_of(questions, 'question')}" if questions else ""
    rated = f"{surgeons(found)} gave {n_of(found.n_ratings, 'rating')}{on}"
    begun = rated[0].upper() + rated[1:]
    return f"{begun}: no win rate by surgeons and judge yet, since {refused}." if refused else f"{begun}."


def invalid_note(rate: WinRate) -> str:
    """What the invalid verdicts could change; empty where there are none."""
    if not rate.n_invalid:
        return ""
    bounds = f"between {rate.worst:.0%} and {rate.best:.0%}"
    verdicts = n_of(rate.n_invalid, "verdict is", "verdicts are")
    return f"{verdicts} invalid and left out; counted against or for the model, the win rate lies {bounds} (the ticks)."


def assessor_note(judged: Judged) -> str:
    """What kind of assessor this is: a metric is never called an LLM or a surgeon."""
    if judged.assessor == PANEL:
        return f"panel: what most of the LLM judges say ({', '.join(judged.judges)})."
    kind = ASSESSORS.get(judged.assessor) or ASSESSORS.get(judged.assessor.split(":", maxsplit=1)[0] + ":")
    return f"{judged.assessor}: {kind or 'an assessor'}."


def who(judged: Judged, matchup: Matchup) -> str:
    """Whose verdicts a win rate counts."""
    named = judged.assessor
    return f"{named} and {KEY_ASSESSOR}" if matchup.keyed and named != KEY_ASSESSOR else named


def who_of_all(judged: Judged, matchups: Sequence[Matchup]) -> str:
    """The same of several."""
    named = {who(judged, each) for each in matchups}
    return named.pop() if len(named) == 1 else f"{judged.assessor}, and of some models by {KEY_ASSESSOR} too"


def _beats(model: str, opponent: str, rate: float, shown: Outcome) -> str:
    return f"{model} beats {opponent} on {'only ' if shown == 'worse' else ''}{rate:.0%}"


def _interval(low: float, high: float, confidence: float, shown: Outcome) -> str:
    """In whole percents; with a decimal where rounding would let it reach the 50 that it does not hold."""
    apart = shown in ("better", "worse") and 50 in (round(low * 100), round(high * 100))
    digits = 1 if apart else 0
    return f"{confidence:.0%} interval {low * 100:.{digits}f} to {high * 100:.{digits}f}"
