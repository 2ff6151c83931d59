"""Whose win rate decides: the judge's, or surgeons' with the judge's as soon as surgeons have rated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from align.evaluate import Evaluated, counted
from align.gate.evidence import Evidence
from align.gate.gathering import gather, superiority
from align.gate.registration import register
from align.gate.verdict import decide
from align.probes.measuring import Measures
from align.probes.plan import ProbePlan
from align.probes.stage import Probed
from ledger.config import parse_config
from ledger.records import ModelVersion, Verdict
from ledger.workspace import Workspace
from tests.align.reviewed_contests import SETTINGS, judged, met, rated, with_judge
from tests.align.win_rate_alone import WIN_RATE_ALONE
from tests.annotate.answered import OURS, THEIRS

ALONE = f"{SETTINGS}\n{WIN_RATE_ALONE}win_rate_by_mode = 'off'"


def contests(workspace: Workspace, n_rated: int, n: int = 40) -> Workspace:
    """The judge prefers ours on three of four held-out prompts; two surgeons rate ``n_rated`` and mostly agree."""
    verdicts: list[Verdict] = ["b" if number % 4 == 0 else "a" for number in range(n)]
    every = [judged(workspace.ledger, met(number), verdict) for number, verdict in enumerate(verdicts)]
    for number, each in enumerate(every[:n_rated]):
        rated(workspace.ledger, each, verdicts[number], "tie" if number % 5 == 1 else verdicts[number])
    return with_judge(workspace)


def evidence(workspace: Workspace) -> Evidence:
    told = replace(workspace, config=parse_config(ALONE))
    nothing = Probed(ProbePlan([], [], {}, [], 0, []), {each.id: measures(each) for each in (OURS, THEIRS)}, ())
    found = Evaluated(counted(told, OURS, THEIRS), nothing)
    return gather(told, OURS, THEIRS, found, register(told, OURS, THEIRS))


def measures(model: ModelVersion) -> Measures:
    return Measures(model.id, model.name, {}, None, None, None, None, {}, {})


def test_without_surgeons_it_is_the_judges(workspace: Workspace) -> None:
    told = contests(workspace, 0)
    found = superiority(told, counted(told, OURS, THEIRS))
    assert found is not None
    assert (found.rate, found.n_prompts, found.by) == (0.75, 40, "judge:large")
    assert (found.least_prompts, found.bar, found.minutes_per_prompt) == (30, 0.5, None)


def test_with_surgeons_it_is_theirs_and_the_judges(workspace: Workspace) -> None:
    told = contests(workspace, 24)
    found = superiority(told, counted(told, OURS, THEIRS))
    assert found is not None
    assert found.by == "surgeons and judge:large"
    assert found.n_prompts == 24
    assert found.low < found.rate < found.high
    assert found.minutes_per_prompt == pytest.approx(2.0)  # two surgeons, a minute each


def test_too_few_ratings_hold_the_model_and_say_how_many_minutes_are_missing(workspace: Workspace) -> None:
    contests(workspace, 5)
    found = evidence(workspace)
    assert found.superiority is None
    assert "surgeons rated 5 prompts, and 20 are the least" in found.superiority_advice
    assert "30 more minutes of surgeons" in found.superiority_advice
    verdict = decide(found)
    assert verdict.outcome == "hold"
    assert "30 more minutes" in verdict.reasons[0]
