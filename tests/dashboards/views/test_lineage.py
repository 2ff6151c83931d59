"""Tests of dashboards/views/lineage.py, as Streamlit runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dashboards.counting.kept import FOLDER, keep, read_kept
from dashboards.counting.sections import LINEAGE
from ledger.store import Ledger
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_lineage import trained
from tests.dashboards.pages import charts, counted, shown, texts


def test_the_way_back_of_the_newest_model_and_of_a_pair(folder: Path, ledger: Ledger) -> None:
    trained(ledger)
    counted(folder, LINEAGE)
    app = shown("lineage")
    assert texts(app, "subheader").startswith("Round 2 (ipo) was trained on 1 pair")
    assert len(charts(app)) == 1
    said = texts(app, "text")
    assert "Question 2?" in said
    assert "A good answer." in said
    ratings = app.dataframe[-1].value
    assert sorted(ratings["assessor"]) == ["a surgeon", "a surgeon", "judge:large"]
    assert "answers?prompt=" in texts(app, "markdown")
    assert "pair_ratings-CSV" in [button.key for button in app.get("download_button")]


def test_another_model_can_be_chosen(folder: Path, ledger: Ledger) -> None:
    made = trained(ledger)
    counted(folder, LINEAGE)
    app = shown("lineage")
    app.selectbox[0].select(made.models[0].id).run()
    assert "where the lineage begins" in texts(app, "subheader")
    assert "One pair" not in texts(app, "markdown")
    app.selectbox[0].select(made.models[1].id).run()
    assert "Question 0?" in texts(app, "text")
    assert not app.exception


def test_what_was_found_before_stays_below_what_went_wrong_since(folder: Path, ledger: Ledger) -> None:
    trained(ledger)
    counted(folder, LINEAGE)
    before = read_kept(folder / FOLDER, LINEAGE)
    assert before is not None
    keep(folder / FOLDER, LINEAGE, replace(before, stamp=replace(before.stamp, problem="It was killed.")))
    app = shown("lineage")
    assert "It was killed." in texts(app, "error")
    assert texts(app, "subheader").startswith("Round 2 (ipo) was trained on 1 pair")


def test_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    counted(folder, LINEAGE)
    app = shown("lineage")
    assert "No model is known yet" in texts(app, "info")
    assert "`wardround round`" in texts(app, "info")


def test_names_and_texts_are_not_interpreted(folder: Path, ledger: Ledger) -> None:
    made = trained(ledger, hostile=NASTY)
    counted(folder, LINEAGE)
    app = shown("lineage")
    app.selectbox[0].select(made.models[1].id).run()
    assert NASTY in texts(app, "text")
    for kind in ("markdown", "caption", "subheader"):
        for element in getattr(app, kind):
            assert "<script" not in element.value.replace("\\<", "")
            assert "![i]" not in element.value
    assert not app.get("html")
