"""The judge stage: every contest once, nothing asked twice, what was answered is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotate.assessors import configured_assessors
from annotate.comparing import compare
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.pairing import build_pairs
from annotate.reference import ASSESSOR as REFERENCE_ASSESSOR
from annotate.reference import reference_rubric
from ledger.config import parse_config
from ledger.errors import EndpointError, StageError
from ledger.queries import contest_table, latest
from ledger.records import Candidate, Comparison, Pair
from ledger.store import Ledger
from ledger.workspace import Workspace
from tests.annotate.answered import OURS, THEIRS, answered, answers, question
from tests.openai_server import MODEL, Answer, Scripted, completion, failure, in_turn, serving, shown, verdict

TEXTS = ("Urgent surgical repair.", "Watch and wait.", "Repair, because the bowel may die.")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A judge that prefers whatever is shown first: it flips with the order."""
    with serving(lambda _: verdict("a_better")) as running:
        yield running


def judged_by(workspace: Workspace, server: Scripted, **settings: Any) -> Workspace:
    said = {"model": MODEL, "base_url": server.url, "timeout_seconds": 5, "retries": 0, **settings}
    lines = "\n".join(f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in said.items())
    return replace(workspace, config=parse_config(f"[judge]\n{lines}"))


def comparisons(ledger: Ledger) -> list[Comparison]:
    return list(ledger.read(Comparison))


class TestReferenceMetric:
    def test_each_two_answers_of_a_model_once(self, workspace: Workspace) -> None:
        prompts = [question(number) for number in range(3)]
        answered(workspace.ledger, prompts, TEXTS, OURS, THEIRS)
        report = compare(workspace, OURS)
        made = comparisons(workspace.ledger)
        assert (report.new, report.known, len(made)) == (9, 0, 9)
        assert {each.assessor for each in made} == {REFERENCE_ASSESSOR}
        assert {(each.model_a, each.model_b) for each in made} == {(OURS.id, OURS.id)}
        assert Counter(each.verdict for each in made) == report.verdicts
        assert len({(each.a, each.b) for each in made}) == 9

    def test_a_second_run_makes_nothing_new(self, workspace: Workspace) -> None:
        prompt = question(0)
        answered(workspace.ledger, [prompt], TEXTS, OURS)
        compare(workspace, OURS)
        before = comparisons(workspace.ledger)
        again = compare(workspace, OURS)
        assert (again.new, again.known) == (0, 3)
        assert comparisons(workspace.ledger) == before
        workspace.ledger.append(answers(prompt, OURS, [*TEXTS, "Another one."])[3:])
        grown = compare(workspace, OURS)
        assert (grown.new, grown.known) == (3, 3)

    def test_prompts_come_in_chunks_and_none_is_left_out(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(number) for number in range(203)], TEXTS[:2], OURS)
        assert compare(workspace, OURS).new == 203

    def test_only_the_split_that_is_asked_for(self, workspace: Workspace) -> None:
        prompts = [question(0), question(1, split="eval"), question(2, split="probe")]
        answered(workspace.ledger, prompts, TEXTS[:2], OURS)
        compare(workspace, OURS)
        compare(workspace, OURS, split="probe")
        assert {each.prompt for each in comparisons(workspace.ledger)} == {prompts[0].id, prompts[2].id}

    def test_no_reference_is_invalid_with_its_cause(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(0, reference=None)], TEXTS, OURS)
        report = compare(workspace, OURS)
        assert report.verdicts == {"invalid": 3}
        assert report.causes == {"the prompt has no reference": 3}
        assert "invalid because: the prompt has no reference: 3" in report.text()
        assert compare(workspace, OURS).known == 3  # that is not going to pass

    def test_what_was_done_is_logged_and_told(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(0)], TEXTS[:2], OURS)
        report = compare(workspace, OURS)
        started, finished = latest(workspace.ledger, 2, "judge")
        assert (started.event, finished.event) == ("started", "finished")
        assert finished.detail["new"] == 1
        assert report.facts()["new"] == 1
        assert report.text().startswith("metric:reference: 1 new comparisons (0 were known): ")
        assert compare(workspace, OURS).text() == "metric:reference: 0 new comparisons (1 were known)"


class TestTwoModels:
    def test_paired_answers_meet_once_with_their_count(self, workspace: Workspace) -> None:
        prompt = question(0, split="eval")
        ours = answers(prompt, OURS, ["Repair."], count=4)
        theirs = answers(prompt, THEIRS, TEXTS[:2], count=2)
        workspace.ledger.append([prompt, OURS, THEIRS, *ours, *theirs])
        report = compare(workspace, OURS, THEIRS)
        assert report.new == 2
        assert [each.count for each in comparisons(workspace.ledger)] == [2, 2]
        (tally,) = contest_table(workspace.ledger, OURS.id, THEIRS.id)
        assert tally.wins + tally.losses + tally.ties + tally.both_bad + tally.invalid == 4

    def test_all_against_all_where_the_configuration_says_so(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(0, split="eval")], TEXTS, OURS, THEIRS)
        every = replace(workspace, config=parse_config('[evaluate]\ncontests = "all"'))
        assert compare(every, OURS, THEIRS).new == 9
        assert compare(workspace, OURS, THEIRS).known == 3

    @pytest.mark.parametrize("order", [(OURS, THEIRS), (THEIRS, OURS)])
    def test_a_model_without_answers_is_named(self, workspace: Workspace, order: Any) -> None:
        answered(workspace.ledger, [question(0, split="eval")], TEXTS, OURS)
        workspace.ledger.append([THEIRS])
        with pytest.raises(StageError, match=f"{THEIRS.id}: no answers to eval prompts"):
            compare(workspace, *order)

    def test_answers_to_other_splits_do_not_count_as_answers(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(0)], TEXTS, OURS)
        with pytest.raises(StageError, match="no answers to eval prompts"):
            compare(workspace, OURS, split="eval")


class TestEndpoint:
    def test_both_orders_are_asked_and_recorded(self, workspace: Workspace, server: Scripted) -> None:
        answered(workspace.ledger, [question(0)], TEXTS[:2], OURS)
        judging = judged_by(workspace, server)
        report = compare(judging, OURS)
        made = comparisons(workspace.ledger)
        assert sorted((each.order, each.verdict, each.strength) for each in made) == [
            ("ab", "a", 0.7),
            ("ba", "b", 0.3),
        ]
        (judge,) = configured_assessors(judging)
        assert {each.assessor for each in made} == {f"judge:{MODEL}"} == {judge.name}
        assert {each.rubric for each in made} == set(judge.versions)
        assert len(server.asked) == 2
        assert report.tokens == 14
        assert build_pairs(judging, OURS).pairs == []  # a flip is a tie

    def test_a_second_run_makes_no_call(self, workspace: Workspace, server: Scripted) -> None:
        answered(workspace.ledger, [question(0), question(1)], TEXTS, OURS)
        judging = judged_by(workspace, server)
        compare(judging, OURS)
        asked, keys = len(server.asked), len(server.keys)
        assert asked == 12
        again = compare(judging, OURS)
        assert (again.new, again.known) == (0, 12)
        assert (len(server.asked), len(server.keys)) == (asked, keys)  # not even the check of the endpoint

    def test_more_than_one_batch_is_saved(self, workspace: Workspace, server: Scripted) -> None:
        answered(workspace.ledger, [question(number) for number in range(30)], TEXTS[:2], OURS)
        assert compare(judged_by(workspace, server), OURS).new == 60
        assert len(comparisons(workspace.ledger)) == 60

    def test_another_rubric_is_another_question(self, workspace: Workspace, server: Scripted) -> None:
        answered(workspace.ledger, [question(0)], TEXTS[:2], OURS)
        compare(judged_by(workspace, server), OURS)
        Path(workspace.root, "mine.md").write_text("Prefer the shorter one.", encoding="utf-8")
        report = compare(judged_by(workspace, server, rubric="mine.md"), OURS)
        assert (report.new, report.known) == (2, 0)

    def test_auto_judges_each_mode_by_its_own_rubric_and_knows_it_again(
        self, workspace: Workspace, server: Scripted
    ) -> None:
        answered(workspace.ledger, [question(0), question(1, mode="exam")], TEXTS[:2], OURS)
        exam = judged_by(workspace, server, rubric="exam")
        assert compare(exam, OURS).new == 4
        auto = judged_by(workspace, server, rubric="auto")
        assert (compare(auto, OURS).new, compare(auto, OURS).known) == (2, 4)
        assert len(server.asked) == 6
        names = Counter(each.rubric.partition("@")[0] for each in comparisons(workspace.ledger))
        assert names == {"exam": 4, "clinical": 2}

    def test_an_endpoint_error_keeps_what_was_answered(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(number) for number in range(4)], TEXTS[:2], OURS)
        with serving(in_turn(*[verdict("a_better")] * 3, failure(401))) as failing:
            judging = judged_by(workspace, failing, concurrency=1)
            with pytest.raises(EndpointError, match="the key is refused"):
                compare(judging, OURS)
        kept = comparisons(workspace.ledger)
        assert [each.verdict for each in kept].count("invalid") == 0
        assert len(kept) == 3
        assert latest(workspace.ledger, 1, "judge")[0].event == "failed"
        with serving(lambda _: verdict("a_better")) as mended:
            report = compare(judged_by(workspace, mended), OURS)
            assert (report.new, report.known, len(mended.asked)) == (5, 3, 5)

    def test_the_metric_and_the_judge_do_not_count_as_each_other(self, workspace: Workspace, server: Scripted) -> None:
        answered(workspace.ledger, [question(0)], TEXTS[:2], OURS)
        compare(workspace, OURS)
        assert compare(judged_by(workspace, server), OURS).new == 2
        assert compare(workspace, OURS).known == 1


class TestMultipleChoice:
    MCQ = question(0, kind="mcq", options=("Repair", "Wait"), answer="A", split="eval")

    def test_the_key_settles_it_without_a_call(self, workspace: Workspace, server: Scripted) -> None:
        right, wrong = answers(self.MCQ, OURS, ["The answer is A."]), answers(self.MCQ, THEIRS, ["The answer is B."])
        workspace.ledger.append([self.MCQ, OURS, THEIRS, *right, *wrong])
        judging = judged_by(workspace, server)
        report = compare(judging, OURS, THEIRS)
        (made,) = comparisons(workspace.ledger)
        assert made.assessor == KEY_ASSESSOR
        assert made.verdict == ("a" if made.model_a == OURS.id else "b")
        assert (report.new, server.keys) == (1, [])
        assert compare(judging, OURS, THEIRS).new == 0

    def test_the_judge_is_asked_where_the_key_cannot_tell(self, workspace: Workspace, server: Scripted) -> None:
        texts = ["The answer is A.", "The answer is B.", "It is one of them."]
        workspace.ledger.append([self.MCQ, OURS, *answers(self.MCQ, OURS, texts)])
        report = compare(judged_by(workspace, server), OURS, split="eval")
        assert Counter(each.assessor for each in comparisons(workspace.ledger)) == {
            KEY_ASSESSOR: 1,
            f"judge:{MODEL}": 4,
        }
        assert (report.new, len(server.asked)) == (5, 4)
        again = compare(judged_by(workspace, server), OURS, split="eval")
        assert (again.new, again.known, len(server.asked)) == (0, 6, 4)


class TestPassingFailures:
    """A time-out says nothing of the contest: it is asked again, and the answer takes the failure's place."""

    @pytest.fixture
    def eval_workspace(self, workspace: Workspace) -> Workspace:
        prompt = question(0, split="eval")
        both = answers(prompt, OURS, TEXTS[:1]) + answers(prompt, THEIRS, TEXTS[1:2])
        workspace.ledger.append([prompt, OURS, THEIRS, *both])
        return workspace

    @pytest.mark.parametrize(
        ("answer", "cause", "settings"),
        [
            (failure(500), "server error 500", {}),
            (failure(503), "server error 503", {}),
            (failure(429), "rate limited", {}),
            (Answer(body=b"{", cut=True), "connection cut", {}),
            (Answer(drip=True), "timeout", {"timeout_seconds": 1}),
        ],
    )
    def test_it_is_asked_again_and_replaced(
        self, eval_workspace: Workspace, answer: Answer, cause: str, settings: dict[str, Any]
    ) -> None:
        with serving(lambda _: answer) as failing:
            report = compare(judged_by(eval_workspace, failing, **settings), OURS, THEIRS)
        assert report.causes == {cause: 2}
        assert [each.invalid for each in contest_table(eval_workspace.ledger, OURS.id, THEIRS.id)] == [2]
        with serving(in_turn(verdict("a_better"), failure(502))) as half:
            judging = judged_by(eval_workspace, half, concurrency=1)
            assert compare(judging, OURS, THEIRS).verdicts == {"a": 1, "invalid": 1}
        (tally,) = contest_table(eval_workspace.ledger, OURS.id, THEIRS.id)
        assert (tally.wins + tally.losses, tally.invalid) == (1, 1)
        with serving(lambda _: verdict("b_better")) as mended:
            judging = judged_by(eval_workspace, mended)
            assert compare(judging, OURS, THEIRS).new == 1
            assert compare(judging, OURS, THEIRS).known == 2
            assert len(mended.asked) == 1
        (tally,) = contest_table(eval_workspace.ledger, OURS.id, THEIRS.id)
        assert (tally.wins + tally.losses, tally.invalid) == (2, 0)
        assert eval_workspace.ledger.count(Comparison) >= 4  # the failures stay on record

    def test_failing_again_in_other_words_counts_once(self, eval_workspace: Workspace) -> None:
        for said in ("one", "two", "two"):
            with serving(lambda _, said=said: failure(500, said)) as failing:  # type: ignore[misc]
                compare(judged_by(eval_workspace, failing), OURS, THEIRS)
        assert eval_workspace.ledger.count(Comparison) == 4
        assert [each.invalid for each in contest_table(eval_workspace.ledger, OURS.id, THEIRS.id)] == [2]

    @pytest.mark.parametrize(
        "answer",
        [completion("I cannot say"), completion("no", refusal="no"), completion("{", finish="length"), failure(400)],
    )
    def test_what_would_come_out_the_same_is_not_asked_again(self, eval_workspace: Workspace, answer: Answer) -> None:
        with serving(lambda _: answer) as stubborn:
            judging = judged_by(eval_workspace, stubborn)
            assert compare(judging, OURS, THEIRS).verdicts == {"invalid": 2}
            asked = len(stubborn.asked)
            assert compare(judging, OURS, THEIRS).known == 2
            assert len(stubborn.asked) == asked

    def test_only_the_same_question_is_replaced(self, eval_workspace: Workspace, server: Scripted) -> None:
        """An answer to the other order, by another assessor or another rubric leaves a failure as it is."""
        with serving(lambda _: failure(500)) as failing:
            compare(judged_by(eval_workspace, failing), OURS, THEIRS)
        Path(eval_workspace.root, "mine.md").write_text("Prefer the shorter one.", encoding="utf-8")
        compare(judged_by(eval_workspace, server, rubric="mine.md"), OURS, THEIRS)
        compare(eval_workspace, OURS, THEIRS)
        tallies = {each.assessor: each for each in contest_table(eval_workspace.ledger, OURS.id, THEIRS.id)}
        assert tallies[f"judge:{MODEL}"].invalid == 2
        assert tallies[REFERENCE_ASSESSOR].invalid == 0

    def test_a_pair_comes_from_the_later_answer(self, workspace: Workspace) -> None:
        answered(workspace.ledger, [question(0)], TEXTS[:2], OURS)
        with serving(lambda _: failure(500)) as failing:
            compare(judged_by(workspace, failing), OURS)
        assert build_pairs(workspace, OURS).left_out == {"invalid only": 1}

        def first_text_wins(body: dict[str, Any]) -> Answer:
            return verdict("a_better" if shown(body, "ANSWER A") == f"| {TEXTS[0]}" else "b_better")

        with serving(first_text_wins) as mended:
            compare(judged_by(workspace, mended), OURS)
        assert len(build_pairs(workspace, OURS).pairs) == 1
        (pair,) = workspace.ledger.read(Pair)
        assert workspace.ledger.get(Candidate, pair.chosen).text == TEXTS[0]
        valid = [each.id for each in comparisons(workspace.ledger) if each.verdict != "invalid"]
        assert pair.comparisons == tuple(sorted(valid))


def test_without_a_judge_it_is_the_metric(workspace: Workspace) -> None:
    (assessor,) = configured_assessors(workspace)
    assert (assessor.name, assessor.versions, assessor.orders) == (
        REFERENCE_ASSESSOR,
        (reference_rubric().version,),
        ("ab",),
    )
