"""Tests of dashboards/views/win_rates.py, as Streamlit runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboards.counting.sections import WIN_RATES
from ledger.store import Ledger
from tests.dashboards.made_ledger import NASTY, Made, answer, compared, fill
from tests.dashboards.pages import charts, commands, counted, shown, texts, unfolded
from tests.dashboards.rounds_ledger import SETTINGS, fill_rounds

INTERPRETED = ("markdown", "caption", "subheader", "info", "warning", "error")
MARKUP = re.compile(r"(?<!\\)(<script|!\[|\[link|\$x|:red|\*\*bold)")


@pytest.fixture
def rounds(folder: Path, ledger: Ledger) -> Path:
    """Three rounds, counted."""
    fill_rounds(ledger)
    url = (folder / "wardround.toml").read_text()
    (folder / "wardround.toml").write_text(url + SETTINGS)
    counted(folder, WIN_RATES)
    return folder


def test_before_it_is_counted(folder: Path, made: Made) -> None:
    assert "fills by itself" in shown().info[0].value


def test_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    counted(folder, WIN_RATES)
    app = shown()
    assert "No questions yet" in app.info[0].value
    assert commands(app)[0] == "wardround import FILE"
    assert not app.selectbox


def test_no_round_yet(folder: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=0)
    counted(folder, WIN_RATES)
    app = shown()
    assert "No round yet" in app.info[0].value
    assert commands(app)[0] == "wardround round"


def test_no_evaluation_yet(folder: Path, ledger: Ledger) -> None:
    fill(ledger, evaluated=False)
    counted(folder, WIN_RATES)
    assert commands(shown())[0] == "wardround evaluate round-1-dpo"


def test_only_invalid_verdicts(folder: Path, ledger: Ledger) -> None:
    sft, first = (made := fill(ledger, evaluated=False)).models
    prompt = made.prompts[0]
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "invalid")])
    counted(folder, WIN_RATES)
    app = shown()
    assert "all 1 are invalid" in app.info[0].value
    assert commands(app)[0] == "wardround log"


def test_one_round(folder: Path, made: Made) -> None:
    counted(folder, WIN_RATES)
    app = shown()
    assert "Round 1 (dpo) beats SFT on 82%" in texts(app, "subheader")
    assert len(charts(app)) == 5
    assert not app.dataframe
    assert not app.selectbox  # there is nothing to choose
    unfolded(app)
    assert len(app.dataframe) == 5
    assert len(app.get("download_button")) == 15


def test_the_reader_chooses_and_a_link_can_be_sent(rounds: Path) -> None:
    app = shown()
    assert [box.label for box in app.selectbox] == ["Against", "Model"]
    assert app.selectbox[0].options == ["SFT", "last promoted", "parent"]
    assert app.selectbox[1].options == ["Round 3 (dpo)", "Round 2 (dpo)", "Round 1 (dpo)"]
    app.selectbox[1].select("Round 2 (dpo)").run()
    assert "Round 2 (dpo) beats SFT" in texts(app, "subheader")
    app.selectbox[0].select("last promoted").run()
    assert "Round 2 (dpo) beats Round 1 (dpo)" in texts(app, "subheader")
    linked = shown(against="last promoted", model="Round 2 (dpo)")
    assert "Round 2 (dpo) beats Round 1 (dpo)" in texts(linked, "subheader")


def test_a_choice_that_is_not_there_any_more_is_the_first(rounds: Path) -> None:
    app = shown(model="Round 9 (dpo)", against="nobody")
    assert "Round 3 (dpo) beats SFT" in texts(app, "subheader")
    app = shown(model="Round 1 (dpo)")
    app.selectbox[0].select("last promoted").run()
    assert not app.exception
    assert "Round 3 (dpo) beats Round 1 (dpo)" in texts(app, "subheader")


def test_another_assessor_can_be_chosen(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ledger.append([compared(answer(made.prompts[0], first), answer(made.prompts[0], sft), "b", "judge:x")])
    counted(folder, WIN_RATES)
    app = shown()
    assert app.selectbox[0].options == ["metric:reference", "judge:x"]
    app.selectbox[0].select("judge:x").run()
    assert "judged by judge:x: not shown" in texts(app, "subheader")


def test_names_in_the_sentences_are_text(folder: Path, ledger: Ledger) -> None:
    fill(ledger, assessor=f"judge:{NASTY}")
    counted(folder, WIN_RATES)
    app = shown()
    interpreted = "\n".join(str(each.value) for kind in INTERPRETED for each in getattr(app, kind))
    assert "evil" in interpreted
    assert not MARKUP.search(interpreted)
