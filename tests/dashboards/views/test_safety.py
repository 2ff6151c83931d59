"""The page "Safety and regressions" as Streamlit runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dashboards.counting.sections import SAFETY
from ledger.store import Ledger
from tests.dashboards.made_gate import decided, held, promoted, rejected
from tests.dashboards.made_runs import SFT, TRAINED
from tests.dashboards.pages import charts, commands, counted, shown, texts


def test_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    counted(folder, SAFETY)
    app = shown("safety")
    assert "No model was trained yet" in texts(app, "info")
    assert "wardround round" in commands(app)


def test_trained_but_not_evaluated(folder: Path, ledger: Ledger) -> None:
    ledger.append([SFT, TRAINED])
    counted(folder, SAFETY)
    app = shown("safety")
    assert "was trained, but not evaluated" in texts(app, "info")
    assert "wardround evaluate" in commands(app)


def test_a_held_model(folder: Path, ledger: Ledger) -> None:
    decided(ledger, held())
    counted(folder, SAFETY)
    app = shown("safety")
    assert "is held: 22 questions cannot show that exam accuracy fell" in texts(app, "subheader")
    assert charts(app)
    assert not app.selectbox  # one model


def test_a_model_is_chosen_and_linked_to(folder: Path, ledger: Ledger) -> None:
    decided(ledger, promoted())
    other = replace(TRAINED, name="other", weights="w5", method="ipo")
    decided(ledger, rejected(), other, number=2)
    counted(folder, SAFETY)
    app = shown("safety")
    assert "Round 2 (ipo) is rejected" in texts(app, "subheader")
    app.selectbox[0].set_value(TRAINED.id).run()
    assert "Round 1 (dpo) is promoted" in texts(app, "subheader")
    assert app.query_params["gated"] == TRAINED.id
    assert "Round 1 (dpo) is promoted" in texts(shown("safety", gated=TRAINED.id), "subheader")


def test_reasons_by_strangers_are_text(folder: Path, ledger: Ledger) -> None:
    decided(ledger, held(), forced="**bold** <script>alert(1)</script> [link](http://evil.example)")
    counted(folder, SAFETY)
    app = shown("safety")
    said = "\n".join(str(element.value) for element in (*app.subheader, *app.caption, *app.markdown))
    assert "**bold**" not in said
    assert "<script>" not in said
    assert "[link](" not in said
