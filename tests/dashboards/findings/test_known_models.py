"""Tests of dashboards/findings/known_models.py."""

from __future__ import annotations

from dataclasses import replace

from dashboards.findings.known_models import known_models
from ledger.records import Decision, ModelVersion
from ledger.store import Ledger
from tests.dashboards.made_ledger import fill
from tests.dashboards.rounds_ledger import fill_rounds


def test_each_model_knows_whom_it_is_measured_by(ledger: Ledger) -> None:
    sft, first, second, third = fill_rounds(ledger, questions=4, rated=0).models
    found = {each.id: each for each in known_models(ledger)}
    assert list(found) == [sft.id, first.id, second.id, third.id]
    assert found[sft.id].opponents == {}
    assert not found[sft.id].trained
    assert found[first.id].opponents == {"sft": sft.id, "parent": sft.id}
    assert found[second.id].opponents == {"sft": sft.id, "promoted": first.id, "parent": first.id}
    assert found[third.id].opponents == {"sft": sft.id, "promoted": first.id, "parent": first.id}
    assert [each.round for each in found.values()] == [None, 1, 2, 3]
    assert [each.promoted for each in found.values()] == [None, True, False, True]


def test_the_last_decision_on_a_model_holds(ledger: Ledger) -> None:
    _, first, second, third = fill_rounds(ledger, questions=4, rated=0).models
    before = next(each for each in ledger.read(Decision) if each.model == second.id)
    ledger.append([replace(before, promoted=True, forced="because", follows=before.id)])
    found = {each.id: each for each in known_models(ledger)}
    assert found[second.id].promoted
    assert found[third.id].opponents["promoted"] == second.id
    after = replace(before, promoted=False, forced="on second thoughts", follows="x")
    ledger.append([after])
    assert {each.id: each for each in known_models(ledger)}[third.id].opponents["promoted"] == first.id


def test_a_model_without_a_round_comes_after_all_that_ended_one(ledger: Ledger) -> None:
    sft, first = fill(ledger).models
    ledger.append([since := ModelVersion("since", "dpo", "w9", parent=sft.id)])
    (found,) = (each for each in known_models(ledger) if each.id == since.id)
    assert found.opponents == {"sft": sft.id, "promoted": first.id, "parent": sft.id}
    assert (found.label, found.round, found.promoted) == ("since", None, None)
