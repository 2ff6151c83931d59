from __future__ import annotations

import pytest

from ledger.errors import ConfigError, InputError
from sampling.layouts import choose_layout


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ("messages mode kind topic context options answer reference", "wardround"),
        ("question", "wardround"),
        ("id question options answer reference", "wardround"),
        ("id question answer source focus url qtype", "medquad"),
        ("question answer", "medquad"),
        ("pmid question contexts long_answer final_decision", "pubmedqa"),
        ("pubid question context long_answer final_decision", "pubmedqa_hub"),
        ("id question options answer_key answer rationale subject", "medmcqa"),
        ("id question opa opb opc opd cop exp subject_name", "medmcqa_hub"),
    ],
)
def test_columns_show_the_layout(columns: str, name: str) -> None:
    assert choose_layout(None, columns.split(), {}, "f").name == name


def test_no_layout_fits_names_the_columns() -> None:
    with pytest.raises(InputError, match=r"f: no layout fits the columns Q, A -> .*import\.layouts"):
        choose_layout(None, ["Q", "A"], {}, "f")


def test_an_unknown_layout_names_the_columns_and_the_layouts() -> None:
    with pytest.raises(InputError, match="no layout mine; the file has the columns Q, A -> use one of wardround"):
        choose_layout("mine", ["Q", "A"], {}, "f")


def test_a_layout_whose_columns_are_missing() -> None:
    with pytest.raises(
        InputError, match=r"layout pubmedqa needs the columns .*long_answer; the file has question, answer"
    ):
        choose_layout("pubmedqa", ["question", "answer"], {}, "f")


def test_the_configurations_layouts_go_first() -> None:
    own = {"mine": {"question": "question", "reference": "answer", "topic": "ward"}}
    assert choose_layout(None, ["question", "answer", "ward"], own, "f").name == "mine"
    assert choose_layout(None, ["question", "answer"], own, "f").name == "medquad"
    assert choose_layout("medquad", ["question", "answer", "ward"], own, "f").name == "medquad"


def test_several_of_the_configurations_layouts() -> None:
    own = {"one": {"question": "Q"}, "two": {"question": "Q"}}
    with pytest.raises(InputError, match="several layouts fit: one, two -> choose one with --layout"):
        choose_layout(None, ["Q"], own, "f")
    assert choose_layout("two", ["Q"], own, "f").name == "two"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"question": "Q", "solution": "A"}, "unknown field solution"),
        ({"reference": "A"}, "where the question is"),
        ({"question": "Q", "answer_form": "roman"}, "unknown answer_form roman"),
    ],
)
def test_a_wrong_layout_in_the_configuration(table: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"import\.layouts\.mine.*{reason}"):
        choose_layout(None, ["Q", "A"], {"mine": table}, "f")


def test_options_over_several_columns() -> None:
    layout = choose_layout(None, ["Q", "a", "b"], {"mine": {"question": "Q", "options": "a, b"}}, "f")
    assert layout.fields({"Q": "why?", "a": "x", "b": "y"}) == {"question": "why?", "options": ["x", "y"]}


def test_a_column_with_a_comma_in_its_name() -> None:
    layout = choose_layout(None, ["Q, long", "x"], {"mine": {"question": "Q, long"}}, "f")
    assert layout.fields({"Q, long": "why?"}) == {"question": "why?"}
