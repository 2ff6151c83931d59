from __future__ import annotations

from typing import Any

import pytest

from sampling.options import AnswerForm, Numbering, RowError, answer_letter, numbering_of, read_options

FOUR = ("Cystic duct", "Liver", "Duodenum", "Spleen")


@pytest.mark.parametrize(
    "written",
    [
        ["Cystic duct", "Liver", "Duodenum", "Spleen"],
        {"B": "Liver", "A": "Cystic duct", "C": "Duodenum", "D": "Spleen"},
        '["Cystic duct", " Liver ", "Duodenum", "Spleen"]',
        ["Cystic duct", "Liver", "Duodenum", "Spleen", None, ""],
    ],
)
def test_options_are_read(written: object) -> None:
    assert read_options(written) == FOUR


@pytest.mark.parametrize("written", [None, [], {}, "", float("nan"), [None, None]])
def test_no_options(written: object) -> None:
    assert read_options(written) == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (["one"], "fewer than 2 options"),
        (["one", "", "two"], "option B is empty"),
        (["Liver", " liver"], "duplicated options"),
        ({"A": "one", "C": "two"}, "options are not keyed"),
        ({"A": "one", "a": "two"}, "options are not keyed"),
        ("liver or spleen", "neither a list nor an object"),
        (["one", ["two"]], "option B is no text"),
        ([str(n) for n in range(11)], "more than 10"),
    ],
)
def test_bad_options(written: object, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read_options(written)


@pytest.mark.parametrize(
    ("answer", "form", "numbering", "letter"),
    [
        ("B", "any", None, "B"),
        ("b)", "letter", None, "B"),
        ("(c)", "any", None, "C"),
        (" liver", "any", None, "B"),
        ("liver", "text", None, "B"),
        (1, "any", 0, "B"),
        (1, "any", 1, "A"),
        ("2.0", "any", 1, "B"),
        (0, "index0", None, "A"),
        (4, "index1", None, "D"),
    ],
)
def test_answers_are_read(answer: Any, form: AnswerForm, numbering: Numbering | None, letter: str) -> None:
    assert answer_letter(answer, FOUR, form, numbering) == letter


@pytest.mark.parametrize(
    ("answer", "options", "form", "reason"),
    [
        (None, FOUR, "any", "without the answer"),
        ("E", FOUR, "any", "not among the options"),
        ("Kidney", FOUR, "any", "not among the options"),
        ("B", FOUR, "text", "not among the options"),
        ("Liver", FOUR, "letter", "not among the options"),
        (0, FOUR, "index1", "not among the options"),
        ("A", ("C", "A"), "any", "can mean A or B"),
        ("2", ("1", "2", "3"), "any", "can mean B or C"),
        (True, FOUR, "any", "no text"),
    ],
)
def test_bad_answers(answer: Any, options: tuple[str, ...], form: AnswerForm, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        answer_letter(answer, options, form, 0)


@pytest.mark.parametrize(
    ("answers", "numbering"),
    [(["A", "Liver"], None), ([0, 1, 3], 0), ([1, 4], 1), (["1", "4"], 1), ([1, 2], "unclear"), ([0, 4], "unclear")],
)
def test_where_numbers_begin(answers: list[Any], numbering: object) -> None:
    assert numbering_of((answer, FOUR) for answer in answers) == numbering


def test_a_number_that_is_an_option_tells_nothing() -> None:
    assert numbering_of([("4", ("2", "3", "4", "5"))]) is None
