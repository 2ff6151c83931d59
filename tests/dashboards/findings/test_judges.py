"""Tests of dashboards/findings/judges.py and of what it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from annotate.examining import judge_passports
from dashboards.findings import judge_periods, judges
from dashboards.findings.judge_sample import scanned
from dashboards.findings.judges import Judges, find_judges
from dashboards.findings.periods import start_of, unit_of
from ledger.records import LogEntry, Probe
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import (
    JUDGE,
    Contest,
    contests,
    judged,
    on_day,
    pointed,
    rated,
    rubric_of,
    sent,
    verdict_of,
)


def filled(ward: Workspace, number: int = 40) -> None:
    """Contests over two days, judged, and rated by two surgeons on the second."""
    rubric = rubric_of(ward)
    made = contests(ward.ledger, range(number))
    with on_day(0):
        judged(ward.ledger, made[: number // 2], rubric)
    with on_day(1):
        judged(ward.ledger, made[number // 2 :], rubric)
        items = sent(ward.ledger, made)
        for surgeon in "12":
            rated(ward.ledger, items, surgeon)


def probed(ward: Workspace, numbers: range) -> list[Contest]:
    """Contests on questions that are safety probes."""
    made = contests(ward.ledger, numbers)
    ward.ledger.append(Probe(each.prompt.id, "safety", "safety") for each in made)
    return made


def log_length(ward: Workspace) -> int:
    return ward.ledger.count(LogEntry)


def test_nobody_has_judged(ward: Workspace) -> None:
    found = find_judges(ward)
    assert (found.judges, found.waiting, found.sent, found.rated) == ((), (JUDGE,), 0, 0)


def test_known_figures(ward: Workspace) -> None:
    """Of ten contests one flips, one fails in one order, and one is wrong in both."""
    filled(ward)
    before = log_length(ward)
    (found,) = find_judges(ward).judges
    said = found.passport
    assert (found.name, found.configured, found.present, found.metric) == (JUDGE, True, True, False)
    assert (found.n_comparisons, found.n_prompts, found.n_sampled) == (80, 40, 40)
    assert said.order.consistency.estimate == pytest.approx(32 / 36)
    assert said.order.bias.estimate == pytest.approx(40 / 72 - 0.5)
    assert said.invalid.estimate == pytest.approx(4 / 80)
    assert said.surgeons.raw.estimate == pytest.approx(32 / 40)
    assert said.surgeons.raw.n_items == 40
    assert found.unclear.estimate == pytest.approx(4 / 40)
    assert list(said.invalid_by_cause) == ["timeout"]
    assert sum(each.n_items for each in said.calibration.bins) == 40
    assert all(each.accuracy_low is None or each.accuracy_low <= each.accuracy for each in said.calibration.bins)
    assert found.fit
    assert log_length(ward) == before


def test_the_passport_is_that_of_the_command(ward: Workspace) -> None:
    filled(ward)
    (found,) = find_judges(ward).judges
    (expected,) = judge_passports(ward).reports
    for name in ("order", "length", "own", "retest", "invalid", "invalid_by_cause", "surgeons", "calibration"):
        assert getattr(found.passport, name) == getattr(expected, name)
    assert found.passport.surgeons_by_mode == expected.surgeons_by_mode


def test_periods_are_days_and_never_of_two_rubrics(ward: Workspace) -> None:
    filled(ward)
    with on_day(1):
        judged(ward.ledger, contests(ward.ledger, range(50, 60)), "surgical@before")
    (found,) = find_judges(ward).judges
    rubric = rubric_of(ward)
    assert found.rubrics == (rubric,)
    shown = [(each.start, each.rubric, each.n_contests) for each in found.periods]
    assert shown == [
        ("2024-10-04", rubric, 20),
        *sorted([("2024-10-05", rubric, 20), ("2024-10-05", "surgical@before", 10)], key=lambda each: each[1]),
    ]
    for each in found.periods:
        assert each.flips.estimate == pytest.approx(1 / 9)
        assert each.invalid.estimate == pytest.approx(1 / 20)
    assert [each.surgeons.raw.n_items for each in found.periods if each.rubric == rubric] == [20, 20]


def test_a_contest_belongs_to_the_day_of_its_first_verdict(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    with on_day(0):
        (failed,) = [each for each in judged(ward.ledger, made, rubric_of(ward)) if each.verdict == "invalid"]
    with on_day(3):
        ward.ledger.append([replace(failed, verdict="a", strength=0.8, cause="", call="again")])
    (found,) = find_judges(ward).judges
    assert [(each.start, each.n_contests, each.invalid.estimate) for each in found.periods] == [("2024-10-04", 10, 0)]
    assert [each.judgments for each in found.spent] == [20, 1]


def test_by_an_old_rubric_alone(ward: Workspace) -> None:
    judged(ward.ledger, contests(ward.ledger, range(10)), "surgical@old")
    (found,) = find_judges(ward).judges
    assert (found.configured, found.present, found.rubrics, found.fit) == (True, False, ("surgical@old",), None)


def test_others_come_after_the_configured_ones(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    for name in ("metric:a", "judge:a", JUDGE, "metric:key"):
        judged(ward.ledger, made, rubric_of(ward), name)
    assert [each.name for each in find_judges(ward).judges] == [JUDGE, "judge:a", "metric:a"]


def test_what_was_settled_without_a_call_is_no_verdict_of_the_judge(ward: Workspace) -> None:
    filled(ward)
    made = contests(ward.ledger, range(100, 105))
    settled = (verdict_of(each, "ab", rubric_of(ward)) for each in made)
    ward.ledger.append(replace(each, call=None, seconds=0.0) for each in settled)
    assert find_judges(ward).judges[0].n_comparisons == 80


def test_contests_on_safety_probes_are_left_out(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    with on_day(0):
        judged(ward.ledger, made, "surgical@old")
    with on_day(1):
        probes = probed(ward, range(50, 60))
        pointed(ward.ledger, probes, "safety@now")
        pointed(ward.ledger, probes, "safety-rules@now", "metric:safety")
        pointed(ward.ledger, probes, "safety@now", "judge:of safety alone")
        for each in sent(ward.ledger, [*made, *probes]):
            rated(ward.ledger, [each], "1")
    (found,) = find_judges(ward).judges
    assert (found.name, found.rubrics, found.n_comparisons, found.n_prompts) == (JUDGE, ("surgical@old",), 20, 10)
    assert [(each.rubric, each.n_contests) for each in found.periods] == [("surgical@old", 10)]
    assert found.passport.surgeons.raw.n_items == 10


def test_criteria_may_be_named_safety_where_they_are_for_all_answers(ward: Workspace) -> None:
    pointed(ward.ledger, contests(ward.ledger, range(10)), "safety@own")
    pointed(ward.ledger, probed(ward, range(50, 60)), "safety@own")
    (found,) = find_judges(ward).judges
    assert (found.rubrics, found.n_comparisons, found.n_prompts) == (("safety@own",), 10, 10)


def test_what_is_superseded_is_left_out(ward: Workspace) -> None:
    made = pointed(ward.ledger, contests(ward.ledger, range(10)), "surgical@points")
    ward.ledger.append(replace(each, verdict="invalid", cause="cut", supersedes=each.id) for each in made[:4])
    (found,) = find_judges(ward).judges
    assert (found.n_comparisons, found.passport.n_contests) == (10, 10)
    assert found.passport.invalid.estimate == pytest.approx(4 / 10)
    assert [each.invalid.estimate for each in found.periods] == pytest.approx([4 / 10])


def test_many_prompts_are_sampled_and_surgeons_heard_whole(ward: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(ward, 80)
    whole = find_judges(ward).judges[0]
    monkeypatch.setattr(judges, "PROMPTS", 30)
    monkeypatch.setattr(judge_periods, "PROMPTS_A_PERIOD", 15)
    some = find_judges(ward).judges[0]
    assert (some.n_prompts, some.n_sampled, some.passport.n_prompts, some.passport.n_contests) == (80, 30, 30, 30)
    assert (some.passport.surgeons, some.passport.calibration) == (whole.passport.surgeons, whole.passport.calibration)
    assert some.passport.length.gap == whole.passport.length.gap
    assert some.passport.surgeons_by_mode == whole.passport.surgeons_by_mode
    assert [(each.n_prompts, each.n_sampled, each.n_contests) for each in some.periods] == [(40, 15, 15)] * 2
    assert [each.surgeons for each in some.periods] == [each.surgeons for each in whole.periods]


def test_a_sample_is_fixed_by_the_ids(ward: Workspace) -> None:
    filled(ward)
    scan = scanned(ward.ledger)
    some = scan.sampled(range(40), 10)
    filled(ward, 44)
    more = scanned(ward.ledger)
    assert len(set(some) & set(more.sampled(range(44), 14))) >= 10 - 4
    assert set(some) == set(more.sampled([more.prompts[each] for each in scan.prompts], 10))


def test_spending_by_day(ward: Workspace) -> None:
    filled(ward)
    (found,) = find_judges(ward).judges
    assert [each.judgments for each in found.spent] == [40, 40]
    for each in found.spent:
        assert (each.tokens, each.requests, each.tokens_in, each.tokens_out) == (4000, 40, 3600, 400)
        assert each.cost == pytest.approx(0.04)
        assert each.requests_cost == pytest.approx(0.04)


def test_verdicts_and_points_are_both_billed(ward: Workspace) -> None:
    with on_day(0):
        judged(ward.ledger, contests(ward.ledger, range(10)), rubric_of(ward))
        pointed(ward.ledger, probed(ward, range(50, 54)), "safety@now")
    with on_day(1):
        pointed(ward.ledger, probed(ward, range(60, 61)), "safety@now")
    (found,) = find_judges(ward).judges
    assert [(each.judgments, each.tokens) for each in found.spent] == [(20 + 8, 2000 + 560), (2, 140)]
    assert [each.cost for each in found.spent] == pytest.approx([0.02 + 0.016, 0.004])


def test_points_are_billed_and_not_what_is_made_of_them(ward: Workspace) -> None:
    with on_day(0):
        pointed(ward.ledger, contests(ward.ledger, range(10)), "surgical@points")
    (found,) = find_judges(ward).judges
    assert found.n_comparisons == 10
    assert [(each.judgments, each.tokens) for each in found.spent] == [(20, 1400)]
    assert found.spent[0].cost == pytest.approx(0.04)


def test_retests_and_attacks_come_from_the_log(ward: Workspace) -> None:
    rubric = rubric_of(ward)
    said = [each for each in judged(ward.ledger, contests(ward.ledger, range(10)), rubric) if each.verdict != "invalid"]
    for other in (0, 4):
        again = [(each.id, "tie" if place < other else each.verdict) for place, each in enumerate(said[:8])]
        with ward.stage("retest", assessor=JUDGE) as outcome:
            outcome.update(judge=JUDGE, verdicts=again, same=0, invalid=0)
    kind = {"rate": 0.25, "low": 0.1, "high": 0.5, "valid": 20, "invalid": 1}
    with ward.stage("attack", assessor=JUDGE) as outcome:
        outcome.update(judge=JUDGE, kinds={"empty": kind}, total=kind, rubrics=[rubric])
    (found,) = find_judges(ward).judges
    assert [each.same.estimate for each in found.retests] == [1.0, 0.5]
    assert found.passport.retest.estimate == 0.5  # the newest
    assert found.attacked is not None
    assert [(each.kind, each.rate) for each in found.attacked.kinds] == [("empty", 0.25), ("all", 0.25)]
    assert found.attacked.present


def test_json_and_back(ward: Workspace) -> None:
    filled(ward)
    found, form = find_judges(ward), TypeAdapter(Judges)
    written = form.dump_json(found)
    assert form.validate_json(written) == found
    assert b"surgeon:" not in written
    assert b"NaN" not in written


@pytest.mark.parametrize(
    ("days", "unit"),
    [(range(12), "day"), (range(13), "week"), (range(0, 200, 3), "month"), (range(0, 3000, 20), "year"), ((), "day")],
)
def test_units_leave_few_periods(days: range, unit: str) -> None:
    assert unit_of(list(days)) == unit


def test_starts() -> None:
    assert [start_of(20_000, unit) for unit in ("day", "week", "month", "year")] == [  # a Friday
        "2024-10-04",
        "2024-09-30",
        "2024-10-01",
        "2024-01-01",
    ]
    assert start_of(-4 + 7, "week") == "1969-12-29"
