from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.probes.option_orders import orders, reordered, showings, written_order
from ledger.records import Message, Prompt
from sampling.chat import LETTERS
from tests.real_data import real_file

NERVES = ("Ilioinguinal", "Genitofemoral", "Femoral", "Obturator")


def asked(*options: str, answer: str = "A", number: int = 0) -> Prompt:
    return Prompt(
        (Message("user", f"Which nerve, in case {number}?"),),
        mode="exam",
        kind="mcq",
        context=("A passage.",),
        options=options,
        answer=answer,
        reference="A, since ...",
        split="eval",
        topic="hernia",
        source="file.jsonl",
        group="abc",
    )


def test_orders_are_other_cyclic_shifts_as_many_as_there_are() -> None:
    prompt = asked(*NERVES)
    assert sorted(orders(prompt, 9)) == [(1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)]
    assert len(orders(prompt, 2)) == 2
    assert set(orders(prompt, 1)) <= set(orders(prompt, 3))
    assert orders(prompt, 0) == []
    assert orders(prompt, 2) == orders(asked(*NERVES), 2)


@given(st.integers(1, 10), st.integers(0, 12), st.integers(0, 10**6))
def test_orders_are_distinct_permutations_of_any_number_of_options(options: int, n: int, number: int) -> None:
    prompt = asked(*(f"Sign {chr(0x3B1 + each)}" for each in range(options)), number=number)
    found = orders(prompt, n)
    assert len(found) == min(n, options - 1)
    assert len({*found, written_order(prompt)}) == len(found) + 1
    assert all(sorted(each) == list(range(options)) for each in found)


def test_the_key_comes_to_every_other_place_over_many_questions() -> None:
    found = Counter(reordered(prompt, orders(prompt, 1)[0]).answer for prompt in _many(600))
    assert set(found) == {"B", "C", "D"}
    assert min(found.values()) > 160  # of 200 expected


def _many(n: int) -> list[Prompt]:
    return [asked(*NERVES, number=number) for number in range(n)]


@pytest.mark.parametrize("last", ["All of the above", "None of the above.", "None", "Both of these", "Neither of them"])
def test_an_option_that_speaks_of_those_above_stays_last(last: str) -> None:
    prompt = asked("Gauze", "Drain", "Suture", last)
    assert sorted(orders(prompt, 9)) == [(1, 2, 0, 3), (2, 0, 1, 3)]
    two = asked("Gauze", "Drain", "All of the above", last)
    assert orders(two, 9) == [(1, 0, 2, 3)]


@pytest.mark.parametrize(
    "options",
    [
        ("Gauze", "Drain", "A and B", "Suture"),
        ("Gauze", "Drain", "Suture", "Both a & c"),
        ("Gauze", "Drain", "Suture", "A, B and C"),
        ("Gauze", "Drain", "Suture", "Only B"),
        ("Gauze", "Drain", "Suture", "A only"),
        ("Gauze", "Drain", "Suture", "1 and 3"),
        ("Gauze", "Drain", "Suture", "Option B is wrong"),
        ("Gauze", "All of the above", "Drain", "Suture"),  # above: one only
        ("None", "Gauze", "Drain", "Suture"),
        ("All of the below", "Gauze", "Drain", "Suture"),
        ("Gauze", "None of the above"),
        ("Gauze",),
    ],
)
def test_no_other_order_where_options_name_places(options: tuple[str, ...]) -> None:
    assert orders(asked(*options), 9) == []


@pytest.mark.parametrize(
    "option",
    [
        "Above-knee amputation",
        "A bone and a clip",
        "Vitamin K and D3",
        "Hepatitis B",
        "All patients need an X-ray",
        "Both lungs",
        "A 2-3 cm margin",
        "None of 2 cm or more",
        "Below-knee amputation",
    ],
)
def test_plain_options_are_moved(option: str) -> None:
    assert len(orders(asked("Gauze", option, "Drain", "Suture"), 9)) == 3


def test_reordering_moves_options_and_key_together() -> None:
    prompt = asked(*NERVES, answer="B")
    moved = reordered(prompt, (3, 0, 1, 2))
    assert moved.options == ("Obturator", "Ilioinguinal", "Genitofemoral", "Femoral")
    assert moved.answer == "C"
    assert (moved.split, moved.reference, moved.source) == ("probe", None, f"order of {prompt.id}")
    assert (moved.messages, moved.mode, moved.kind, moved.context) == (
        prompt.messages,
        prompt.mode,
        prompt.kind,
        prompt.context,
    )
    assert (moved.topic, moved.group) == ("hernia", "abc")
    assert moved.id != prompt.id


def test_every_order_shows_the_right_text_under_the_key() -> None:
    for answer in LETTERS[:4]:
        prompt = asked(*NERVES, answer=answer)
        for each in orders(prompt, 3):
            moved = reordered(prompt, each)
            assert moved.answer
            assert moved.options[LETTERS.index(moved.answer)] == NERVES[LETTERS.index(answer)]


def test_showings_begin_with_the_question_as_written() -> None:
    prompt = asked(*NERVES)
    shown = showings(prompt, 3)
    assert [each.order for each in shown] == [(0, 1, 2, 3), *orders(prompt, 2)]
    assert shown[0].prompt is prompt
    assert {each.question for each in shown} == {prompt.id}
    assert len({each.prompt.id for each in shown}) == 3
    assert showings(Prompt((Message("user", "Why?"),)), 3) == []


def test_nearly_all_real_questions_can_be_shuffled() -> None:
    lines = real_file("medmcqa_surgical/medmcqa_surgical.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    found = [(row, orders(asked(*row["options"].values(), answer=row["answer_key"]), 3)) for row in rows]
    assert sum(bool(each) for _, each in found) > 0.95 * len(rows)
    ending = [each for row, each in found if row["options"]["D"] == "All of the above"]
    assert ending
    assert all(order[-1] == 3 for each in ending for order in each)
