from __future__ import annotations

import random
from dataclasses import asdict

import orjson
import pytest

from align.probes.exam import ExamAnswer
from align.probes.exam_report import Exam, exam
from align.probes.option_orders import showings
from ledger.records import Message, Prompt
from sampling.chat import LETTERS

RESAMPLES = 500


def questions(n: int, seed: int = 0) -> list[Prompt]:
    rng = random.Random(seed)
    return [
        Prompt(
            (Message("user", f"Case {number}?"),),
            mode="exam",
            kind="mcq",
            options=("Gauze", "Drain", "Suture", "Clip"),
            answer=rng.choice("ABCD"),
        )
        for number in range(n)
    ]


def reported(asked: list[Prompt], answers: list[ExamAnswer]) -> Exam:
    found = exam({each.id: each for each in asked}, answers, resamples=RESAMPLES)
    assert found is not None
    return found


def test_a_model_that_knows_everything() -> None:
    asked = questions(60)
    shown = [each for prompt in asked for each in showings(prompt, 3)]
    found = reported(asked, [ExamAnswer(each.question, each.order, each.prompt.answer) for each in shown])
    assert (found.questions, found.showings, found.unreadable) == (60, 180, 0)
    assert found.accuracy.estimate == found.readable_accuracy.estimate == found.consistency.estimate == 1.0
    assert found.accuracy.low is not None
    assert 0.9 < found.accuracy.low < 1
    assert found.chance == 0.25
    assert all(place.picked == place.keys for place in found.places)
    assert not any(place.is_favoured for place in found.places)
    assert sum(place.picked for place in found.places) == 180
    assert "exam accuracy 100.0%" in found.text()


def test_a_model_that_always_picks_one_place_is_seen() -> None:
    asked = questions(80)
    shown = [each for prompt in asked for each in showings(prompt, 4)]
    found = reported(asked, [ExamAnswer(each.question, each.order, "C") for each in shown])
    assert found.accuracy.estimate == 0.25
    assert found.consistency.estimate == 0.0
    assert [place.picked for place in found.places] == [0, 0, 320, 0]
    assert [place.keys for place in found.places] == [80, 80, 80, 80]  # all shifts: each key at each place once
    assert [place.is_favoured for place in found.places] == [False, False, True, False]
    assert found.places[2].excess.estimate == pytest.approx(0.75)
    assert "C is picked too often, by 75.0%" in found.text()


def test_a_model_that_guesses_favours_no_place() -> None:
    rng = random.Random(3)
    asked = questions(300)
    shown = [each for prompt in asked for each in showings(prompt, 2)]
    found = reported(asked, [ExamAnswer(each.question, each.order, rng.choice("ABCD")) for each in shown])
    for place in found.places:
        assert place.excess.low is not None
        assert place.excess.high is not None
        assert place.excess.low < 0 < place.excess.high
    assert found.accuracy.low is not None
    assert found.accuracy.high is not None
    assert found.accuracy.low < 0.25 < found.accuracy.high
    assert found.accuracy.high - found.accuracy.low < 0.1


def test_unreadable_answers_are_not_right_and_stay_out_of_places_and_consistency() -> None:
    asked = questions(4)
    answers = []
    for number, prompt in enumerate(asked):
        first, second = showings(prompt, 2)
        answers.append(ExamAnswer(prompt.id, first.order, first.prompt.answer))
        answers.append(ExamAnswer(prompt.id, second.order, None if number < 2 else second.prompt.answer))
    found = reported(asked, answers)
    assert found.unreadable == 2
    assert found.accuracy.estimate == 0.75
    assert found.readable_accuracy.estimate == 1.0
    assert (found.consistency.estimate, found.consistency.n_prompts) == (1.0, 2)
    assert sum(place.picked for place in found.places) == 6
    assert "2 of them state no option" in found.text()


def test_nothing_readable_and_nothing_asked() -> None:
    asked = questions(3)
    found = reported(asked, [ExamAnswer(each.id, (0, 1, 2, 3), None) for each in asked])
    assert found.accuracy.estimate == 0.0
    assert found.readable_accuracy.estimate is None
    assert found.consistency.estimate is None
    assert found.text()
    assert exam({}, []) is None
    assert exam({each.id: each for each in asked}, []) is None


def test_facts_are_plain_json() -> None:
    asked = questions(5)
    found = reported(asked, [ExamAnswer(each.id, (0, 1, 2, 3), "A") for each in asked])
    facts = orjson.loads(orjson.dumps(asdict(found)))
    assert facts["questions"] == 5
    assert [place["letter"] for place in facts["places"]] == list(LETTERS[:4])


def test_the_order_of_answers_does_not_matter() -> None:
    rng = random.Random(5)
    asked = questions(30)
    answers = [ExamAnswer(s.question, s.order, rng.choice("ABCD")) for each in asked for s in showings(each, 2)]
    shuffled = rng.sample(answers, len(answers))
    one, other = reported(asked, answers), reported(asked, shuffled)
    assert one.accuracy.estimate == other.accuracy.estimate
    assert one.text().splitlines()[-1] == other.text().splitlines()[-1]
