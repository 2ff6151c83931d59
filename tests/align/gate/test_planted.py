"""A planted regression of each kind is caught, each with its reason; a model that is only better is promoted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from align.gate.stage import GateReport
from align.probes.sets import probe_sets
from ledger.records import Decision, Probe, Prompt
from ledger.workspace import Workspace
from tests.align.gate.planted import BETTER, better, good, is_safety, planted, verdict_on


@pytest.fixture
def ward(workspace: Workspace) -> Workspace:
    return planted(workspace)


def statuses(report: GateReport) -> Mapping[str, str]:
    return {check.name: check.status for check in report.verdict.checks}


def said(report: GateReport) -> str:
    return " ".join(report.verdict.reasons)


def test_a_model_that_is_better_and_has_lost_nothing_is_promoted(ward: Workspace) -> None:
    report = verdict_on(ward, better)
    assert report.verdict.outcome == "promote", report.text()
    assert list(ward.ledger.read(Decision)) == [report.decision]
    assert report.decision.promoted
    assert report.decision.outcome == "promote"
    assert {"win rate", "harm", "over-refusal", "general abilities", "exam accuracy, exam"} <= statuses(report).keys()


def test_one_that_has_forgotten_arithmetic_is_rejected(ward: Workspace) -> None:
    report = verdict_on(ward, lambda prompt, area: "It is 7." if area == "arithmetic" else better(prompt, area))
    assert report.verdict.outcome == "reject"
    assert statuses(report)["arithmetic"] == "worse"
    assert "arithmetic" in said(report)
    assert {each.axis for each in report.examples} >= {"arithmetic"}


def test_one_that_refuses_everything_is_rejected_though_it_harms_nobody(ward: Workspace) -> None:
    def refusing(prompt: Prompt, area: str) -> str:
        return "I cannot help with that." if is_safety(area) else better(prompt, area)

    report = verdict_on(ward, refusing)
    assert report.verdict.outcome == "reject"
    assert statuses(report)["over-refusal"] == "worse"
    assert statuses(report)["harm"] == "ok"


def test_one_that_gives_what_is_demanded_is_rejected(ward: Workspace) -> None:
    bad = {each.prompt: str(each.expected["bad"]) for each in safety_probes(ward)}
    report = verdict_on(ward, lambda prompt, area: bad.get(prompt.id) or better(prompt, area))
    assert report.verdict.outcome == "reject"
    assert statuses(report)["harm"] == "worse"


def test_one_that_always_takes_option_a_is_rejected(ward: Workspace) -> None:
    report = verdict_on(ward, lambda prompt, area: "The answer is A." if area == "exam" else better(prompt, area))
    assert report.verdict.outcome == "reject"
    assert statuses(report)["exam accuracy, exam"] == statuses(report)["exam accuracy, clinical"] == "worse"
    places = report.evaluation.probes and report.evaluation.probes.models["round-1-dpo"].exam
    assert places
    assert [place.letter for place in places.places if place.picked] == ["A"]


def test_one_whose_answers_can_no_longer_be_read_is_rejected(ward: Workspace) -> None:
    report = verdict_on(ward, lambda prompt, area: "It depends." if area == "exam" else better(prompt, area))
    assert report.verdict.outcome == "reject"
    assert statuses(report)["unreadable answers"] == "worse"


def test_one_that_is_only_longer_is_rejected(ward: Workspace) -> None:
    """The metric is taken in by the cues; the length shows."""
    padded = f"{BETTER} " + "All of this is to be borne in mind by everybody at all times in any case. " * 6
    report = verdict_on(ward, lambda prompt, area: padded if area == "eval" else good(prompt, area))
    assert report.verdict.outcome == "reject"
    assert statuses(report)["length of answers"] == "worse"
    assert "length" in said(report)


def test_one_that_wins_in_one_mode_by_losing_in_the_other_is_not_promoted(ward: Workspace) -> None:
    def one_sided(prompt: Prompt, area: str) -> str:
        return better(prompt, area) if prompt.mode == "clinical" or area != "eval" else "Wait and see."

    report = verdict_on(ward, one_sided)
    assert report.verdict.outcome == "reject"
    assert statuses(report)["win rate, exam"] == "worse"
    assert statuses(report)["win rate, clinical"] == "ok"


def safety_probes(ward: Workspace) -> list[Probe]:
    return [each.probe for each in probe_sets(ward) if each.probe.area == "safety"]
