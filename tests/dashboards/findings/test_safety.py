"""Tests of dashboards/findings/safety.py, gate_verdicts.py and probe_changes.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from align.probes.answering import probing
from align.probes.paired import Change
from dashboards.counting.sections import SAFETY
from dashboards.findings.safety import Safety, find_safety
from ledger.records import Candidate, Decision, Message, ModelVersion, Probe, Prompt, Round
from ledger.tables import TABLES
from ledger.workspace import Workspace
from sampling.sample import sampling_parameters
from tests.dashboards.made_gate import decided, held, promoted, registered
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_runs import SFT, TRAINED

BASE = ModelVersion("base", "base", "wb")


def found(workspace: Workspace) -> Safety:
    findings = find_safety(workspace)
    assert SAFETY.form.validate_json(SAFETY.form.dump_json(findings)) == findings
    return findings


def asked(workspace: Workspace, *right: tuple[ModelVersion, int], n: int = 6) -> None:
    """Arithmetic probes, by turns of either mode; the first so many a model gets right."""
    prompts = [
        Prompt((Message("user", f"What is {number} + 1?"),), mode="exam" if number % 2 else "clinical", split="probe")
        for number in range(n)
    ]
    probes = [
        Probe(prompt.id, "arithmetic", "number", {"number": number + 1}, set="arithmetic")
        for number, prompt in enumerate(prompts)
    ]
    workspace.ledger.append([*prompts, *probes])
    config = probing(workspace).config
    told = sampling_parameters(config, config.sample.temperatures[0])
    for model, good in right:
        workspace.ledger.append([model])
        for number, prompt in enumerate(prompts):
            text = f"The answer is {number + 1 if number < good else 999}."
            workspace.ledger.append([Candidate(prompt.id, model.id, text, parameters=told)])


def change(findings: Safety, axis: str, origin: str, mode: str = "") -> Change:
    since = next(each for each in findings.probed[TRAINED.id].since if origin in each.origins)
    return next(each.change for each in since.changes if (each.axis, each.mode) == (axis, mode))


def test_an_empty_ledger(workspace: Workspace) -> None:
    findings = found(workspace)
    assert (findings.models, findings.decisions, findings.probed, findings.rules) == ((), (), {}, ())
    assert findings.margins["harm"] == 0.1
    assert findings.confidence == 0.95


def test_a_decision_is_read_as_it_was_written(workspace: Workspace) -> None:
    verdict = held()
    decided(workspace.ledger, verdict)
    (decision,) = found(workspace).decisions
    assert (decision.label, decision.opponent, decision.round) == ("Round 1 (dpo)", "SFT", 1)
    assert (decision.outcome, decision.promoted, decision.reasons) == ("hold", False, verdict.reasons)
    checks = {check.name: check for check in decision.checks}
    assert checks["harm"].status == "missing"
    assert (checks["exam accuracy, exam"].status, checks["exam accuracy, exam"].n_prompts) == ("not shown", 17)
    assert checks["no open alarm"].said == "training raised displacement"
    assert {need.name for need in decision.needed} == {"exam accuracy, clinical", "exam accuracy, exam"}


def test_examples_have_their_questions(workspace: Workspace) -> None:
    verdict = replace(held(), examples={"harm": (Prompt((Message("user", NASTY),), split="probe").id, "gone")})
    decided(workspace.ledger, verdict)
    (example,) = found(workspace).decisions[0].examples
    assert (example.check, example.question) == ("harm", " ".join(NASTY.split())[:160])


def test_the_last_decision_on_a_model_holds(workspace: Workspace) -> None:
    first = decided(workspace.ledger, held())
    workspace.ledger.append([replace(first, promoted=True, forced="agreed", follows=first.id)])
    assert [(each.holds, each.forced) for each in found(workspace).decisions] == [(True, "agreed"), (False, "")]


def test_a_decision_from_before_there_were_rules(workspace: Workspace) -> None:
    current = Round(1, SFT.id, "dpo")
    workspace.ledger.append(
        [SFT, TRAINED, current, Decision(current.id, TRAINED.id, SFT.id, True, "it wins", 1, 1, 1, 1)]
    )
    (decision,) = found(workspace).decisions
    assert (decision.outcome, decision.reasons, decision.checks) == ("", ("it wins",), ())


def test_rules_are_those_that_were_registered_first(workspace: Workspace) -> None:
    decided(workspace.ledger, promoted())
    registered(workspace.ledger, answers=3)
    registered(workspace.ledger, answers=99)
    (rules,) = found(workspace).rules
    assert (rules.answers, rules.settings) == (3, {"gate.harm": "0.1", "evaluate.confidence": "0.9"})


def test_probes_are_counted_from_stored_answers_since_policy_sft_and_base(workspace: Workspace) -> None:
    second = replace(TRAINED, name="second", parent=TRAINED.id, weights="w2")
    asked(workspace, (BASE, 5), (SFT, 4), (TRAINED, 3), (second, 1))
    findings = found(workspace)
    arithmetic = change(findings, "arithmetic", "policy")
    assert arithmetic.before == pytest.approx(4 / 6)
    assert (arithmetic.after, arithmetic.n_prompts) == (0.5, 6)
    assert (arithmetic.improved, arithmetic.worsened) == (0, 1)
    assert arithmetic.low < arithmetic.difference < arithmetic.high
    assert change(findings, "general abilities", "base").before == pytest.approx(5 / 6)
    # Of the answers that fell, the fourth is an exam one.
    assert [change(findings, "arithmetic", "policy", mode).worsened for mode in ("clinical", "exam")] == [0, 1]
    origins = {each.other: each.origins for each in findings.probed[second.id].since}
    assert origins == {"mine": ("policy",), "SFT": ("sft",), "base": ("base",)}
    assert [each.origins for each in findings.probed[TRAINED.id].since] == [("policy", "sft"), ("base",)]


def test_a_model_whose_origin_was_not_probed_is_left_out(workspace: Workspace) -> None:
    workspace.ledger.append([SFT])
    asked(workspace, (TRAINED, 3))
    assert found(workspace).probed == {}


def test_looking_writes_nothing_and_reads_no_probe_file(workspace: Workspace) -> None:
    asked(workspace, (SFT, 4), (TRAINED, 3))
    decided(workspace.ledger, held())

    def rows() -> list[int]:
        return [workspace.ledger.scalar(sa.select(sa.func.count()).select_from(table)) for table in TABLES.values()]

    before = rows()
    found(workspace)
    assert rows() == before
    assert not (workspace.root / "rejects").exists()
