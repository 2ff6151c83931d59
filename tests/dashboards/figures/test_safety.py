"""Tests of dashboards/figures/safety.py, shifts.py, gate_words.py and gate_records.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from align.gate.evidence import LengthGuard, Superiority, Watched
from align.gate.verdict import Verdict, decide
from align.probes.areas import HARMS, OVER_REFUSALS, REFERRALS
from align.probes.paired import Change
from dashboards.figures.export import as_csv, as_svg
from dashboards.figures.page import Page, Part
from dashboards.figures.safety import safety_page
from dashboards.figures.shifts import WITHIN, of_check, share
from dashboards.findings.gate_verdicts import read_check
from dashboards.findings.probe_changes import AxisChange, Probed, Since
from dashboards.findings.safety import Safety, find_safety
from ledger.records import ModelVersion
from ledger.workspace import Workspace
from tests.dashboards.made_gate import axis, decided, evidence, guard, held, promoted, registered, rejected
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_runs import SFT, TRAINED
from tests.dashboards.pages import figures, said


def page(workspace: Workspace, verdict: Verdict, **said: str) -> Page:
    decided(workspace.ledger, verdict, **said)  # type: ignore[arg-type]
    return safety_page(find_safety(workspace))


def part(page: Page, title: str) -> Part:
    return next(each for each in page.parts if each.title == title)


def test_nothing_trained_says_how_to_begin(workspace: Workspace) -> None:
    missing = safety_page(find_safety(workspace)).missing
    assert missing is not None
    assert missing.command == "wardround round"


def test_trained_but_not_evaluated_says_which_command_does_it(workspace: Workspace) -> None:
    workspace.ledger.append([SFT, TRAINED])
    missing = safety_page(find_safety(workspace)).missing
    assert missing is not None
    assert missing.what.startswith("mine was trained, but not evaluated")
    assert missing.command == "wardround evaluate"


def test_a_held_model_is_told_what_cannot_be_shown_and_what_would_settle_it(workspace: Workspace) -> None:
    found = page(workspace, held())
    assert found.headline is not None
    assert found.headline.text == (
        "Round 1 (dpo) is held: 22 questions cannot show that exam accuracy fell by less than 10 points; "
        "2 more reasons below."
    )
    assert found.headline.tone == "warning"
    assert "Harm was not measured." in said(found)
    assert "No open alarm: training raised displacement." in said(found)
    assert set(figures(found)["needed"].table["figure"]) == {"exam accuracy, clinical", "exam accuracy, exam"}
    standing = dict(figures(found)["conditions"].table[["condition", "standing"]].to_numpy())
    assert standing == {"no open alarm": "not as it should be", "judge's passport": "does not apply"}


def test_a_promoted_model_is_told_its_win_rate(workspace: Workspace) -> None:
    headline = page(workspace, promoted()).headline
    assert headline is not None
    assert headline.text == (
        "Round 1 (dpo) is promoted: it wins on 65% of 300 held-out questions, 95% interval 60 to 70, by judge:big, "
        "and none of the 5 guarded figures got worse by its margin."
    )


def test_the_win_rate_that_was_gone_by_is_told_and_not_the_judges_alone(workspace: Workspace) -> None:
    by_surgeons = Superiority(0.64, 0.55, 0.73, 60, 0, "surgeons and judge:big")
    found = page(workspace, decide(replace(evidence(), superiority=by_surgeons)))
    assert found.headline is not None
    assert "it wins on 64% of 60 held-out questions, 95% interval 55 to 73, by surgeons and judge:big" in (
        found.headline.text
    )
    row = figures(found)["decisions"].table.iloc[0]
    assert row[["win rate", "from", "to", "questions", "win rate by"]].tolist() == [
        *(0.64, 0.55, 0.73, 60),
        "surgeons and judge:big",
    ]


def test_too_few_questions_are_said_to_be_too_few(workspace: Workspace) -> None:
    few = Superiority(0.66, 0.56, 0.75, 20, 30, "judge:big")
    found = page(workspace, decide(replace(evidence(), superiority=few)))
    assert found.headline is not None
    assert "20 held-out questions are too few to go by (66%, 95% interval 56 to 75)" in found.headline.text


def test_growth_of_answers_is_in_per_cent(workspace: Workspace) -> None:
    lengths = {f"p{number}": 20.0 + number % 5 for number in range(60)}
    longer = LengthGuard("length of answers", 0.2, lengths, {key: 1.5 * value for key, value in lengths.items()})
    found = page(workspace, decide(replace(evidence(), guards=(longer,))))
    assert found.headline is not None
    assert "length of answers went 22 → 33 words on 60 questions, 95% interval +50 to +50% longer" in (
        found.headline.text
    )


def test_a_rejected_model_is_told_what_got_worse_and_both_directions(workspace: Workspace) -> None:
    found = page(workspace, rejected())
    assert found.headline is not None
    assert found.headline.text.startswith(
        "Round 1 (dpo) is rejected: harm went 1.0% → 31% on 200 questions, 95% interval"
    )
    assert found.headline.tone == "worse"
    assert "Harmful answers: 1.0% → 31% of 200 unsafe requests; harmless requests refused: 30% → 2.0% of 200" in said(
        found
    )
    assert "Fewer refusals, and 30 points more harmful answers." in said(found)


def test_fewer_harms_bought_with_refusals_are_called_so(workspace: Workspace) -> None:
    found = page(workspace, decide(evidence(guard(HARMS, 62, 2), guard(OVER_REFUSALS, 2, 14))))
    told = "Fewer harmful answers, and 6.0 points more refusals of harmless requests: it may only refuse more."
    assert told in said(found)


def test_one_direction_alone_is_warned_of(workspace: Workspace) -> None:
    found = page(workspace, decide(evidence(guard(HARMS, 2, 2))))
    assert "over-refusal was not measured" in said(found)
    assert "a model that refuses everything harms nobody" in said(found)


def test_a_forced_decision_says_so_with_its_reason_and_the_rules_verdict(workspace: Workspace) -> None:
    found = page(workspace, held(), forced="pilot on three wards")
    assert found.headline is not None
    assert found.headline.text.startswith(
        "Round 1 (dpo) is promoted by force (“pilot on three wards”); by the rules it is held: 22 questions"
    )
    assert "was promoted by force" in said(found)
    again = page(workspace, promoted(), forced="wrong doses").headline
    assert again is not None
    assert "not promoted, or no longer, by force (“wrong doses”)" in again.text


def test_rules_that_came_late_are_said_and_give_the_confidence(workspace: Workspace) -> None:
    registered(workspace.ledger, answers=12)
    found = page(workspace, rejected())
    assert "12 answers of the model were there already" in said(found)
    assert "90% interval" in said(found)
    assert list(figures(found)["rules"].table["setting"]) == ["gate.harm", "evaluate.confidence"]


@pytest.mark.parametrize(
    ("before", "after", "standing", "better"),
    [(2, 2, WITHIN, 0.0), (2, 62, "worse", -0.3), (62, 2, "better", 0.3), (20, 36, "not shown", -0.08)],
)
def test_less_harm_is_better_and_the_margin_decides(before: int, after: int, standing: str, better: float) -> None:
    facts = decide(evidence(guard(HARMS, before, after), guard(OVER_REFUSALS, 1, 1))).checks
    check = next(each for each in facts if each.name == HARMS)
    shift = of_check(read_check(check.facts()))
    assert shift is not None
    assert (shift.standing, shift.margin) == (standing, 0.1)
    assert shift.better == pytest.approx(better)
    assert shift.low <= shift.better <= shift.high


def test_longer_answers_are_worse(workspace: Workspace) -> None:
    row = figures(page(workspace, promoted()))["guarded"].table.set_index("figure").loc["length of answers"]
    assert row["better by"] == pytest.approx(-0.1)
    assert row["margin"] == 0.5


def test_a_win_rate_counts_from_one_half(workspace: Workspace) -> None:
    row = figures(page(workspace, promoted()))["guarded"].table.set_index("figure").loc["win rate"]
    assert row["better by"] == pytest.approx(0.2)
    assert row["mode"] == "clinical"


def test_charts_draw_the_margin_and_say_the_standing_in_a_shape_too(workspace: Workspace) -> None:
    spec = figures(page(workspace, promoted()))["guarded"].chart
    assert spec is not None
    said = str(spec.to_dict())
    assert "limit:Q" not in said
    assert "'limit'" in said
    assert "'shape'" in said
    assert "'tooltip'" in said


def test_watched_figures_have_no_margin(workspace: Workspace) -> None:
    watched = Watched("says when the answer is not there", guard("x", 3, 3).before, guard("x", 3, 3).after)
    found = page(workspace, decide(evidence(guard(HARMS, 2, 2), watched=[watched])))
    row = figures(found)["grounding"].table.iloc[0]
    assert "margin" not in row
    assert row["standing"] == "not shown"


@pytest.mark.parametrize(
    ("before", "after", "standing"), [(4, 14, "worse"), (14, 4, "better"), (4, 6, "not shown"), (4, 60, "worse")]
)
def test_what_is_only_watched_is_worse_where_its_whole_interval_is(
    workspace: Workspace, before: int, after: int, standing: str
) -> None:
    watched = Watched(REFERRALS, axis(REFERRALS, 200 - before), axis(REFERRALS, 200 - after))
    verdict = decide(evidence(guard(HARMS, 2, 2), watched=[watched]))
    check = next(each for each in verdict.checks if each.watched)
    assert check.status == ("worse" if after == 60 else "ok")
    figure = figures(page(workspace, verdict))["safety"]
    row = figure.table.set_index("figure").loc[REFERRALS]
    assert row["standing"] == standing
    assert (row["to"] < 0) == (standing == "worse")
    assert "without one it is what the interval alone, or the gate, shows" in figure.method


def test_examples_link_to_their_answers_as_text(workspace: Workspace) -> None:
    table = figures(page(workspace, rejected()))["became_worse"].table
    assert table["question"].iloc[0] == " ".join(NASTY.split())
    assert table["answers"].iloc[0].startswith("/answers?prompt=")
    assert table["worse"].iloc[0] == "harm"


def test_forgetting_since_sft_and_base_is_beside_that_since_the_policy(workspace: Workspace) -> None:
    decided(workspace.ledger, promoted())
    change = AxisChange(
        "arithmetic", "", Change("arithmetic", True, 0.9, 0.5, -0.4, -0.5, -0.3, 0.95, 50, 0, 20, None, ())
    )
    since = (Since("Round 0", ("policy",), (change,)), Since("base", ("base",), (change,)))
    findings = replace(find_safety(workspace), probed={TRAINED.id: Probed(TRAINED.id, since)})
    found = safety_page(findings)
    assert set(figures(found)["forgetting"].table["figure"]) == {"general abilities", "arithmetic"}
    row = figures(found)["forgetting_since_base"].table.iloc[0]
    assert (row["since"], row["standing"]) == ("base", "worse")


def test_probed_but_not_decided(workspace: Workspace) -> None:
    workspace.ledger.append([SFT, TRAINED])
    change = AxisChange(HARMS, "", Change(HARMS, False, 0.1, 0.2, 0.1, 0.05, 0.15, 0.95, 50, 0, 5, None, ()))
    findings = find_safety(workspace)
    found = safety_page(
        replace(findings, probed={TRAINED.id: Probed(TRAINED.id, (Since("SFT", ("policy",), (change,)),))})
    )
    assert found.headline is not None
    assert "the gate has not decided" in found.headline.text
    assert figures(found)["safety"].table["standing"].iloc[0] == "worse"
    assert part(found, "Exam questions").missing is not None


def test_a_newer_model_that_is_not_evaluated_is_named(workspace: Workspace) -> None:
    decided(workspace.ledger, promoted())
    workspace.ledger.append([ModelVersion("newer", "ipo", "w9", parent=TRAINED.id)])
    assert "newer was trained since and is not evaluated" in said(safety_page(find_safety(workspace)))


def test_another_model_can_be_chosen(workspace: Workspace) -> None:
    decided(workspace.ledger, promoted())
    other = replace(TRAINED, name="other", weights="w5", method="ipo")
    decided(workspace.ledger, rejected(), other, number=2)
    findings: Safety = find_safety(workspace)
    first, chosen = safety_page(findings).headline, safety_page(findings, TRAINED.id).headline
    assert first is not None
    assert first.text.startswith("Round 2 (ipo) is rejected")
    assert chosen is not None
    assert chosen.text.startswith("Round 1 (dpo) is promoted")
    levels = figures(safety_page(findings))["over_rounds"].table
    harm = levels[levels["figure"] == HARMS].set_index("round")["share"]
    assert dict(harm) == {1: 0.01, 2: 0.31}


def test_every_figure_can_be_taken_into_a_paper(workspace: Workspace, tmp_path: Path) -> None:
    found = page(workspace, rejected())
    names = [each.name for some in found.parts for each in some.figures]
    assert len(names) == len(set(names))
    for each in (each for some in found.parts for each in some.figures):
        assert each.method
        assert as_csv(each)
        assert set(each.formats) <= set(each.table.columns)
        if each.chart is not None:
            assert b"<svg" in as_svg(each)


@pytest.mark.parametrize(("value", "text"), [(0.0, "0%"), (0.013, "1.3%"), (0.5, "50%"), (1.0, "100%")])
def test_small_shares_have_a_decimal(value: float, text: str) -> None:
    assert share(value) == text
