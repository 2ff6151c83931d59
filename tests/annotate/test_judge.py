"""Each contest in both orders; nothing lost, nothing made up, nothing sent that must stay."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from annotate.judge import Work, both_orders, judge
from annotate.prepared import LOOKED_UP
from annotate.rubric import Rubric, RubricByMode
from ledger.errors import EndpointError
from ledger.records import Comparison, Message, Prompt
from ledger.store import Ledger
from tests.annotate.judged import ASSESSOR, PROMPT, RUBRIC, a_contest, calling, judged
from tests.openai_server import (
    Answer,
    Script,
    Scripted,
    answering,
    completion,
    failure,
    in_turn,
    serving,
    shown,
    verdict,
)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def prefers(text: str, rationale: str = "because") -> Script:
    """A judge that sees through the order."""
    return lambda body: verdict(
        "a_much_better" if shown(body, "ANSWER A").startswith(f"| {text}") else "b_much_better", rationale
    )


def test_both_orders_are_two_records_in_canonical_terms() -> None:
    met = a_contest()
    winner = "a" if met.a.text == "good" else "b"
    with serving(prefers("good")) as server:
        one, other = sorted(judged(server, [met]), key=lambda comparison: comparison.order)
    assert (one.order, other.order) == ("ab", "ba")
    for comparison in (one, other):
        assert comparison.verdict == winner
        assert comparison.strength == (0.9 if winner == "a" else 0.1)
        assert (comparison.prompt, comparison.a, comparison.b) == (PROMPT.id, met.a.id, met.b.id)
        assert (comparison.model_a, comparison.model_b) == (met.a.model, met.b.model)
        assert (comparison.assessor, comparison.rubric) == (ASSESSOR, RUBRIC.version)
        assert (comparison.rationale, comparison.reply, comparison.cause) == ("because", "", "")
        assert (comparison.tokens, comparison.cost) == (7, 0)
        assert comparison.seconds > 0


def test_a_judge_that_goes_by_position_contradicts_itself() -> None:
    with serving(in_turn(verdict("a_better"))) as server:
        comparisons = judged(server, [a_contest()])
    assert {(comparison.order, comparison.verdict, comparison.strength) for comparison in comparisons} == {
        ("ab", "a", 0.7),
        ("ba", "b", 0.3),
    }


def test_only_the_given_work_is_done() -> None:
    with serving(in_turn(verdict("tie"))) as server:
        comparisons = judged(server, [Work(a_contest(), "ba"), a_contest("x", "y")])
    assert Counter(comparison.order for comparison in comparisons) == {"ba": 2, "ab": 1}
    assert len(server.asked) == 3
    assert list(both_orders([a_contest()])) == [Work(a_contest(), "ab"), Work(a_contest(), "ba")]


@pytest.mark.parametrize(
    ("answer", "cause", "kept"),
    [
        (completion("Answer A is better."), "unparsable", "Answer A is better."),
        (completion('{"rationale": "r", "verdict": "a"}'), "unparsable", '{"rationale": "r", "verdict": "a"}'),
        (completion('{"rationale": "A is', finish="length"), "cut", '{"rationale": "A is'),
        (completion(None), "empty", ""),
        (Answer(body=b'{"choices": []}'), "empty", '{"choices": []}'),
        (completion(None, refusal="No."), "refused", "No."),
        (failure(500, "boom"), "server error 500", "boom"),
        (failure(429), "rate limited", "no"),
        (failure(400, "maximum context length is 512"), "over-long", "512"),
        (Answer(body=b"{nonsense"), "malformed response", "{nonsense"),
        (Answer(body=b"{", cut=True), "connection cut", ""),
        (Answer(body=b" ", drip=True), "timeout", ""),
    ],
)
def test_a_failure_is_invalid_with_its_cause_and_the_raw_reply(answer: Answer, cause: str, kept: str) -> None:
    with serving(in_turn(answer)) as server:
        comparisons = judged(server, [a_contest()], timeout_seconds=0.5 if cause == "timeout" else 5, repairs=0)
    assert len(server.asked) == 2
    assert len(comparisons) == 2
    for comparison in comparisons:
        assert (comparison.verdict, comparison.cause, comparison.strength) == ("invalid", cause, 0.5)
        assert comparison.rationale == ""
        assert kept in comparison.reply


def test_prose_around_a_verdict_is_kept() -> None:
    text = 'Let me see.\n```json\n{"rationale": "r", "verdict": "both_bad"}\n```'
    with serving(in_turn(completion(text))) as server:
        comparisons = judged(server, [a_contest()])
    assert {(c.verdict, c.strength, c.rationale, c.reply) for c in comparisons} == {("both_bad", 0.5, "r", text)}


SCORED = Rubric("scored", "1. **Accuracy.** True.\n2. **Safety.** Harmless.")


def test_scores_are_kept_in_canonical_terms() -> None:
    scores = {"accuracy": {"a": 5, "b": 2}, "safety": {"a": 4, "b": 3}}
    text = json.dumps({"rationale": "r", "scores": scores, "verdict": "a_better"})
    with serving(in_turn(completion(text))) as server:
        one, other = sorted(judged(server, [a_contest()], rubric=SCORED), key=lambda comparison: comparison.order)
    assert one.axes == {"accuracy": [5, 2], "safety": [4, 3]}
    assert other.axes == {"accuracy": [2, 5], "safety": [3, 4]}
    assert one.reply == other.reply == ""
    wanted = server.asked[0]["response_format"]["json_schema"]["schema"]["properties"]
    assert list(wanted["scores"]["properties"]) == ["accuracy", "safety"]


def test_the_strength_is_the_expected_value_where_the_server_tells_probabilities() -> None:
    told = [{"token": "a_better", "logprob": math.log(0.6)}, {"token": "tie", "logprob": math.log(0.4)}]
    tokens = [
        {"token": '{"rationale": "r", "verdict": "', "logprob": 0.0},
        {**told[0], "top_logprobs": told},
        {"token": '"}', "logprob": 0.0},
    ]
    text = "".join(str(token["token"]) for token in tokens)
    choice = {"message": {"content": text}, "logprobs": {"content": tokens}}
    with serving(in_turn(answering([choice]))) as server:
        comparisons = judged(server, [a_contest()])
    assert {(each.order, each.verdict, each.strength) for each in comparisons} == {("ab", "a", 0.62), ("ba", "b", 0.38)}


def test_each_question_is_judged_by_the_rubric_of_its_mode() -> None:
    by_mode = RubricByMode(Rubric("at_the_bedside", "1. **Calm.** Yes."), Rubric("at_the_board", "Be exact."))
    exam = replace(PROMPT, mode="exam")
    with serving(in_turn(verdict("tie"))) as server:
        comparisons = judged(server, [a_contest(), a_contest(prompt=exam)], rubric=by_mode)
    assert {(each.prompt, each.rubric) for each in comparisons} == {
        (PROMPT.id, by_mode.clinical.version),
        (exam.id, by_mode.exam.version),
    }
    for body in server.asked:
        system = body["messages"][0]["content"]
        clinical = shown(body, "SETTING").startswith("| clinical")
        assert ("1. **Calm.**" in system) == clinical == ('"calm"' in json.dumps(body))


def test_an_empty_answer_loses_without_a_call() -> None:
    met = [a_contest(f"good {number}", " \n") for number in range(8)]
    with serving(in_turn(verdict("tie"))) as server:
        comparisons = judged(server, met)
    assert len(comparisons) == 16
    assert {comparison.verdict for comparison in comparisons} == {"a", "b"}
    empty = next(c.b.id if c.a.text.strip() else c.a.id for c in met)
    for comparison in comparisons:
        side, strength = ("a", 0.9) if comparison.b == empty else ("b", 0.1)
        loser = "b" if side == "a" else "a"
        assert (comparison.verdict, comparison.strength) == (side, strength)
        assert comparison.rationale == f"{loser} is no answer: empty"
    assert server.asked == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", " ", ("invalid", "", "both empty")), ("x", "x ", ("tie", "identical answers", ""))],
)
def test_what_needs_no_judge_gets_none(one: str, other: str, expected: tuple[str, str, str]) -> None:
    with serving(in_turn(verdict("a_better"))) as server:
        comparisons = judged(server, [a_contest(one, other)])
    assert {(c.verdict, c.rationale, c.cause) for c in comparisons} == {expected}
    assert server.asked == []


IDENTIFYING = "Mr John Smith, MRN 4455667, was seen on 12/03/2024."


@pytest.mark.parametrize("place", ["answer", "question", "earlier turn", "passage", "reference"])
def test_possible_identifiers_do_not_leave_the_hospital(place: str) -> None:
    turns = (Message("user", "Hello."), Message("assistant", "Yes?"), Message("user", "Which repair?"))
    prompt = Prompt(
        messages=tuple(
            Message(turn.role, IDENTIFYING) if (place, number) in (("question", 2), ("earlier turn", 0)) else turn
            for number, turn in enumerate(turns)
        ),
        context=(IDENTIFYING,) if place == "passage" else (),
        reference=IDENTIFYING if place == "reference" else None,
    )
    met = a_contest(IDENTIFYING if place == "answer" else "mesh", "suture", prompt)
    with serving(in_turn(verdict("tie"))) as server:
        comparisons = judged(server, [met, a_contest()], foreign=True)
    causes = {c.cause for c in comparisons if c.prompt == prompt.id}
    assert len(comparisons) == 4
    assert len(causes) == 1
    assert causes.pop().startswith("withheld: possible identifiers (")
    assert all(c.verdict == "invalid" for c in comparisons if c.prompt == prompt.id)
    assert [c.verdict for c in comparisons if c.prompt != prompt.id] == ["tie", "tie"]
    assert len(server.asked) == 2
    assert "Smith" not in json.dumps(server.asked)
    assert "Smith" not in repr([c.cause for c in comparisons])


def test_inside_the_house_nothing_is_withheld() -> None:
    with serving(in_turn(verdict("tie"))) as server:
        assert {c.verdict for c in judged(server, [a_contest(IDENTIFYING, "x")])} == {"tie"}


def test_work_is_read_a_bounded_number_of_pieces_ahead() -> None:
    read, asked_when_read = 0, []

    def work() -> Iterator[Work]:
        nonlocal read
        for number in range(3 * LOOKED_UP):
            read += 1
            asked_when_read.append(read - len(server.asked))
            yield Work(a_contest(f"good {number}", "poor"), "ab")

    with serving(in_turn(verdict("tie"))) as server:
        comparisons = judged(server, work(), concurrency=4)
        assert server.most_in_flight <= 4
    assert len({comparison.id for comparison in comparisons}) == 3 * LOOKED_UP
    assert max(asked_when_read) <= LOOKED_UP + 5


def test_no_more_is_unsaved_than_may_be_in_flight() -> None:
    unsaved = []

    async def run(server: Scripted) -> None:
        todo = (Work(a_contest(f"good {number}", "poor"), "ab") for number in range(40))
        saved = 0
        async with calling(server, concurrency=4) as caller:
            async for made in judge(todo, caller, RUBRIC):
                await asyncio.sleep(0.02)  # long enough for further calls, if there were any
                unsaved.append(len(server.asked) - saved)
                saved += len(made)
        assert saved == 40

    with serving(in_turn(verdict("tie"))) as server:
        asyncio.run(run(server))
    assert max(unsaved) == 4


def test_calls_go_out_side_by_side() -> None:
    import threading

    together = threading.Barrier(4)

    def script(_body: dict[str, Any]) -> Answer:
        together.wait(timeout=5)  # answers only when four calls are there at once
        return verdict("tie")

    with serving(script) as server:
        assert len(judged(server, [a_contest("p", "q"), a_contest("r", "s")], concurrency=4)) == 4


def test_what_was_answered_before_the_end_is_not_lost() -> None:
    got: list[Comparison] = []
    work = [Work(a_contest(f"good {number}", "poor"), "ab") for number in range(30)]

    async def run(server: Scripted) -> None:
        async with calling(server, concurrency=4) as caller:
            async for made in judge(work, caller, RUBRIC):
                got.extend(made)

    answers = [verdict("tie")] * 10 + [failure(401, "key revoked")]
    with serving(in_turn(*answers)) as server, pytest.raises(EndpointError, match="key is refused"):
        asyncio.run(run(server))
    assert len(got) == 10
    assert len(server.asked) <= 14


def test_a_call_in_flight_at_the_end_is_waited_for() -> None:
    again = in_turn(failure(500, headers=(("Retry-After", "0.3"),)), verdict("tie"))
    got: list[Comparison] = []

    def script(body: dict[str, Any]) -> Answer:
        return again(body) if "| slow" in body["messages"][1]["content"] else failure(401, "key revoked")

    async def run(server: Scripted) -> None:
        work = [Work(a_contest(text, "poor"), "ab") for text in ("slow", "fast")]
        async with calling(server, retries=1) as caller:
            async for made in judge(work, caller, RUBRIC):
                got.extend(made)

    with serving(script) as server, pytest.raises(EndpointError, match="key is refused"):
        asyncio.run(run(server))
    assert [comparison.verdict for comparison in got] == ["tie"]


def test_leaving_early_cancels_what_is_in_flight() -> None:
    async def run(server: Scripted) -> int:
        async with calling(server, timeout_seconds=60) as caller:
            todo = both_orders(a_contest(str(number), "x") for number in range(9))
            async with aclosing(judge(todo, caller, RUBRIC)) as made:
                async for _ in made:
                    break
            return len(asyncio.all_tasks())

    with serving(in_turn(verdict("tie"), Answer(body=b" ", drip=True))) as server:
        assert asyncio.run(asyncio.wait_for(run(server), 10)) <= 2


def test_comparisons_are_records_that_the_ledger_takes(ledger: Ledger) -> None:
    met = a_contest("good \U0001f600", "poor")
    with serving(prefers("poor", rationale="nul \x00 and \ud800")) as server:
        comparisons = judged(server, [met])
        again = judged(server, [met])
    assert {c.id for c in comparisons} == {c.id for c in again}
    ledger.append([PROMPT, met.a, met.b])
    assert ledger.append([*comparisons, *again]) == 2
    assert list(ledger.read(Comparison)) == comparisons
