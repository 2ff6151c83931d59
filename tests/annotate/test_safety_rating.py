"""Answers to safety probes are rated once each, by judges or by rules; what was rated stays whatever happens."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from annotate.criteria import load_criteria
from annotate.safety_rating import (
    HARM,
    REFUSAL,
    SafetyAnswer,
    rate_safety,
    ratings_by,
    safety_assessors,
    safety_verdicts,
)
from annotate.safety_rules import rules_version
from ledger.errors import BudgetError, EndpointError, InputError
from ledger.queries import latest
from ledger.records import Call, Rating
from ledger.workspace import Workspace
from sampling.endpoint import Endpoint, open_endpoint
from tests.annotate.at_servers import asked_twice, judged_by
from tests.annotate.probed import EXPECTED, HARMS, HELPS, MET, REFUSES, met, probed, seeing, text_rated
from tests.openai_server import Answer, Scripted, completion, failure, in_turn, listing, serving

JUDGE = "judge:judge-1"
TEXTS = (HARMS, REFUSES, HELPS)
IDENTIFYING = "Mr John Smith, MRN 4455667, was seen on 12/03/2024; stop the tablets."


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def answers(workspace: Workspace) -> list[SafetyAnswer]:
    return probed(workspace.ledger, TEXTS)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(seeing()) as running:
        yield running


def ratings(workspace: Workspace) -> list[Rating]:
    return list(workspace.ledger.read(Rating))


def verdict(workspace: Workspace, answer: SafetyAnswer, what: str = HARM) -> bool | None:
    said = safety_verdicts(workspace, [answer])[answer.candidate.id]
    return None if said is None else said[what]


class TestByRules:
    def test_they_rate_where_no_judge_is_configured(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        assert safety_assessors(workspace) == ("metric:safety",)
        rate_safety(workspace, answers)
        written = ratings(workspace)
        assert [(each.candidate, each.assessor, each.rubric) for each in written] == [
            (each.candidate.id, "metric:safety", rules_version()) for each in answers
        ]
        harms, refuses, helps = (safety_verdicts(workspace, answers)[each.candidate.id] for each in answers)
        assert harms is not None
        assert refuses is not None
        assert helps is not None
        assert (harms[HARM], refuses[HARM], helps[HARM]) == (True, False, False)
        assert (harms[REFUSAL], refuses[REFUSAL], helps[REFUSAL]) == (False, True, False)

    def test_a_second_run_writes_nothing(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        rate_safety(workspace, answers)
        before = ratings(workspace)
        rate_safety(workspace, answers)
        rate_safety(workspace, answers[:1])
        assert ratings(workspace) == before

    def test_a_changed_pattern_changes_the_verdict(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        rate_safety(workspace, answers)
        changed = replace(answers[0], expected={"harm": [r"\bdouble the dose\b"], "refer": False})
        assert (verdict(workspace, answers[0]), verdict(workspace, changed)) == (True, False)
        rate_safety(workspace, [changed])
        assert (verdict(workspace, answers[0]), verdict(workspace, changed)) == (True, False)
        assert len(ratings(workspace)) == 4

    def test_a_pattern_that_cannot_be_used_is_one_line(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        with pytest.raises(InputError, match="no regular expression"):
            rate_safety(workspace, [*answers[:2], replace(answers[2], expected={**EXPECTED, "harm": ["("]})])
        assert ratings(workspace) == []


class TestByAJudge:
    def test_each_answer_is_asked_once(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        assert safety_assessors(judging) == (JUDGE,)
        rate_safety(judging, answers)
        assert Counter(text_rated(body) for body in server.asked) == Counter(TEXTS)
        written = {each.candidate: each for each in ratings(workspace)}
        version = load_criteria("safety", workspace.root).version
        for each in answers:
            rating = written[each.candidate.id]
            assert (rating.assessor, rating.rubric) == (JUDGE, version)
            assert tuple(name for name, holds in rating.met.items() if holds) == MET[each.candidate.text]
            assert safety_verdicts(judging, answers)[each.candidate.id] == rating.met
        assert workspace.ledger.count(Call) == 3
        assert latest(workspace.ledger, 1, "safety")[0].event == "finished"

    def test_a_second_run_needs_no_server(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        rate_safety(judged_by(workspace, server), answers)
        before, entries = (ratings(workspace), len(server.keys)), len(latest(workspace.ledger, 100))
        rate_safety(judged_by(workspace, server), answers)
        assert (ratings(workspace), len(server.keys)) == before
        assert len(latest(workspace.ledger, 100)) == entries

    def test_each_rating_is_written_as_it_comes(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        written: list[int] = []

        def looking(body: dict[str, Any]) -> Answer:
            written.append(workspace.ledger.count(Rating))
            return seeing()(body)

        with serving(looking) as server:
            rate_safety(judged_by(workspace, server, concurrency=1), answers)
        assert written == [0, 1, 2]

    def test_a_server_that_refuses_half_way_costs_nothing(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        with (
            serving(in_turn(met("harm"), met("refusal"), failure(401))) as dying,
            pytest.raises(EndpointError, match="the key is refused"),
        ):
            rate_safety(judged_by(workspace, dying, concurrency=1), answers)
        kept = ratings(workspace)
        assert [each.candidate for each in kept] == [each.candidate.id for each in answers[:2]]
        assert verdict(judged_by(workspace, server), answers[2]) is None
        assert latest(workspace.ledger, 1, "safety")[0].event == "failed"
        rate_safety(judged_by(workspace, server), answers)
        assert [text_rated(body) for body in server.asked] == [HELPS]
        assert ratings(workspace)[:2] == kept
        assert [verdict(judged_by(workspace, server), each) for each in answers] == [True, False, False]

    def test_a_spent_budget_costs_nothing(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        with pytest.raises(BudgetError, match="the budget is spent"):
            rate_safety(judged_by(workspace, server, max_calls=2), answers)
        assert len(ratings(workspace)) == len(server.asked) == 2
        rate_safety(judged_by(workspace, server, max_calls=2), answers)
        assert len(ratings(workspace)) == len(server.asked) == 3
        assert asked_twice(server) == 0

    def test_an_invalid_reply_is_no_verdict(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        with serving(in_turn(completion("It is safe."))) as server:
            judging = judged_by(workspace, server)
            rate_safety(judging, answers)
            assert safety_verdicts(judging, answers) == {each.candidate.id: None for each in answers}
            assert {(each.score, each.cause) for each in ratings(workspace)} == {(None, "unparsable")}
            rate_safety(judging, answers)
            assert len(server.asked) == len(ratings(workspace)) == 3

    def test_what_failed_in_passing_is_asked_again(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        with serving(in_turn(failure(503))) as failing:
            rate_safety(judged_by(workspace, failing), answers)
            assert verdict(judged_by(workspace, failing), answers[0]) is None
        judging = judged_by(workspace, server)
        rate_safety(judging, answers)
        assert [verdict(judging, each) for each in answers] == [True, False, False]
        assert all(each.score is not None for each in ratings_by(judging, answers, JUDGE).values())

    def test_a_late_failure_leaves_the_valid_rating(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        rate_safety(judging, answers)
        workspace.ledger.append(replace(each, score=None, met={}, cause="cut") for each in ratings(workspace))
        assert [verdict(judging, each) for each in answers] == [True, False, False]

    def test_ratings_by_other_criteria_do_not_count(
        self, workspace: Workspace, answers: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        rate_safety(judging, answers[:1])
        (rating,) = ratings(workspace)
        other = answers[1].candidate
        workspace.ledger.append([replace(rating, candidate=other.id, prompt=other.prompt, rubric="safety@00000000")])
        assert verdict(judging, answers[1]) is None
        rate_safety(judging, answers[:2])
        assert [text_rated(body) for body in server.asked] == [HARMS, REFUSES]

    def test_a_foreign_judge_is_not_sent_identifiers(
        self, workspace: Workspace, server: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @asynccontextmanager
        async def outside(*what: Any, **how: Any) -> AsyncIterator[Endpoint]:
            async with open_endpoint(*what, **how) as endpoint:
                endpoint.address = replace(endpoint.address, foreign=True)
                yield endpoint

        monkeypatch.setattr("annotate.caller.open_endpoint", outside)
        told, plain = probed(workspace.ledger, [IDENTIFYING, HELPS])
        judging = judged_by(workspace, server)
        rate_safety(judging, [told, plain])
        assert [text_rated(body) for body in server.asked] == [HELPS]
        withheld = ratings_by(judging, [told], JUDGE)[told.candidate.id]
        assert withheld.score is None
        assert withheld.cause.startswith("withheld: possible identifiers (")
        assert (verdict(judging, told), verdict(judging, plain)) == (None, False)


class TestByAPanel:
    @pytest.mark.parametrize(
        ("harmful", "judges", "expected"), [(0, 2, False), (1, 2, True), (1, 3, False), (2, 3, True)]
    )
    def test_what_half_of_them_say_counts(
        self, harmful: int, judges: int, workspace: Workspace, *, expected: bool
    ) -> None:
        (answer,) = probed(workspace.ledger, ["Wait."])
        with (
            serving(in_turn(met("harm", "referral"))) as sees,
            serving(in_turn(met("refusal", "referral"))) as sees_not,
        ):
            said = [sees] * harmful + [sees_not] * (judges - harmful)
            for running in (sees, sees_not):
                running.models = listing("judge-1", "judge-2", "judge-3")
            others = [(f"judge-{number}", each) for number, each in enumerate(said[1:], start=2)]
            judging = judged_by(workspace, said[0], *others)
            rate_safety(judging, [answer])
        assert len(ratings(workspace)) == judges
        assert verdict(judging, answer) is expected
        assert verdict(judging, answer, "referral")
        assert verdict(judging, answer, REFUSAL) is (2 * (judges - harmful) >= judges)
        assert not verdict(judging, answer, "safe_help")

    def test_one_that_cannot_say_is_left_out(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        with serving(seeing()) as sees, serving(in_turn(completion("Hm.")), listing("judge-2")) as mumbles:
            judging = judged_by(workspace, sees, ("judge-2", mumbles))
            rate_safety(judging, answers)
        assert [verdict(judging, each) for each in answers] == [True, False, False]

    def test_one_dies_and_the_other_goes_on(self, workspace: Workspace, answers: list[SafetyAnswer]) -> None:
        died = threading.Event()

        def dies(_body: dict[str, Any]) -> Answer:
            died.set()
            return failure(401)

        def later(body: dict[str, Any]) -> Answer:
            assert died.wait(5)
            return seeing()(body)

        with serving(later) as server, serving(seeing(), listing("judge-2")) as mended:
            with serving(dies, listing("judge-2")) as dying, pytest.raises(EndpointError, match="the key is refused"):
                rate_safety(judged_by(workspace, server, ("judge-2", dying), concurrency=1), answers)
            assert Counter(each.assessor for each in ratings(workspace)) == {JUDGE: 3}
            rate_safety(judged_by(workspace, server, ("judge-2", mended)), answers)
            assert (len(server.asked), len(mended.asked)) == (3, 3)
        assert Counter(each.assessor for each in ratings(workspace)) == {JUDGE: 3, "judge:judge-2": 3}
