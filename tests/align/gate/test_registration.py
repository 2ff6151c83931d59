"""The rules, written down before the evaluation: what is changed afterwards shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from align.evaluate import evaluate
from align.gate.conditions import rules_unchanged
from align.gate.registration import flat, register, registered, rules_of
from ledger.errors import WardroundError
from ledger.queries import latest
from ledger.records import Candidate, ModelVersion
from ledger.workspace import Workspace
from tests.annotate.answered import OURS, THEIRS, question


@pytest.fixture
def ward(workspace: Workspace) -> Workspace:
    workspace.ledger.append([THEIRS, OURS, question(1, split="eval")])
    return workspace


def told(workspace: Workspace, table: str, **changed: Any) -> Workspace:
    own = getattr(workspace.config, table).model_copy(update=changed)
    return replace(workspace, config=workspace.config.model_copy(update={table: own}))


def test_the_first_registration_holds(ward: Workspace) -> None:
    assert registered(ward.ledger, OURS, THEIRS) is None
    first = register(ward, OURS, THEIRS)
    assert first.answers == 0
    assert first.rules == rules_of(ward)
    assert register(told(ward, "gate", harm=0.3), OURS, THEIRS) == first
    assert registered(ward.ledger, OURS, THEIRS) == first
    assert registered(ward.ledger, THEIRS, OURS) is None
    (entry,) = latest(ward.ledger, 10, "gate")
    assert entry.detail["hash"] == first.hash


@pytest.mark.parametrize(
    ("table", "changed", "said"),
    [
        ("gate", {"harm": 0.3}, "gate.harm: 0.1 -> 0.3"),
        ("gate", {"length": "off"}, "gate.length: 0.5 -> off"),
        ("evaluate", {"confidence": 0.9}, "evaluate.confidence: 0.95 -> 0.9"),
        ("probes", {"orders": 3}, "probes.orders: 2 -> 3"),
        ("judge", {"tie_margin": 0.1}, "judge.tie_margin: 0.02 -> 0.1"),
    ],
)
def test_a_rule_that_was_changed_afterwards_is_named(
    ward: Workspace, table: str, changed: dict[str, Any], said: str
) -> None:
    registration = register(ward, OURS, THEIRS)
    assert rules_unchanged(ward, registration).passed
    found = rules_unchanged(told(ward, table, **changed), registration)
    assert found.passed is False
    assert said in found.said
    assert registration.at in found.said
    assert "put them back" in found.advice


def test_what_decides_nothing_is_no_rule(ward: Workspace) -> None:
    registration = register(ward, OURS, THEIRS)
    assert rules_unchanged(told(ward, "gate", next_policy="newest"), registration).passed
    assert rules_unchanged(told(ward, "dashboard", port=9_000), registration).passed


def test_a_probe_set_that_was_edited_afterwards_is_named(ward: Workspace) -> None:
    ward = told(ward, "probes", files=("mine.jsonl",))
    (ward.root / "mine.jsonl").write_text("{}\n", encoding="utf-8")
    registration = register(ward, OURS, THEIRS)
    (ward.root / "mine.jsonl").write_text("{ }\n", encoding="utf-8")
    assert "sets.mine.jsonl" in rules_unchanged(ward, registration).said


def test_answers_that_were_there_before_the_rules_are_told(ward: Workspace) -> None:
    prompt = question(1, split="eval")
    ward.ledger.append([Candidate(prompt.id, OURS.id, "a"), Candidate(prompt.id, THEIRS.id, "b")])
    registration = register(ward, OURS, THEIRS)
    assert registration.answers == 1
    assert "when 1 of its answers were there already" in rules_unchanged(ward, registration).said


def test_the_rules_are_there_before_anything_is_asked(ward: Workspace) -> None:
    """There is no model to sample from, so the evaluation fails; the rules stand all the same."""
    served = ModelVersion("other", "dpo", "served:other", parent=THEIRS.id)
    ward.ledger.append([served])
    with pytest.raises(WardroundError):
        evaluate(ward, served, THEIRS)
    assert latest(ward.ledger, 10)[0].stage == "gate"
    assert registered(ward.ledger, served, THEIRS)


def test_nested_tables_are_one_with_dotted_keys() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}
