"""What surgeons say of answers to safety probes, and the contests by which these answers come before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from annotate.review.frame import Frame, reviewable
from annotate.review.queues import select
from annotate.safety_rating import (
    HARM,
    Met,
    SafetyAnswer,
    contests_for_surgeons,
    rate_safety,
    safety_verdicts,
    surgeons_on_harm,
)
from ledger.records import Comparison
from ledger.workspace import Workspace
from tests.annotate.answered import OURS, THEIRS
from tests.annotate.at_servers import judged_by
from tests.annotate.probed import HARMS, HELPS, MET, REFUSES, looked_at, met, probed, seeing
from tests.openai_server import Scripted, completion, in_turn, listing, serving

ALIKE = "Ask the ward."


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def ours(workspace: Workspace) -> list[SafetyAnswer]:
    return probed(workspace.ledger, [HARMS, REFUSES, ALIKE], OURS)


@pytest.fixture
def theirs(workspace: Workspace) -> list[SafetyAnswer]:
    return probed(workspace.ledger, [HELPS, HARMS, ALIKE], THEIRS)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(seeing({**MET, ALIKE: ("harm", "referral")})) as running:
        yield running


def looked(workspace: Workspace, *answers: SafetyAnswer) -> list[bool | None]:
    """What surgeons say of each answer; None where none has looked."""
    found = surgeons_on_harm(workspace.ledger, [each.prompt.id for each in answers])
    return [found.get(each.candidate.id) for each in answers]


def of(answer: SafetyAnswer, contest: Comparison) -> str:
    """The letter of an answer in a contest."""
    return {contest.a: "a", contest.b: "b"}[answer.candidate.id]


class TestSurgeons:
    def test_one_flag_is_enough(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        one, other = ours[0], theirs[0]
        assert looked(workspace, one, other) == [None, None]
        workspace.ledger.append([looked_at(one, other, one), looked_at(one, other, assessor="surgeon:2")])
        assert looked(workspace, one, other, ours[1]) == [True, False, None]

    def test_what_a_later_answer_supersedes_does_not_count(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        one, other = ours[0], theirs[0]
        first = looked_at(one, other, one)
        workspace.ledger.append([first, looked_at(one, other, other, supersedes=first.id)])
        assert looked(workspace, one, other) == [False, True]

    def test_who_could_not_say_has_not_looked_unless_they_flag(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        workspace.ledger.append(
            [
                looked_at(ours[0], theirs[0], verdict="invalid", cause="discarded"),
                looked_at(ours[1], theirs[1], theirs[1], verdict="invalid", cause="discarded"),
            ]
        )
        assert looked(workspace, ours[0], theirs[0], ours[1], theirs[1]) == [None, None, False, True]

    @pytest.mark.parametrize("assessor", ["judge:x", "metric:safety", "simulated:1"])
    def test_nobody_else_is_a_surgeon(
        self, assessor: str, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        workspace.ledger.append([looked_at(ours[0], theirs[0], ours[0], assessor=assessor)])
        assert looked(workspace, ours[0], theirs[0]) == [None, None]

    def test_a_hidden_repeat_is_heard_where_it_flags(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        one, other = ours[0], theirs[0]
        workspace.ledger.append([looked_at(one, other), looked_at(one, other, other, verdict="a", count=0)])
        assert looked(workspace, one, other) == [False, True]

    def test_their_word_on_harm_stands_in_place_of_the_judges(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        answers = [*ours[:2], *theirs[:2]]
        rate_safety(judging, answers)
        before = safety_verdicts(judging, answers)
        workspace.ledger.append([looked_at(ours[0], theirs[0], theirs[0])])
        after = safety_verdicts(judging, answers)
        changed: dict[str, Met | None] = {}
        for each, harmful in ((ours[0], False), (theirs[0], True)):
            said = before[each.candidate.id]
            assert said is not None
            assert said[HARM] is not harmful
            changed[each.candidate.id] = {**said, HARM: harmful}
        assert after == {**before, **changed}


class TestContests:
    def test_each_failure_is_a_flag(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        rate_safety(judging, [*ours, *theirs])
        first, second, third = contests_for_surgeons(judging, ours, theirs)
        assert first.flags == (f"harm_{of(ours[0], first)}",)
        assert second.flags == (f"harm_{of(theirs[1], second)}",)
        assert third.flags == ("harm_a", "harm_b")
        assert [each.prompt for each in (first, second, third)] == [each.prompt.id for each in ours]
        assert first.verdict == of(theirs[0], first)
        assert (second.verdict, third.verdict) == ("tie", "tie")  # neither has any points
        assert {each.assessor for each in (first, second, third)} == {"judge:judge-1"}
        assert all(each.rubric.startswith("safety@") for each in (first, second, third))

    def test_refusing_is_a_failure_where_the_question_is_harmless(self, workspace: Workspace) -> None:
        ours = probed(workspace.ledger, [REFUSES, HELPS], OURS, benign=True)
        theirs = probed(workspace.ledger, [HELPS, REFUSES], THEIRS, benign=True)
        rate_safety(workspace, [*ours, *theirs])
        first, second = contests_for_surgeons(workspace, ours, theirs)
        assert first.flags == (f"over_refusal_{of(ours[0], first)}",)
        assert second.flags == (f"over_refusal_{of(theirs[1], second)}",)
        assert {each.assessor for each in (first, second)} == {"metric:safety"}

    def test_made_twice_they_are_the_same(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        rate_safety(judging, [*ours, *theirs])
        assert workspace.ledger.append(contests_for_surgeons(judging, ours, theirs)) == 3
        assert workspace.ledger.append(contests_for_surgeons(judging, ours, theirs)) == 0
        assert workspace.ledger.append(contests_for_surgeons(judging, theirs, ours)) == 0

    def test_each_judge_of_a_panel_has_its_own(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        with serving(in_turn(met("safe_help")), listing("judge-2")) as kind:
            judging = judged_by(workspace, server, ("judge-2", kind))
            rate_safety(judging, [*ours[:1], *theirs[:1]])
        found = {each.assessor: each.flags for each in contests_for_surgeons(judging, ours[:1], theirs[:1])}
        assert {name: len(flags) for name, flags in found.items()} == {"judge:judge-1": 1, "judge:judge-2": 0}

    def test_a_margin_makes_a_tie_of_small_differences(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        with serving(seeing({HARMS: ("safe_help",), HELPS: ("safe_help", "referral")})) as server:
            rate_safety(judged_by(workspace, server), [ours[0], theirs[0]])
        for margin, expected in ((0.3, theirs[0]), (0.4, None)):
            judging = judged_by(workspace, server, tie_margin=margin)
            (made,) = contests_for_surgeons(judging, ours[:1], theirs[:1])
            assert made.verdict == (of(expected, made) if expected else "tie")

    def test_only_what_both_answered_and_somebody_rated(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        judging = judged_by(workspace, server)
        rate_safety(judging, [*ours[:2], *theirs])
        made = list(contests_for_surgeons(judging, ours, theirs[1:]))
        assert [each.prompt for each in made] == [ours[1].prompt.id]

    def test_an_invalid_rating_flags_nothing(
        self, workspace: Workspace, ours: list[SafetyAnswer], theirs: list[SafetyAnswer]
    ) -> None:
        with serving(in_turn(completion("Hm."))) as server:
            judging = judged_by(workspace, server)
            rate_safety(judging, [ours[0], theirs[0]])
        (made,) = contests_for_surgeons(judging, ours, theirs)
        assert (made.verdict, made.cause, made.flags) == ("invalid", "unparsable", ())

    def test_surgeons_are_sent_the_failures_first(
        self, workspace: Workspace, theirs: list[SafetyAnswer], server: Scripted
    ) -> None:
        ours = probed(workspace.ledger, [HELPS, REFUSES, HELPS], OURS)
        judging = judged_by(workspace, server)
        rate_safety(judging, [*ours, *theirs])
        workspace.ledger.append(contests_for_surgeons(judging, ours, theirs))
        contests = list(reviewable(workspace.ledger, Frame("probe")))
        failed = {each.prompt.id for each in ours[1:]}
        (one,) = select(contests, {}, {"safety": 1}, "push 1")
        assert (one.contest.prompt in failed, one.selection_probability) == (True, 0.5)
        chosen = select(contests, {}, {"safety": 3}, "push 1")
        assert {each.contest.prompt for each in chosen[:2]} == failed
        assert [each.why for each in chosen] == [*["failed a safety probe"] * 2, "safety probe or possible harm"]
