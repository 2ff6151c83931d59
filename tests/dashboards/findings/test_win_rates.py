"""Tests of dashboards/findings/win_rates.py."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from align.evaluate import counted
from align.leaderboard import leaderboard
from dashboards.counting.sections import WIN_RATES
from dashboards.findings.win_rates import Matchup, WinRates, find_win_rates, outcome
from ledger.config import parse_config
from ledger.records import Candidate
from ledger.store import Ledger
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import Made, answer, compared, fill
from tests.dashboards.rounds_ledger import JUDGE, SETTINGS, fill_rounds

METRIC = "metric:reference"
RESAMPLES = "[evaluate]\nresamples = 500\n"


def opened(ledger: Ledger, settings: str = RESAMPLES) -> Workspace:
    return Workspace(Path(), parse_config(settings), ledger)


def found(ledger: Ledger, settings: str = RESAMPLES) -> WinRates:
    return find_win_rates(opened(ledger, settings))


def only(findings: WinRates, assessor: str = METRIC) -> Matchup:
    (judged,) = (each for each in findings.judged if each.assessor == assessor)
    (matchup,) = judged.matchups
    return matchup


def test_an_empty_ledger_has_no_win_rates(ledger: Ledger) -> None:
    findings = found(ledger)
    assert (findings.questions, findings.held_out, findings.models, findings.judged) == (0, 0, (), ())


def test_known_figures(made: Made, ledger: Ledger) -> None:
    matchup = only(found(ledger))
    rate = matchup.overall
    assert rate is not None
    assert rate.win_rate == pytest.approx(9 / 11)  # eight wins, two halves, a loss; one invalid
    assert (rate.worst, rate.best) == pytest.approx((9 / 12, 10 / 12))
    assert (rate.n_prompts, rate.n_invalid, matchup.n_contests, matchup.keyed) == (11, 1, 12, False)
    assert {by: list(rates) for by, rates in matchup.by.items()} == {
        "mode": ["clinical", "exam"],
        "kind": ["mcq", "open"],
        "topic": ["biliary", "hernia"],
    }


def test_each_figure_is_the_one_that_evaluate_counts(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    expected = counted(opened(ledger), first, sft)
    matchup = only(found(ledger))
    assert matchup.overall == expected.overall
    assert matchup.by == {"mode": expected.by_mode, "kind": expected.by_kind, "topic": expected.by_topic}
    assert matchup.at_equal_length == expected.length_controlled
    assert found(ledger).judged[0].ladder == leaderboard(opened(ledger))


def test_with_several_rounds_all_at_equal_length_come_from_one_fit(ledger: Ledger) -> None:
    sft, *trained = fill_rounds(ledger, questions=30, rated=0).models
    workspace = opened(ledger, SETTINGS + RESAMPLES)
    expected = {each.id: counted(workspace, each, sft).length_controlled for each in trained}
    (judged,) = find_win_rates(workspace).judged
    rates = {each.model: each.at_equal_length for each in judged.matchups if each.opponent == sft.id}
    ours, theirs = rates[trained[-1].id], expected[trained[-1].id]
    assert ours is not None
    assert theirs is not None
    assert asdict(ours) == pytest.approx(asdict(theirs))
    for model, rate in rates.items():
        other = expected[model]
        assert rate is not None
        assert other is not None
        assert rate.n_models == 3
        assert rate.win_rate == pytest.approx(other.win_rate, abs=1e-6)
        assert rate.low == pytest.approx(other.low, abs=0.03)  # other resamples
    against_others = [each for each in judged.matchups if each.opponent != sft.id]
    assert against_others
    assert all(each.at_equal_length is None for each in against_others)


def test_what_cannot_be_afforded_is_not_fitted(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.findings.length_controls.AFFORDABLE", 60 * 3 - 1)
    newest = fill_rounds(ledger, questions=30, rated=0).models[-1]
    (judged,) = found(ledger, SETTINGS + RESAMPLES).judged
    fitted = [each.model for each in judged.matchups if each.at_equal_length]
    assert fitted == [newest.id]
    monkeypatch.setattr("dashboards.findings.length_controls.AFFORDABLE", 30)
    assert not any(each.at_equal_length for each in found(ledger, SETTINGS).judged[0].matchups)


def test_training_questions_do_not_count(made: Made, ledger: Ledger) -> None:
    first = made.models[1]
    (theirs,) = [each for each in ledger.read(Candidate) if each.prompt not in {prompt.id for prompt in made.prompts}]
    ours = Candidate(theirs.prompt, first.id, "ours")
    before = found(ledger)
    ledger.append([ours, compared(theirs, ours, "a", "judge:x"), compared(theirs, ours, "a")])
    assert found(ledger) == before


def test_opponents_are_sft_parent_and_the_last_promoted_model(ledger: Ledger) -> None:
    sft, first, second, third = fill_rounds(ledger, questions=12, rated=0).models
    (judged,) = found(ledger, SETTINGS + RESAMPLES).judged
    assert [(each.model, each.opponent) for each in judged.matchups] == [
        (first.id, sft.id),
        (second.id, sft.id),
        (second.id, first.id),
        (third.id, sft.id),
        (third.id, first.id),
    ]


def test_the_key_counts_along(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[3]  # the metric's verdict on it is invalid
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "a", "metric:key")])
    matchup = only(found(ledger))
    assert matchup.keyed
    assert matchup.overall is not None
    assert matchup.overall.win_rate == pytest.approx(10 / 12)


def test_assessors_come_the_configured_one_first_and_surgeons_not_one_by_one(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[0]
    for name in ("judge:b", "judge:a", "surgeon:7", "metric:key"):
        ledger.append([compared(answer(prompt, first), answer(prompt, sft), "a", name)])
    assert [each.assessor for each in found(ledger).judged] == [METRIC, "judge:a", "judge:b"]
    one = SETTINGS.replace("large", "b")
    assert [each.assessor for each in found(ledger, one).judged] == ["judge:b", "judge:a", METRIC]


def test_of_a_panel_each_judge_is_shown_too(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[0]
    for name, verdict in (("judge:large", "a"), ("judge:small", "b")):
        said = compared(answer(prompt, first), answer(prompt, sft), "a" if verdict == "a" else "b", name)
        ledger.append([said])
    panel = SETTINGS + '[[judge.panel]]\nmodel = "small"\nbase_url = "http://127.0.0.1:9/v1"\n'
    findings = found(ledger, panel)
    assert [each.assessor for each in findings.judged] == ["panel", "judge:large", "judge:small", METRIC]
    assert findings.judged[0].judges == ("judge:large", "judge:small")
    rates = [only(findings, name).overall for name in ("panel", "judge:large", "judge:small")]
    assert [rate.win_rate for rate in rates if rate] == [0.5, 1.0, 0.0]


def test_surgeons_are_put_beside_the_judge(ledger: Ledger) -> None:
    sft, *_, newest = fill_rounds(ledger).models
    (both,) = found(ledger, SETTINGS + RESAMPLES).surgeons
    assert (both.model, both.opponent, both.assessor, both.n_surgeons) == (newest.id, sft.id, JUDGE, 2)
    assert both.together.estimate is not None


def test_where_all_is_invalid_there_is_no_rate_but_a_count(ledger: Ledger) -> None:
    sft, first = (made := fill(ledger, evaluated=False)).models
    prompt = made.prompts[0]
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "invalid")])
    findings = found(ledger)
    matchup = only(findings)
    assert (matchup.overall, matchup.n_contests) == (None, 1)
    assert findings.judged[0].ladder is None


@pytest.mark.parametrize("surgeons", [0, 40])
def test_they_are_kept_as_they_are(ledger: Ledger, surgeons: int) -> None:
    fill_rounds(ledger, rated=surgeons, invalid=0.1)
    findings = found(ledger, SETTINGS + RESAMPLES)
    assert WIN_RATES.form.validate_json(WIN_RATES.form.dump_json(findings)) == findings


@pytest.mark.parametrize(
    ("low", "high", "prompts", "said"),
    [
        (0.51, 0.7, 50, "better"),
        (0.5, 0.7, 50, "not shown"),
        (0.3, 0.5, 50, "not shown"),
        (0.3, 0.49, 50, "worse"),
        (0.51, 0.7, 9, "too few"),
    ],
)
def test_outcome(low: float, high: float, prompts: int, said: str) -> None:
    assert outcome(low, high, prompts) == said
