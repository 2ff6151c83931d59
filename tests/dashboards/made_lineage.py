"""A ledger whose models can be traced back by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.records import (
    Candidate,
    Decision,
    Message,
    ModelVersion,
    Pair,
    Prompt,
    Round,
    Verdict,
    pairs_hash,
)
from ledger.store import Ledger
from tests.dashboards.made_ledger import compared

JUDGE = "judge:large"


@dataclass(frozen=True)
class Traced:
    """SFT, round 1 (trained on SFT's answers), round 2 (on round 1's)."""

    models: list[ModelVersion]
    pairs: list[list[Pair]]  # of each round


def trained(ledger: Ledger, hostile: str = "") -> Traced:
    """Round 1: two pairs by the judge, of two questions. Round 2: one pair, by the judge and by two surgeons."""
    prompts = [
        Prompt((Message("user", f"Question {n}? {hostile}"),), source="a.jsonl" if n else "b.csv") for n in range(3)
    ]
    sft = ModelVersion(f"sft{hostile}", "sft", "w0", path="here")
    ledger.append([*prompts, sft])
    first_pairs = [_pair(ledger, prompt, sft, ((JUDGE, "a"),), hostile) for prompt in prompts[:2]]
    first = ModelVersion("round-1-dpo", "dpo", "w1", sft.id, pairs_hash([pair.id for pair in first_pairs]))
    ledger.append_trained(first, [pair.id for pair in first_pairs])
    said: tuple[tuple[str, Verdict], ...] = ((JUDGE, "b"), ("surgeon:1", "a"), ("surgeon:2", "invalid"))
    last_pairs = [_pair(ledger, prompts[2], first, said, hostile)]
    second = ModelVersion("round-2-ipo", "ipo", "w2", first.id, pairs_hash([pair.id for pair in last_pairs]))
    ledger.append_trained(second, [pair.id for pair in last_pairs])
    for number, model, parent, beta in ((1, first, sft, 0.1), (2, second, first, 0.3)):
        config = {"training": {"align": {"beta": beta, "epochs": 2.0}}, "sample": {"n": 4, "vllm": {}}}
        begun = Round(number, parent.id, model.method, config)
        ledger.append([begun, Decision(begun.id, model.id, parent.id, True, "better", 0.6, 0.55, 0.65, 50)])
    return Traced([sft, first, second], [first_pairs, last_pairs])


def _pair(
    ledger: Ledger, prompt: Prompt, model: ModelVersion, said: tuple[tuple[str, Verdict], ...], hostile: str
) -> Pair:
    """``said`` of the chosen ("a") and the rejected ("b") answer."""
    good, bad = (Candidate(prompt.id, model.id, f"{word} answer. {hostile}") for word in ("A good", "A bad"))
    ledger.append([good, bad])
    ratings = [
        replace(compared(good, bad, verdict, assessor, sure=0.8), rationale=f"Why. {hostile}")
        for assessor, verdict in said
    ]
    pair = Pair(prompt.id, good.id, bad.id, 0.9, tuple(each.id for each in ratings))
    ledger.append([*ratings, pair])
    return pair
