"""The gate's decisions, as the ledger holds them with all that they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from align.gate.checks import WIN_RATE, Check
from align.gate.needs import Need
from ledger.queries import utc
from ledger.records import Decision, Prompt, Round
from ledger.store import Ledger
from ledger.tables import decisions

QUESTION = 160  # characters of it that are shown


@dataclass(frozen=True)
class Example:
    """A prompt on which the model has become worse."""

    check: str
    prompt: str  # its id
    question: str


@dataclass(frozen=True)
class Gated:
    """One decision.

    Attributes:
        model: id
        label: the model's
        opponent: the policy's label
        opponent_id: the policy's id
        round: its number
        when: UTC, ISO 8601
        holds: is it the last one on this model?
        promoted: is the model, all in all, promoted?
        outcome: by the rules: "promote", "hold", "reject"; empty: decided before there were rules
        forced: why somebody decided otherwise; empty
        reasons: as the gate gave them, what weighs most first
        win_rate: against the policy, by the evaluation's assessor alone; what was gone by is `superiority`
        low: of its interval
        high: of its interval
        n_prompts: held-out questions that it is measured on
        rules: hash of the rules
        checks: all that was looked at
        needed: what would settle what is not shown
        examples: prompts that have become worse by most
    """

    model: str
    label: str
    opponent: str
    opponent_id: str
    round: int
    when: str
    holds: bool
    promoted: bool
    outcome: str
    forced: str
    reasons: tuple[str, ...]
    win_rate: float
    low: float
    high: float
    n_prompts: int
    rules: str
    checks: tuple[Check, ...] = ()
    needed: tuple[Need, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def superiority(self) -> Check:
        """The win rate that the gate went by; before there were rules, the evaluation's."""
        plain = Check(
            WIN_RATE, "share", "ok", after=self.win_rate, low=self.low, high=self.high, n_prompts=self.n_prompts
        )
        return next((check for check in self.checks if check.name == WIN_RATE), plain)


def gated(ledger: Ledger, labels: Mapping[str, str]) -> Iterator[Gated]:
    """Every decision, the newest first."""
    numbers = {each.id: each.number for each in ledger.read(Round)}
    times = {row.id: utc(row.at) for row in ledger.rows(sa.select(decisions.c.id, decisions.c.at))}
    met: set[str] = set()
    for each in list(ledger.read(Decision, newest_first=True)):
        yield Gated(
            model=each.model,
            label=labels[each.model],
            opponent=labels[each.opponent],
            opponent_id=each.opponent,
            round=numbers[each.round],
            when=times[each.id],
            holds=each.model not in met,
            promoted=each.promoted,
            outcome=each.outcome or "",
            forced=each.forced,
            reasons=tuple(each.evidence.get("reasons", ())) or (each.reason,),
            win_rate=each.win_rate,
            low=each.low,
            high=each.high,
            n_prompts=each.n_prompts,
            rules=each.rules,
            checks=tuple(map(read_check, each.evidence.get("checks", ()))),
            needed=tuple(_needed(one) for one in each.evidence.get("needed", ())),
            examples=tuple(_examples(ledger, each.evidence.get("examples", {}))),
        )
        met.add(each.model)


def read_check(facts: Mapping[str, Any]) -> Check:
    """A line of a decision's evidence; what only another version of the gate would say is left out."""
    known = {name: value for name, value in facts.items() if name in Check.__dataclass_fields__}
    return Check(**{**known, "examples": tuple(facts.get("examples", ()))})


def _needed(facts: Mapping[str, Any]) -> Need:
    return Need(facts["name"], facts["prompts"], facts["have"], facts.get("minutes"))


def _examples(ledger: Ledger, examples: Mapping[str, Sequence[str]]) -> Iterator[Example]:
    chosen = [(name, prompt) for name, some in examples.items() for prompt in some]
    found = ledger.get_many(Prompt, [prompt for _, prompt in chosen])
    for name, prompt in chosen:
        if prompt in found:
            yield Example(name, prompt, " ".join(found[prompt].question.split())[:QUESTION])
