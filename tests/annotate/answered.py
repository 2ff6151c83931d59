"""Prompts with answers, for tests that start where sampling ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.records import Candidate, Message, ModelVersion, Prompt
from ledger.store import Ledger

OURS = ModelVersion(name="ours", method="dpo", weights="1")
THEIRS = ModelVersion(name="theirs", method="sft", weights="0")
REFERENCE = "Urgent surgical repair, because the bowel may die."


def question(number: int, **said: Any) -> Prompt:
    """A train prompt with a reference, unless ``said`` is otherwise."""
    asked = (Message("user", f"How is case {number} treated?"),)
    return Prompt(**{"messages": asked, "reference": REFERENCE, **said})


def answers(prompt: Prompt, model: ModelVersion, texts: Iterable[str], **said: Any) -> list[Candidate]:
    """One candidate for each text."""
    return [Candidate(prompt.id, model.id, text, seed=seed, **said) for seed, text in enumerate(texts)]


def answered(
    ledger: Ledger, prompts: Sequence[Prompt], texts: Sequence[str], *models: ModelVersion
) -> dict[str, list[Candidate]]:
    """Write the prompts, the models, and the same answers of each model to each prompt; the answers by prompt."""
    found = {prompt.id: [each for model in models for each in answers(prompt, model, texts)] for prompt in prompts}
    ledger.append([*prompts, *models, *(each for candidates in found.values() for each in candidates)])
    return found
