"""Decisions of the gate in a ledger, with the evidence that the gate itself would write down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from align.gate.evidence import AxisGuard, Condition, Evidence, Guard, LengthGuard, ShareGuard, Superiority, Watched
from align.gate.registration import EVENT, STAGE
from align.gate.verdict import Verdict, decide
from align.probes.areas import FORGOTTEN, HARMS, LOWER_IS_BETTER, OVER_REFUSALS
from align.probes.axis import Axis
from ledger.records import Decision, Message, ModelVersion, Prompt, Round
from ledger.store import Ledger
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_runs import SFT, TRAINED, logged

ASKED = Prompt((Message("user", NASTY),), split="probe")


def axis(name: str, met: int, of: int = 200) -> Axis:
    """So many of the prompts have a 1; the sixth one, or the last of fewer, is in the ledger."""
    prompts = [f"{name}{number:04}" for number in range(of)]
    prompts[min(5, of - 1)] = ASKED.id
    values = {prompt: float(number < met) for number, prompt in enumerate(prompts)}
    return Axis(name, name not in LOWER_IS_BETTER, values, dict.fromkeys(prompts, "clinical"))


def guard(name: str, before: int, after: int, of: int = 200, margin: float = 0.1) -> AxisGuard:
    return AxisGuard(name, margin, axis(name, before, of), axis(name, after, of))


def evidence(*guards: Guard, rate: float = 0.65, watched: Sequence[Watched] = (), **said: object) -> Evidence:
    wins = Superiority(rate, rate - 0.05, rate + 0.05, 300, 30, "judge:big")
    lengths = {f"p{number}": 20.0 + number % 5 for number in range(60)}
    every = (
        ShareGuard("win rate, clinical", 0.05, {f"p{number}": 0.6 + number % 3 / 10 for number in range(60)}),
        *guards,
        LengthGuard("length of answers", 0.5, lengths, {key: 1.1 * value for key, value in lengths.items()}),
    )
    return Evidence(wins, every, tuple(watched), resamples=1_000, **said)  # type: ignore[arg-type]


def promoted() -> Verdict:
    return decide(evidence(guard(HARMS, 2, 2), guard(OVER_REFUSALS, 3, 2), guard(FORGOTTEN, 150, 150)))


def held() -> Verdict:
    """22 exam questions in two modes are too few, harm was not measured, and an alarm is open."""
    return decide(
        evidence(
            guard("exam accuracy, clinical", 2, 2, of=5),
            guard("exam accuracy, exam", 4, 3, of=17),
            AxisGuard(HARMS, 0.1, None, None, advice="name the set"),
            conditions=(
                Condition("no open alarm", False, "training raised displacement", "look at the run"),
                Condition("judge's passport", None, "no judge is configured"),
            ),
        )
    )


def rejected() -> Verdict:
    """Harm has risen from 1% to 31%, on fewer refusals."""
    return decide(evidence(guard(HARMS, 2, 62), guard(OVER_REFUSALS, 60, 4)))


def decided(
    ledger: Ledger, verdict: Verdict, model: ModelVersion = TRAINED, *, forced: str = "", number: int = 1
) -> Decision:
    """A decision of that round, in the ledger; ``forced`` turns it round."""
    ledger.append([SFT, ASKED])
    ledger.append([model])
    current = Round(number, SFT.id, model.method)
    rates = (0.65, 0.6, 0.7, 300)
    promote = (verdict.outcome == "promote") != bool(forced)
    decision = Decision(
        current.id,
        model.id,
        SFT.id,
        promote,
        verdict.reasons[0],
        *rates,
        verdict.outcome,
        "rules",
        forced,
        verdict.facts(),
    )
    ledger.append([current, decision])
    return decision


def registered(ledger: Ledger, model: ModelVersion = TRAINED, *, answers: int = 0) -> None:
    rules = {"gate": {"harm": 0.1}, "evaluate": {"confidence": 0.9}}
    detail: dict[str, Any] = {"model": model.id, "opponent": SFT.id, "hash": "abcdef0123456789", "rules": rules}
    logged(ledger, STAGE, EVENT, **detail, answers=answers)
