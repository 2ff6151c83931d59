"""The page "Training" as Streamlit runs it."""

from __future__ import annotations

from pathlib import Path

from dashboards.counting.sections import TRAINING, TRAINING_DATA
from ledger.store import Ledger
from tests.dashboards.made_runs import begun, logged, step_log, stepped, steps, trained
from tests.dashboards.pages import charts, commands, counted, shown, texts


def test_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    counted(folder, TRAINING, TRAINING_DATA)
    app = shown("training")
    assert "No model was trained yet" in texts(app, "info")
    assert "wardround round" in commands(app)


def test_a_run_with_its_curves(folder: Path, ledger: Ledger) -> None:
    trained(ledger, alarm=True)
    counted(folder, TRAINING, TRAINING_DATA)
    app = shown("training")
    assert "loss fell from 0.65 to 0.54 over 20 steps" in texts(app, "subheader")
    assert "What to do: lower the rate" in texts(app, "caption")
    assert len(charts(app)) >= 4
    assert not app.multiselect  # there is one run with steps


def test_runs_are_chosen_and_linked_to(folder: Path, ledger: Ledger) -> None:
    key = trained(ledger)
    begun(ledger, "other", method="ipo")
    stepped(ledger, "k", *steps(5), run="other")
    counted(folder, TRAINING, TRAINING_DATA)
    app = shown("training")
    assert app.multiselect[0].value == ["k"]
    app.multiselect[0].set_value([key]).run()
    assert "mine: loss fell" in texts(app, "subheader")
    assert app.query_params["runs"] == key
    assert "mine: loss fell" in texts(shown("training", runs=key), "subheader")


def test_what_trains_now_is_read_past_the_counted_findings(folder: Path, ledger: Ledger) -> None:
    counted(folder, TRAINING)
    begun(ledger)
    step_log(folder / "models" / ".checkpoints" / "key", steps(30))
    app = shown("training")
    assert "step 30, epoch 3.00" in texts(app, "caption")
    logged(ledger, "train", "failed", cause="no memory")
    assert "step 30" not in texts(shown("training"), "caption")


def test_before_anything_is_counted(folder: Path, ledger: Ledger) -> None:
    assert "Counting what the ledger holds" in texts(shown("training"), "info")
