"""The loop, on one page: sample, compare, pair, train, evaluate, pass the gate."""

from __future__ import annotations

from dataclasses import dataclass

from align.evaluate import Evaluation, evaluate, evaluated
from align.gate.registration import rules_of
from align.gate.stage import GateReport, decided
from align.training import train, training_config
from annotate.comparing import compare
from ledger.errors import StageError
from ledger.records import Decision, ModelVersion, Round
from ledger.tables import decisions, rounds
from ledger.workspace import Workspace
from sampling.policies import current_policy, sft_model
from sampling.sample import sample_for


@dataclass(frozen=True)
class RoundReport:
    """How a round ended."""

    round: Round
    model: ModelVersion
    against_policy: Evaluation
    against_sft: Evaluation
    gate: GateReport

    @property
    def decision(self) -> Decision:
        """Is the model the next round's policy?"""
        return self.gate.decision

    def text(self) -> str:
        """For people: the figures, then the verdict."""
        opponent = "SFT" if self._first else "the policy it came from"
        lines = [f"Round {self.round.number}, {self.round.method}", f"against {opponent}: {self.against_policy.text()}"]
        if not self._first:
            lines.append(f"against SFT: {self.against_sft.text()}")
        return "\n".join([*lines, "", f"Gate: {self.gate.text()}"])

    def facts(self) -> dict[str, object]:
        """For ``--json``: what the evaluation does not say."""
        return {
            "round": self.round.number,
            "method": self.round.method,
            "name": self.model.name,
            "gate": self.gate.facts(),
            "promoted": self.decision.promoted,
            "reason": self.decision.reason,
        }

    @property
    def _first(self) -> bool:
        return self.against_policy.opponent == self.against_sft.opponent


def run_round(workspace: Workspace, number: int | None = None) -> RoundReport:
    """One round, from prompts to a decision; what is done already is not done again.

    Without a ``number`` it is the round that was left unfinished, else the next one.
    """
    sft = sft_model(workspace)
    current = _open_round(workspace, sft, number)
    policy = workspace.ledger.get(ModelVersion, current.policy)
    sample_for(workspace, policy, "train")
    compare(workspace, policy).whole()
    model = train(workspace, policy, name=f"round-{current.number}-{current.method}")
    _refuse_repetition(workspace, current, model)
    found = evaluated(workspace, model, policy)
    of_gate = decided(workspace, model, policy, found, current)
    against_sft = found.evaluation if policy.id == sft.id else evaluate(workspace, model, sft, probes=False)
    return RoundReport(current, model, found.evaluation, against_sft, of_gate)


def _open_round(workspace: Workspace, sft: ModelVersion, number: int | None) -> Round:
    """Enter the round into the ledger, unless it is there."""
    this = number or rounds_decided(workspace) + 1
    current = Round(
        number=this,
        policy=sft.id if this == 1 else _policy_of(workspace, this),
        method=workspace.config.align.method,
        config={
            "training": training_config(workspace),
            "sample": workspace.config.sample.model_dump(mode="json"),
            "pairs": workspace.config.pairs.model_dump(mode="json"),
            "rules": rules_of(workspace),
        },
    )
    workspace.ledger.append([current])
    return current


def _policy_of(workspace: Workspace, number: int) -> str:
    """The policy that a round began with, where it was begun before; else the current one."""
    for begun in workspace.ledger.read(Round, rounds.c.number == number, newest_first=True):
        return begun.policy
    return current_policy(workspace).id


def _refuse_repetition(workspace: Workspace, current: Round, model: ModelVersion) -> None:
    """A round that trained what an earlier one was decided on would only say the same again."""
    before = {each.id: each.number for each in workspace.ledger.read(Round) if each.number < current.number}
    for decision in workspace.ledger.read(Decision, decisions.c.model == model.id):
        if decision.round in before:
            raise StageError(
                f"it would repeat round {before[decision.round]}: same policy, pairs and settings, so the same model",
                where=f"round {current.number}",
                advice="import more questions, or change sample.seed, the judge, or [align]",
            )


def rounds_decided(workspace: Workspace) -> int:
    """The number of the last round that ended with a decision; 0 before the first."""
    decided = {decision.round for decision in workspace.ledger.read(Decision)}
    numbers = [each.number for each in workspace.ledger.read(Round) if each.id in decided]
    return max(numbers, default=0)
