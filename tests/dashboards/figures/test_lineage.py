"""Tests of dashboards/figures/lineage.py and ancestry.py."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from dashboards.figures.ancestry import MOST, boxes
from dashboards.figures.lineage import lineage_page
from dashboards.findings.lineage import Descent, Lineage, find_lineage
from ledger.store import Ledger
from ledger.workspace import open_workspace
from tests.dashboards.made_lineage import trained


@pytest.fixture
def found(folder: Path, ledger: Ledger) -> Lineage:
    trained(ledger)
    with open_workspace(folder, create=False) as workspace:
        return find_lineage(workspace)


def test_the_newest_model_in_a_sentence(found: Lineage) -> None:
    page = lineage_page(found)
    assert page.headline is not None
    assert page.headline.text == (
        "Round 2 (ipo) was trained on 1 pair, resting on 3 ratings, 2 of them by surgeons, "
        "of 2 answers to 1 question; it descends from SFT."
    )
    assert any(f"wardround trace {found.models[2].id[:12]}" in note.text for note in page.notes)


def test_where_the_lineage_begins(found: Lineage) -> None:
    page = lineage_page(found, model=found.models[0].id)
    assert page.headline is not None
    assert "where the lineage begins" in page.headline.text


def test_the_table_has_every_ancestor(found: Lineage) -> None:
    figure = lineage_page(found).parts[0].figures[0]
    table = figure.table
    assert list(dict.fromkeys(table["model"])) == ["SFT", "Round 1 (dpo)", "Round 2 (ipo)"]
    rows = table[(table["model"] == "Round 2 (ipo)") & (table["step"] == "ratings")]
    assert dict(zip(rows["of"], rows["records"], strict=True)) == {"surgeons": 2, "judge:large": 1}
    assert figure.chart is not None
    figure.chart.to_dict()


def test_the_graph_leads_from_questions_to_the_model(found: Lineage) -> None:
    _, first, second = found.models
    every, edges = boxes([second, first, found.models[0]])
    assert [(box.kind, box.name) for box in every if box.kind == "model"] == [
        ("model", "SFT"),
        ("model", "Round 1 (dpo)"),
        ("model", "Round 2 (ipo)"),
    ]
    into = {(one.kind, one.name) for one, other in edges if other.name == "Round 2 (ipo)"}
    assert into == {("pairs", ""), ("model", "Round 1 (dpo)")}
    kinds = ["question", "answer", "rating", "pairs", "model"]
    ours = [box for box in every if box.row > every[-1].row - 5]
    assert list(dict.fromkeys(box.kind for box in ours)) == kinds


def test_many_sources_are_one_box(found: Lineage) -> None:
    many = {f"file {n}": 100 - n for n in range(9)}
    model = Descent("m", "M", "m", "dpo", None, "", "w", 5, {"judge:x": 5}, {"SFT": 10}, many)
    shown = [box for box in boxes([model])[0] if box.kind == "question"]
    assert len(shown) == MOST + 1
    assert (shown[-1].name, shown[-1].records) == ("5 more", "470 questions")
    assert all(one.right <= other.left for one, other in pairwise(shown))
    assert shown[0].left >= 0
    assert shown[-1].right <= 1


def test_only_settings_that_differ_are_listed(found: Lineage) -> None:
    (figure,) = lineage_page(found).parts[1].figures
    assert figure.table.to_numpy().tolist() == [["training.align.beta", "0.1", "0.3"]]
    assert list(figure.table.columns) == ["setting", "round 1", "round 2"]
    assert figure.says == "Differing: 1 setting; the other 3 are the same."


def test_the_same_round_twice_differs_in_nothing(found: Lineage) -> None:
    part = lineage_page(found, rounds=(2, 2)).parts[1]
    assert not part.figures
    assert "the same settings" in part.lines[0].text


@pytest.mark.parametrize(("rounds", "said"), [(0, "No round has begun"), (1, "One round so far")])
def test_too_few_rounds_to_compare(found: Lineage, rounds: int, said: str) -> None:
    missing = lineage_page(Lineage(found.models, found.rounds[:rounds])).parts[1].missing
    assert missing is not None
    assert said in missing.what
    assert missing.command == "wardround round"


def test_without_models() -> None:
    missing = lineage_page(Lineage((), ())).missing
    assert missing is not None
    assert missing.command
