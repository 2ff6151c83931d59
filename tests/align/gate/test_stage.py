"""Decisions as they are written down: by the rules, and otherwise than the rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import wardround
from align.gate.stage import force, gate, opponent_of, round_of
from align.run_log import RUN
from ledger.config import parse_config
from ledger.errors import InputError
from ledger.records import Decision, Round, digest
from ledger.workspace import Workspace, open_workspace
from sampling.policies import current_policy, sft_model
from tests.align.gate.planted import after_training, better, good, planted
from tests.align.win_rate_alone import WIN_RATE_ALONE

# Only the win rate decides: what the probes decide is in test_planted.py.
CONFIG = f"""
[sample]
engine = "openai"
n = 1

[evaluate]
resamples = 1000
{WIN_RATE_ALONE}"""


@pytest.fixture
def ward(workspace: Workspace) -> Workspace:
    return replace(planted(workspace), config=parse_config(CONFIG))


def decisions(ward: Workspace) -> list[Decision]:
    return list(ward.ledger.read(Decision))


def test_a_decision_is_written_once_with_its_evidence(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    report = gate(ward, model, sft_model(ward))
    assert report.verdict.outcome == "promote"
    assert gate(ward, model, sft_model(ward)) == report
    (written,) = decisions(ward)
    assert written == report.decision
    assert written.evidence["outcome"] == "promote"
    assert {check["name"] for check in written.evidence["checks"]} >= {"win rate", "win rate, exam", "no contamination"}
    assert current_policy(ward) == model
    assert "mine against sft: promote (promoted)" in report.text()


def test_a_model_that_was_trained_by_hand_is_a_round_of_its_own(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    report = gate(ward, model, sft_model(ward))
    (made,) = ward.ledger.read(Round)
    assert (made.number, made.policy, made.method) == (1, sft_model(ward).id, "dpo")
    assert report.decision.round == made.id
    assert round_of(ward, model, sft_model(ward)) == made


def test_the_round_that_began_with_the_same_settings_is_its_own(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    begun = Round(1, sft_model(ward).id, "dpo", {"training": model.config, "sample": {"n": 4}})
    ward.ledger.append([begun])
    assert round_of(ward, model, sft_model(ward)) == begun


def test_what_is_promoted_by_force_says_so_and_stays_so(ward: Workspace) -> None:
    model = after_training(ward, "mine", good)
    report = gate(ward, model, sft_model(ward))
    assert (report.verdict.outcome, report.decision.promoted) == ("hold", False)
    forced = force(ward, report, promote=True, reason="a pilot on one ward")
    assert (forced.decision.promoted, forced.decision.forced) == (True, "a pilot on one ward")
    assert forced.decision.outcome == "hold"
    assert "promoted by force (a pilot on one ward); by the rules: hold" in forced.text()
    assert current_policy(ward) == model
    assert gate(ward, model, sft_model(ward)).decision == forced.decision  # the same evidence does not take it back
    assert current_policy(ward) == model


def test_a_promotion_can_be_taken_back(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    report = gate(ward, model, sft_model(ward))
    withdrawn = force(ward, report, promote=False, reason="wrong doses were reported")
    assert not withdrawn.decision.promoted
    assert current_policy(ward) == sft_model(ward)
    assert len(decisions(ward)) == 2


def test_changed_rules_hold_a_model_that_is_better(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    assert gate(ward, model, sft_model(ward)).verdict.outcome == "promote"
    easier = ward.config.gate.model_copy(update={"win_rate_by_mode": 0.4})
    changed = replace(ward, config=ward.config.model_copy(update={"gate": easier}))
    report = gate(changed, model, sft_model(ward))
    assert report.verdict.outcome == "hold"
    assert "win_rate_by_mode: 0.05 -> 0.4" in " ".join(report.verdict.reasons)


def test_a_decision_that_comes_again_after_another_one_holds(ward: Workspace) -> None:
    model = after_training(ward, "mine", better)
    first = gate(ward, model, sft_model(ward))
    withdrawn = force(ward, first, promote=False, reason="a report of wrong doses")
    again = force(ward, withdrawn, promote=True, reason="the report was of another model")
    once_more = force(ward, again, promote=False, reason="a report of wrong doses")
    assert [each.follows for each in decisions(ward)] == [
        None,
        first.decision.id,
        withdrawn.decision.id,
        again.decision.id,
    ]
    assert decisions(ward)[-1] == once_more.decision
    assert current_policy(ward) == sft_model(ward)


def test_a_model_without_a_parent_has_no_policy_to_be_compared_with(ward: Workspace) -> None:
    with pytest.raises(InputError, match="came from no policy"):
        opponent_of(ward, sft_model(ward))


class TestCommand:
    """As typed."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "ward"
        folder.mkdir()
        (folder / "wardround.toml").write_text(CONFIG, encoding="utf-8")
        with open_workspace(folder) as opened:
            ward = replace(planted(opened), config=opened.config)
            model = after_training(ward, "mine", good)
            run = digest([model.parent, model.pairs, model.config])
            ward.log(RUN, "alarm", training=run, kind="length", step=7, what="longer", advice="look")
        return folder

    def ended(self, *arguments: str) -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            wardround.main(list(arguments))
        return ended.value.code

    def said(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
        assert self.ended(*arguments) == 0
        facts: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return facts

    def test_it_decides_closes_alarms_and_is_overruled(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        told = ("gate", "--workspace", str(folder), "--json")
        first = self.said(capsys, *told)
        assert (first["outcome"], first["promoted"]) == ("hold", False)
        assert any("training raised length" in str(reason) for reason in first["reasons"])
        closed = self.said(capsys, *told, "--close-alarm", "length", "--reason", "answers read")
        assert not any("training raised" in str(reason) for reason in closed["reasons"])
        forced = self.said(capsys, *told, "--force", "--reason", "a pilot")
        assert (forced["promoted"], forced["forced"], forced["outcome"]) == (True, "a pilot", "hold")
        withdrawn = self.said(capsys, *told, "--withdraw", "--reason", "over")
        assert withdrawn["promoted"] is False

    @pytest.mark.parametrize(
        ("arguments", "wrong"),
        [
            (("--force",), "--force needs a reason"),
            (("--withdraw", "--reason", "  "), "--withdraw needs a reason"),
            (("--close-alarm", "length"), "--close-alarm needs a reason"),
            (("--reason", "none"), "a reason for nothing"),
            (("--force", "--withdraw", "--reason", "both"), "exclude one another"),
            (("--close-alarm", "kl", "--reason", "why"), "left no alarm kl open"),
            (("nobody",), "no such model"),
        ],
    )
    def test_wrong_arguments_are_one_line_and_decide_nothing(
        self, folder: Path, arguments: tuple[str, ...], wrong: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.ended("gate", "--workspace", str(folder), *arguments) == 2
        assert wrong in capsys.readouterr().err
        with open_workspace(folder) as opened:
            assert opened.ledger.count(Decision) == 0
