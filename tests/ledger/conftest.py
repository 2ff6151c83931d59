"""A small ledger with a model of every kind of ancestry in it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ledger.records import Candidate, Comparison, Message, ModelVersion, Pair, Prompt, Record, pairs_hash
from ledger.store import Ledger


@dataclass(frozen=True)
class Ancestry:
    """An SFT model, its aligned child and that one's child, with all that these were trained on."""

    ledger: Ledger
    newest: ModelVersion
    chain: tuple[ModelVersion, ...]  # newest first
    records: dict[type[Record], list[Record]]


def questions(source: str, n: int) -> list[Prompt]:
    """Prompts that differ between sources."""
    return [Prompt((Message("user", f"{source}: question {i}?"),), source=source) for i in range(n)]


def contest(prompt: Prompt, model: ModelVersion, reply: str = "") -> tuple[list[Candidate], list[Comparison], Pair]:
    """Three answers to a prompt, the third corrected by a surgeon; two comparisons; the pair that they give."""
    by = [model.id, model.id, "surgeon:07"]
    drawn = [
        Candidate(prompt.id, by[i], f"answer {i} to {prompt.question}", parameters={"n": 3}, logprob=-0.5)
        for i in range(3)
    ]
    better, worse, corrected = drawn
    compared = []
    for one, other in ((better, worse), (better, corrected)):
        a, b = sorted((one, other), key=lambda each: each.id)
        won = a is better
        said = Comparison(
            prompt=prompt.id,
            a=a.id,
            b=b.id,
            model_a=a.model,
            model_b=b.model,
            assessor="judge:test",
            verdict="a" if won else "b",
            strength=0.9 if won else 0.1,
            axes={"safety": [4, 2]},
            flags=("missing_information",),
            reply=reply,
            cost=0.01,
        )
        compared.append(said)
    return drawn, compared, Pair(prompt.id, better.id, worse.id, 0.9, tuple(sorted(each.id for each in compared)))


@pytest.fixture
def ancestry(ledger: Ledger) -> Ancestry:
    """Three generations; the second and the third were trained on pairs of their parents' answers."""
    asked = questions("import", 4)
    sft = ModelVersion("sft", "sft", "w0", config={"epochs": 3}, path="models/sft", code="1")
    ledger.append([*asked, sft])
    records: dict[type[Record], list[Record]] = {Prompt: list(asked), Candidate: [], Comparison: [], Pair: []}
    chain = [sft]
    for generation, of_round in enumerate((asked[:2], asked[1:]), start=1):
        made = [contest(prompt, chain[0], f"round {generation}") for prompt in of_round]
        for drawn, compared, pair in made:
            ledger.append([*drawn, *compared, pair])
            records[Candidate] += drawn
            records[Comparison] += compared
            records[Pair].append(pair)
        ids = [pair.id for _, _, pair in made]
        child = ModelVersion(f"dpo-{generation}", "dpo", f"w{generation}", parent=chain[0].id, pairs=pairs_hash(ids))
        ledger.append_trained(child, ids)
        chain.insert(0, child)
    records[ModelVersion] = list(chain)
    return Ancestry(ledger, chain[0], tuple(chain), records)
