"""Tests of dashboards/figures/win_rate_words.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from align.human_and_judge import HumanAndJudge
from align.prediction_powered import Rate
from align.rogan_gladen import CorrectedRate
from align.winrate import WinRate
from annotate.bootstrap import Estimate
from dashboards.figures.win_rate_words import assessor_note, headline, invalid_note, surgeons_note, who, who_of_all
from dashboards.findings.win_rates import Judged, Matchup

RATE = WinRate(0.673, 0.629, 0.717, 0.95, 1_088, 1_088, 0, 0.66, 0.69, 0.6, 0.7, 0.01)
MATCHUP = Matchup("m", "o", RATE, {}, None, 1_088, keyed=False)


def test_the_headline_says_it_all() -> None:
    line = headline("Round 1 (dpo)", "SFT", RATE, "metric:reference")
    assert line.text == (
        "Round 1 (dpo) beats SFT on 67% of 1,088 held-out questions, 95% interval 63 to 72, judged by "
        "metric:reference: better."
    )
    assert line.tone == "better"


@pytest.mark.parametrize(
    ("low", "high", "prompts", "end", "tone"),
    [
        (0.2, 0.4, 30, ": worse.", "worse"),
        (0.4, 0.6, 30, "not shown.", "plain"),
        (0.6, 0.9, 9, "fewer than 10 questions.", "plain"),
    ],
)
def test_the_headline_ends_with_what_is_shown(low: float, high: float, prompts: int, end: str, tone: str) -> None:
    line = headline("A", "B", replace(RATE, low=low, high=high, n_prompts=prompts), "judge:x")
    assert line.text.endswith(end)
    assert line.tone == tone


def test_a_worse_model_does_not_sound_better() -> None:
    line = headline("A", "B", replace(RATE, win_rate=0.42, low=0.39, high=0.45), "judge:x")
    assert line.text.startswith("A beats B on only 42% of 1,088 held-out questions, 95% interval 39 to 45,")


def test_rounding_does_not_let_an_interval_reach_what_it_does_not_hold() -> None:
    assert "interval 50.3 to 62.0" in headline("A", "B", replace(RATE, low=0.503, high=0.62), "judge:x").text
    assert "interval 50 to 62" in headline("A", "B", replace(RATE, low=0.497, high=0.62), "judge:x").text


def test_invalid_verdicts_are_told_with_their_bounds() -> None:
    assert invalid_note(RATE) == ""
    note = invalid_note(replace(RATE, n_invalid=3))
    assert note.startswith("3 verdicts are invalid")
    assert note.endswith("between 66% and 69% (the ticks).")
    assert invalid_note(replace(RATE, n_invalid=1)).startswith("1 verdict is invalid")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("metric:reference", "neither an LLM nor a surgeon"),
        ("metric:other", "neither an LLM nor a surgeon"),
        ("judge:gpt", "an LLM judge"),
        ("simulated:1", "neither an LLM nor a surgeon"),
        ("panel", "LLM judges say (judge:a, judge:b)"),
        ("someone", "an assessor"),
    ],
)
def test_assessors_are_called_what_they_are(name: str, kind: str) -> None:
    assert kind in assessor_note(Judged(name, ("judge:a", "judge:b"), (), None))


def test_the_key_is_named_where_it_decided() -> None:
    judged = Judged("judge:x", (), (), None)
    assert who(judged, MATCHUP) == "judge:x"
    assert who(judged, replace(MATCHUP, keyed=True)) == "judge:x and metric:key"
    assert who(replace(judged, assessor="metric:key"), replace(MATCHUP, keyed=True)) == "metric:key"


def test_of_several_models_the_key_is_named_where_it_decided_at_all() -> None:
    judged, keyed = Judged("judge:x", (), (), None), replace(MATCHUP, keyed=True)
    assert who_of_all(judged, [MATCHUP, MATCHUP]) == "judge:x"
    assert who_of_all(judged, [keyed, keyed]) == "judge:x and metric:key"
    assert who_of_all(judged, [MATCHUP, keyed]) == "judge:x, and of some models by metric:key too"


@pytest.mark.parametrize(
    ("ratings", "prompts", "said"),
    [
        (120, 0, "3 surgeons gave 120 ratings: no win rate by surgeons and judge yet, since so it is."),
        (1, 1, "3 surgeons gave 1 rating on 1 question: no win rate by surgeons and judge yet, since so it is."),
    ],
)
def test_questions_are_told_of_where_ratings_on_them_count(ratings: int, prompts: int, said: str) -> None:
    """Of routed items alone there is none."""
    rate = Rate("surgeons and judge", 0.95, prompts, 0.0, refused="so it is")
    nobody, uncorrected = Estimate(None, None, None, 0, 0), CorrectedRate(0.95)
    found = HumanAndJudge(
        "m", "o", "judge:x", rate, rate, nobody, uncorrected, None, None, 9, 3, ratings, {}, {}, 0, 0, 0
    )
    assert surgeons_note(found) == said
