"""Tests of dashboards/findings/model_labels.py."""

from __future__ import annotations

from dataclasses import replace

from dashboards.findings.model_labels import model_labels, rounds_by_model
from ledger.records import Decision, ModelVersion
from ledger.store import Ledger
from tests.dashboards.made_ledger import Made, fill


def test_models_are_called_after_their_rounds_the_oldest_first(ledger: Ledger) -> None:
    models = fill(ledger, rounds=2).models
    assert dict(model_labels(ledger)) == dict(
        zip((each.id for each in models), ("SFT", "Round 1 (dpo)", "Round 2 (ipo)"), strict=True)
    )
    assert list(model_labels(ledger)) == [each.id for each in models]


def test_without_a_round_a_model_has_its_name(ledger: Ledger) -> None:
    ledger.append([ModelVersion("mine", "dpo", "x")])
    assert list(model_labels(ledger).values()) == ["mine"]


def test_models_of_one_label_are_told_apart(ledger: Ledger) -> None:
    same = [ModelVersion("one", "dpo", "x"), ModelVersion("one", "dpo", "y")]
    # One that is called what another one would be told apart by.
    named = [ModelVersion("two", "dpo", "z"), ModelVersion(f"one {same[0].id[:6]}", "dpo", "v")]
    ledger.append([*same, *named])
    labels = model_labels(ledger)
    assert len(set(labels.values())) == 4
    assert labels[named[0].id] == "two"
    assert labels[same[1].id] == f"one {same[1].id[:6]}"


def test_the_last_decision_on_a_model_gives_its_round(ledger: Ledger, made: Made) -> None:
    (before,) = ledger.read(Decision)
    ledger.append([replace(before, promoted=False, forced="because", follows=before.id)])
    assert rounds_by_model(ledger) == {made.models[1].id: 1}


def test_an_empty_ledger_has_none(ledger: Ledger) -> None:
    assert model_labels(ledger) == {}
