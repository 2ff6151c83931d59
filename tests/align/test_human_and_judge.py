"""One report of surgeons and judge, off the ledger."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from align.cli import evaluation_facts
from align.evaluate import counted
from align.human_and_judge import NO_RANDOM, HumanAndJudge, human_and_judge
from align.prediction_powered import prediction_powered, surgeons_alone
from align.rogan_gladen import corrected_by_surgeons
from align.surgeon_sample import surgeon_sample
from ledger.config import parse_config
from ledger.errors import InputError
from ledger.records import Queue, Verdict, canonical_json
from ledger.workspace import Workspace
from tests.align.reviewed_contests import JUDGE, SETTINGS, judged, met, rated, with_judge
from tests.annotate.answered import OURS, THEIRS

VERDICTS: tuple[Verdict, ...] = ("b", "tie", "a")


def reviewed(workspace: Workspace, n: int = 60, sent: int = 30, queue: Queue = "random") -> Workspace:
    """A judge that is too kind to ours, and two surgeons on the first ``sent`` prompts."""
    own = with_judge(workspace)
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(n, 1)) + 0.6 * rng.normal(size=(n, 3)) + np.array([0.0, 0.0, 0.8])
    levels = np.digitize(seen, [-0.3, 0.3])
    contests = [judged(own.ledger, met(number), VERDICTS[judge]) for number, judge in enumerate(levels[:, 2])]
    for contest, (one, other, _) in list(zip(contests, levels, strict=True))[:sent]:
        rated(own.ledger, contest, VERDICTS[one], VERDICTS[other], queue=queue, chance=sent / n)
    return own


def asked(workspace: Workspace) -> HumanAndJudge:
    return human_and_judge(workspace, OURS, THEIRS)


def test_the_report_is_of_what_the_ledger_holds(workspace: Workspace) -> None:
    own = reviewed(workspace)
    found = asked(own)
    contests = surgeon_sample(own.ledger, own.config.judge, OURS.id, THEIRS.id).contests
    assert found.together == prediction_powered(contests)
    assert found.surgeons == surgeons_alone(contests)
    assert found.corrected == corrected_by_surgeons(contests)
    assert found.correlation == contests.correlation()
    assert found.judge.estimate == pytest.approx(contests.judge.mean())
    assert (found.n_contests, found.n_surgeons, found.n_ratings, found.answered) == (60, 2, 60, {"random": 30})
    assert (found.model, found.opponent, found.assessor) == (OURS.id, THEIRS.id, JUDGE)
    assert not found.together.refused


def test_the_judges_kindness_is_taken_off(workspace: Workspace) -> None:
    found = asked(reviewed(workspace))
    assert found.judge.low is not None
    assert found.together.estimate is not None
    assert found.together.estimate < found.judge.low


def test_the_other_way_round_is_the_complement(workspace: Workspace) -> None:
    own = reviewed(workspace)
    ours, theirs = asked(own), human_and_judge(own, THEIRS, OURS)
    for one, other in ((ours.together, theirs.together), (ours.surgeons, theirs.surgeons)):
        assert one.estimate is not None
        assert one.low is not None
        assert other.estimate == pytest.approx(1 - one.estimate)
        assert other.high == pytest.approx(1 - one.low)


def test_the_judge_alone_is_over_contests_with_a_verdict(workspace: Workspace) -> None:
    """Prompt 1 has a contest with a verdict and one without; prompt 2 has none with one."""
    own = with_judge(workspace)
    judged(own.ledger, met(0), "b")
    judged(own.ledger, met(1), "a")
    judged(own.ledger, met(1, "again"), "invalid")
    judged(own.ledger, met(2), "invalid")
    found = asked(own)
    assert (found.judge.estimate, found.judge.n_prompts, found.unjudged) == (0.5, 2, 2)


def test_few_ratings_are_refused_and_the_rest_is_there(workspace: Workspace) -> None:
    found = asked(reviewed(workspace, sent=10))
    assert found.together.refused == found.surgeons.refused == "surgeons rated 10 prompts, and 20 are the least"
    assert found.corrected.refused == found.together.refused
    assert found.judge.estimate is not None
    assert "surgeons and judge: no estimate, surgeons rated 10 prompts" in found.text()


def test_without_a_random_queue_there_is_no_estimate(workspace: Workspace) -> None:
    found = asked(reviewed(workspace, queue="routed"))
    assert found.n_ratings == 60
    assert found.together.refused == found.surgeons.refused == found.corrected.refused == NO_RANDOM
    assert found.monitored is None
    assert found.text().splitlines()[0].endswith("(60 ratings by 2 surgeons)")


def test_nobody_was_asked(workspace: Workspace) -> None:
    found = asked(reviewed(workspace, sent=0))
    assert found.together.refused == "surgeons rated 0 prompts, and 20 are the least"
    assert (found.correlation, found.monitored, found.n_surgeons) == (None, None, 0)


def test_an_empty_ledger_is_a_report_too(workspace: Workspace) -> None:
    found = asked(workspace)
    assert (found.n_contests, found.judge.estimate) == (0, None)
    assert "alone: no estimate" in found.text()


def test_what_may_be_looked_at_every_day_holds_the_rest(workspace: Workspace) -> None:
    seen = asked(reviewed(workspace)).monitored
    assert seen is not None
    assert seen.n_prompts == 30
    assert seen.low < seen.estimate < seen.high


def test_the_confidence_is_as_configured(workspace: Workspace) -> None:
    own = reviewed(workspace)
    half = replace(own, config=parse_config(f"{SETTINGS}\n[evaluate]\nconfidence = 0.5"))
    wide, narrow = asked(own), asked(half)
    assert (wide.together.confidence, narrow.together.confidence) == (0.95, 0.5)
    for one, other in (
        (wide.together, narrow.together),
        (wide.corrected, narrow.corrected),
        (wide.judge, narrow.judge),
    ):
        assert one.high is not None
        assert other.high is not None
        assert other.high < one.high


def test_the_text_says_it_all(workspace: Workspace) -> None:
    own = reviewed(workspace)
    contest = met(0)
    own.ledger.append([contest.said("surgeon:09", "a")])
    lines = asked(own).text().splitlines()
    assert lines[0].startswith("surgeons and judge: wins ")
    assert lines[0].endswith("(60 ratings by 2 surgeons on 30 prompts)")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "surgeons",
        "judge",
        "judge",
        "correlation of judge",
        "looked at every day",
        "left out",
    ]
    assert lines[-1] == "left out: 1 ratings outside the queues"


def test_the_facts_are_json(workspace: Workspace) -> None:
    for own in (workspace, reviewed(workspace)):
        facts = json.loads(canonical_json(asked(own).facts()))
        assert {"together", "surgeons", "judge", "corrected", "correlation", "monitored"} <= set(facts)
    assert facts["together"]["low"] < facts["together"]["estimate"]


def test_a_model_against_itself_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="not compared with itself"):
        human_and_judge(workspace, OURS, OURS)


def test_an_evaluation_tells_it_where_surgeons_have_rated(workspace: Workspace) -> None:
    before = with_judge(workspace)
    for number in range(3):
        judged(before.ledger, met(1_000 + number), "a")
    assert counted(before, OURS, THEIRS).with_surgeons is None
    own = reviewed(workspace)
    found = counted(own, OURS, THEIRS)
    assert found.with_surgeons == asked(own)
    assert found.with_surgeons.together.text() in found.text()
    told = json.loads(canonical_json(evaluation_facts(found, 1.0)))
    assert told["with_surgeons"]["together"]["estimate"] == pytest.approx(asked(own).together.estimate)
