"""Two ratings amount to a comparison, and all ratings of a prompt's answers to the contest of best and worst."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from annotate.contests import Contest, round_robin
from annotate.rated import TIE_MARGIN, best_worst, derived
from ledger.config import JudgeConfig
from ledger.records import Candidate, Rating
from tests.annotate.judged import ASSESSOR, PROMPT, a_contest

CONTEST = replace(a_contest(), count=6)


def rating(answer: Candidate, score: float | None, *, cause: str = "", **met: bool) -> Rating:
    return Rating(
        PROMPT.id,
        answer.id,
        answer.model,
        ASSESSOR,
        score,
        met,
        "mine@12345678",
        "why",
        cause,
        "raw",
        "key",
        3,
        900,
        0.5,
    )


def of_both(contest: Contest, a: float | None, b: float | None, cause: str = "cut") -> tuple[Rating, Rating]:
    return (
        rating(contest.a, a, cause="" if a is not None else cause, safe=True, wrong=False),
        rating(contest.b, b, cause="" if b is not None else "unparsable", safe=True, wrong=True),
    )


def test_the_answer_with_more_points_is_preferred() -> None:
    said = derived(CONTEST, *of_both(CONTEST, 0.75, 0.4))
    assert (said.prompt, said.a, said.b) == (PROMPT.id, CONTEST.a.id, CONTEST.b.id)
    assert (said.model_a, said.model_b) == (CONTEST.a.model, CONTEST.b.model)
    assert (said.assessor, said.rubric, said.order) == (ASSESSOR, "mine@12345678", "ab")
    assert (said.verdict, said.cause, said.rationale) == ("a", "", "points: a 0.75, b 0.40")
    assert said.axes == {"safe": [1, 1], "wrong": [0, 1]}
    assert all(type(met) is int for both in said.axes.values() for met in both)
    assert said.count == 6


def test_it_is_paid_for_already() -> None:
    said = derived(CONTEST, *of_both(CONTEST, 0.75, 0.4))
    assert (said.tokens, said.cost, said.seconds, said.call, said.reply) == (0, 0.0, 0.0, None, "")


@pytest.mark.parametrize(("a", "b"), [(0.75, 0.5), (0.25, 0.5), (1.0, 0.0), (0.0, 1.0), (0.5, 0.4)])
def test_strength_is_the_logistic_of_four_times_the_difference(a: float, b: float) -> None:
    said = derived(CONTEST, *of_both(CONTEST, a, b))
    assert math.log(said.strength / (1 - said.strength)) == pytest.approx(4 * (a - b), abs=1e-4)
    assert said.strength == round(said.strength, 6)
    assert said.verdict == ("a" if a > b else "b")


@pytest.mark.parametrize(
    ("a", "b", "margin", "verdict"),
    [
        (0.5, 0.5, 0.0, "tie"),
        (0.75, 0.73, 0.02, "tie"),
        (0.73, 0.75, 0.02, "tie"),
        (0.75, 0.72, 0.02, "a"),
        (0.72, 0.75, 0.02, "b"),
        (0.51, 0.5, 0.0, "a"),
    ],
)
def test_scores_within_the_margin_are_a_tie(a: float, b: float, margin: float, verdict: str) -> None:
    said = derived(CONTEST, *of_both(CONTEST, a, b), margin)
    assert said.verdict == verdict
    assert (said.strength == 0.5) == (verdict == "tie")


def test_the_margin_is_that_of_the_configuration() -> None:
    assert JudgeConfig().tie_margin == TIE_MARGIN
    assert derived(CONTEST, *of_both(CONTEST, 0.5, 0.5 + TIE_MARGIN)).verdict == "tie"
    assert derived(CONTEST, *of_both(CONTEST, 0.5, 0.51 + TIE_MARGIN)).verdict == "b"


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [(None, 0.5, "cut"), (0.5, None, "unparsable"), (None, None, "cut, unparsable")],
)
def test_an_invalid_rating_makes_an_invalid_comparison(a: float | None, b: float | None, cause: str) -> None:
    said = derived(CONTEST, *of_both(CONTEST, a, b))
    assert (said.verdict, said.cause, said.strength, said.axes, said.rationale) == ("invalid", cause, 0.5, {}, "")
    assert said.rubric == "mine@12345678"
    assert said.count == 6


def test_no_points_are_points() -> None:
    assert derived(CONTEST, *of_both(CONTEST, 0.0, 0.0)).verdict == "tie"


def test_ratings_of_something_else_are_refused() -> None:
    a, b = of_both(CONTEST, 0.5, 0.7)
    with pytest.raises(ValueError, match="not of the contest"):
        derived(CONTEST, b, a)
    for other in (replace(b, assessor="judge:other"), replace(b, rubric="mine@00000000")):
        with pytest.raises(ValueError, match="one assessor"):
            derived(CONTEST, a, other)


def answers(*texts: str, model: str = "m", count: int = 1) -> list[Candidate]:
    made = (Candidate(PROMPT.id, model, text, count=count) for text in texts)
    return sorted(made, key=lambda candidate: candidate.id)


def met(contest: Contest | None) -> set[str]:
    assert contest is not None
    return {contest.a.id, contest.b.id}


def test_the_best_meets_the_worst() -> None:
    p, q, r, s = answers("p", "q", "r", "s", count=2)
    found = best_worst(PROMPT, [p, q, r, s], {p.id: 0.5, q.id: 0.9, r.id: 0.0, s.id: 0.4})
    assert met(found) == {q.id, r.id}
    assert found is not None
    assert found.count == 4


def test_of_equals_it_is_the_one_with_the_lower_id() -> None:
    p, q, r, s = answers("p", "q", "r", "s")
    assert met(best_worst(PROMPT, [s, r, q, p], {p.id: 0.1, q.id: 0.1, r.id: 0.9, s.id: 0.9})) == {p.id, r.id}
    assert met(best_worst(PROMPT, [s, r, q, p], {p.id: 0.9, q.id: 0.9, r.id: 0.1, s.id: 0.1})) == {p.id, r.id}


def test_where_all_are_equal_the_first_two_meet() -> None:
    p, q, r = answers("p", "q", "r")
    assert met(best_worst(PROMPT, [r, q, p], dict.fromkeys([p.id, q.id, r.id], 0.0))) == {p.id, q.id}


def test_answers_with_one_text_are_one_with_the_weight_of_all() -> None:
    good, poor = Candidate(PROMPT.id, "m", "good", count=2), Candidate(PROMPT.id, "m", "poor", count=3)
    again = Candidate(PROMPT.id, "n", " good\n", count=5)
    found = best_worst(PROMPT, [good, again, poor, poor], {good.id: 0.8, again.id: 0.8, poor.id: 0.2})
    assert found is not None
    assert found.count == 7 * 3
    (round_robins,) = round_robin(PROMPT, [good, again, poor], 1)
    assert found == round_robins


def test_of_one_text_the_answer_that_was_rated_stands_for_all() -> None:
    twins = sorted((Candidate(PROMPT.id, model, "good") for model in "mn"), key=lambda candidate: candidate.id)
    poor = Candidate(PROMPT.id, "m", "poor")
    found = best_worst(PROMPT, [*twins, poor], {twins[1].id: 0.8, poor.id: 0.2})
    assert met(found) == {twins[1].id, poor.id}
    assert found is not None
    assert found.count == 2


@pytest.mark.parametrize("high", [0.9, 0.1])
def test_the_lower_id_is_that_of_the_answer_that_was_rated(high: float) -> None:
    first, second = sorted((Candidate(PROMPT.id, model, "good") for model in "mn"), key=lambda candidate: candidate.id)
    poor = (Candidate(PROMPT.id, "m", "poor", seed=seed) for seed in range(1000))
    between = next(each for each in poor if first.id < each.id < second.id)
    alone = Candidate(PROMPT.id, "m", "alone")
    scores = {second.id: high, between.id: high, alone.id: 0.5}
    assert met(best_worst(PROMPT, [first, second, between, alone], scores)) == {between.id, alone.id}


def test_fewer_than_two_rated_texts_are_no_contest() -> None:
    p, q = answers("p", "q")
    twin = Candidate(PROMPT.id, "other", "p ")
    assert best_worst(PROMPT, [], {}) is None
    assert best_worst(PROMPT, [p, q], {p.id: 0.5}) is None
    first = next(each for each in (p, q) if each.text == "p")
    assert best_worst(PROMPT, [first, twin], {first.id: 0.1, twin.id: 0.9}) is None
    assert met(best_worst(PROMPT, [p, q], {p.id: 0.5, q.id: 0.0, "unknown": 1.0})) == {p.id, q.id}
