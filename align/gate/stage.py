"""The gate: a model is evaluated, the evidence weighed by the rules, and the decision written down with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from align.evaluate import Evaluated, Evaluation, evaluated
from align.gate.conditions import CLOSED, open_alarms
from align.gate.gathering import gather
from align.gate.registration import STAGE, Registration, register
from align.gate.verdict import Verdict, decide
from align.winrate import WinRate
from ledger.errors import InputError
from ledger.records import Decision, ModelVersion, Prompt, Round
from ledger.tables import decisions, rounds
from ledger.workspace import Workspace

MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """A prompt on which a model has become worse."""

    axis: str
    prompt: str  # its id
    question: str


@dataclass(frozen=True)
class GateReport:
    """A decision, and what it rests on."""

    model: ModelVersion
    opponent: ModelVersion
    evaluation: Evaluation
    verdict: Verdict
    decision: Decision
    examples: tuple[Example, ...]

    def text(self) -> str:
        """For people."""
        lines = [f"{self.model.name} against {self.opponent.name}: {self._outcome()}", self.verdict.text()]
        if self.examples:
            lines.append("became worse, for example:")
            lines += [f"  {each.axis}: {_short(each.question)} ({each.prompt[:12]})" for each in self.examples]
        return "\n".join(lines)

    def _outcome(self) -> str:
        decided = "promoted" if self.decision.promoted else "not promoted"
        if self.decision.forced:
            return f"{decided} by force ({self.decision.forced}); by the rules: {self.verdict.outcome}"
        return f"{self.verdict.outcome} ({decided})"

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "model": self.model.id,
            "name": self.model.name,
            "opponent": self.opponent.id,
            "promoted": self.decision.promoted,
            "forced": self.decision.forced,
            "reason": self.decision.reason,
            "rules": self.decision.rules,
            **self.verdict.facts(),
        }


def gate(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> GateReport:
    """Evaluate a model against the policy that it came from, as far as that is not done, and decide by the rules.

    Raises:
        StageError, BudgetError, EndpointError, ModelError: see `align.evaluate.evaluate`.
    """
    found = evaluated(workspace, model, opponent)
    return decided(workspace, model, opponent, found, round_of(workspace, model, opponent))


def decided(
    workspace: Workspace, model: ModelVersion, opponent: ModelVersion, found: Evaluated, current: Round
) -> GateReport:
    """The decision of a round on an evaluation, written down."""
    registration = register(workspace, model, opponent)
    verdict = decide(gather(workspace, model, opponent, found, registration))
    decision = decision_on(current, (model, opponent), found.evaluation.overall, verdict, registration)
    written = _written(workspace, decision, heeding_force=True)
    return GateReport(model, opponent, found.evaluation, verdict, written, _examples(workspace, verdict))


def decision_on(
    current: Round,
    models: tuple[ModelVersion, ModelVersion],
    rate: WinRate,
    verdict: Verdict,
    registration: Registration,
) -> Decision:
    """A verdict by the registered rules as the ledger takes it; ``models``: the trained one, and its opponent."""
    model, opponent = models
    return Decision(
        round=current.id,
        model=model.id,
        opponent=opponent.id,
        promoted=verdict.outcome == "promote",
        reason=verdict.reasons[0],
        win_rate=rate.win_rate,
        low=rate.low,
        high=rate.high,
        n_prompts=rate.n_prompts,
        outcome=verdict.outcome,
        rules=registration.hash,
        evidence=verdict.facts(),
    )


def force(workspace: Workspace, report: GateReport, *, promote: bool, reason: str) -> GateReport:
    """Promote a model in spite of the rules, or take a promotion back; recorded as what it is, with the reason."""
    forced = replace(report.decision, promoted=promote, forced=reason.strip())
    return replace(report, decision=_written(workspace, forced))


def _written(workspace: Workspace, decision: Decision, *, heeding_force: bool = False) -> Decision:
    """The decision as the ledger holds it; where it only repeats the last one on this model, that one.

    ``heeding_force``: it comes from the rules alone, which do not take back what somebody has overruled on the same
    evidence.
    """
    last = _last(workspace, decision.model)
    following = replace(decision, follows=last.id if last else None)
    if last:
        same = replace(following, follows=last.follows)
        if heeding_force and last.forced:
            same = replace(same, promoted=last.promoted, forced=last.forced)
        if same == last:
            return last
    workspace.ledger.append([following])
    return following


def _last(workspace: Workspace, model: str) -> Decision | None:
    return next(workspace.ledger.read(Decision, decisions.c.model == model, newest_first=True), None)


def close_alarm(workspace: Workspace, model: ModelVersion, kind: str, reason: str) -> None:
    """Write down that somebody has looked at an alarm of a training, and why it does not stand in the way.

    Raises:
        InputError: no such alarm is open.
    """
    open_ = {str(each["kind"]) for each in open_alarms(workspace.ledger, model)}
    if kind not in open_:
        advice = f"open are {', '.join(sorted(open_))}" if open_ else "none is open"
        raise InputError(
            f"the training of {model.name} left no alarm {kind} open", where="--close-alarm", advice=advice
        )
    workspace.log(STAGE, CLOSED, model=model.id, kind=kind, reason=reason.strip())


def opponent_of(workspace: Workspace, model: ModelVersion) -> ModelVersion:
    """The policy that a model came from.

    Raises:
        InputError: it came from none.
    """
    if model.parent is None:
        raise InputError(
            f"{model.name} came from no policy", where="--against", advice="name the model to compare it with"
        )
    return workspace.ledger.get(ModelVersion, model.parent)


def round_of(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Round:
    """The round that a model was decided in, or that it is the outcome of; for a model trained by hand a new one."""
    ledger = workspace.ledger
    for decision in ledger.read(Decision, decisions.c.model == model.id, decisions.c.opponent == opponent.id):
        return ledger.get(Round, decision.round)
    over = {decision.round for decision in ledger.read(Decision)}
    for begun in ledger.read(Round, rounds.c.policy == opponent.id, newest_first=True):
        if begun.id not in over and begun.config.get("training") == model.config:
            return begun
    number = max((each.number for each in ledger.read(Round)), default=0) + 1
    made = Round(number, opponent.id, model.method, {"training": model.config})
    ledger.append([made])
    return made


def _examples(workspace: Workspace, verdict: Verdict) -> tuple[Example, ...]:
    doubtful = {check.name for check in verdict.checks if check.status in ("worse", "not shown")}
    examples = {axis: some[:MOST_EXAMPLES] for axis, some in verdict.examples.items() if axis in doubtful}
    chosen = [(axis, prompt) for axis, some in examples.items() for prompt in some]
    found = workspace.ledger.get_many(Prompt, [prompt for _, prompt in chosen])
    return tuple(Example(axis, prompt, found[prompt].question) for axis, prompt in chosen if prompt in found)


def _short(text: str, most: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
