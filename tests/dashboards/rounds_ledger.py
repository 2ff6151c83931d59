"""A ledger after several rounds with an LLM judge, promotions, and surgeons who have rated some answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ledger.records import Candidate, Decision, Message, ModelVersion, Prompt, ReviewItem, Round, Verdict
from ledger.store import Ledger
from tests.dashboards.made_ledger import compared

JUDGE = "judge:large"
SETTINGS = '[judge]\nmodel = "large"\nbase_url = "http://127.0.0.1:9/v1"\n'
PROMOTED = (True, False, True)  # round by round


@dataclass(frozen=True)
class Rounds:
    """What was put into the ledger."""

    prompts: list[Prompt]
    models: list[ModelVersion]  # the SFT model first


def question(number: int, topics: int) -> Prompt:
    mcq = number % 3 == 0
    return Prompt(
        (Message("user", f"Question {number}?"),),
        mode="clinical" if number % 2 else "exam",
        kind="mcq" if mcq else "open",
        options=("Yes", "No") if mcq else (),
        answer="A" if mcq else None,
        split="eval",
        topic=f"topic {number % topics}",
    )


def fill_rounds(
    ledger: Ledger, *, questions: int = 60, topics: int = 5, rated: int = 40, invalid: float = 0.0
) -> Rounds:
    """Three rounds, the second of which was not promoted; two surgeons rated the newest against SFT."""
    rng = random.Random(7)
    prompts = [question(number, topics) for number in range(questions)]
    models = [ModelVersion("sft", "sft", "w0")]
    policy = models[0]
    for number, promoted in enumerate(PROMOTED, start=1):
        model = ModelVersion(f"round-{number}-dpo", "dpo", f"w{number}", parent=policy.id)
        started = Round(number, policy.id, "dpo")
        decided = Decision(started.id, model.id, policy.id, promoted, "so it is", 0.6, 0.5, 0.7, questions)
        ledger.append([models[0], model, started, decided])
        models.append(model)
        policy = model if promoted else policy
    texts = {model.id: 20 + 6 * place for place, model in enumerate(models)}
    answers = {
        (model.id, prompt.id): Candidate(prompt.id, model.id, "x" * rng.randint(texts[model.id], 3 * texts[model.id]))
        for model in models
        for prompt in prompts
    }
    ledger.append([*prompts, *answers.values()])

    def verdict(chance: float) -> Verdict:
        drawn = rng.random()
        if drawn < invalid:
            return "invalid"
        return "tie" if drawn > 0.9 else "a" if rng.random() < chance else "b"

    for place, model in enumerate(models[1:], start=1):
        for opponent in dict.fromkeys((models[0].id, str(model.parent))):
            pairs = [(answers[model.id, each.id], answers[opponent, each.id]) for each in prompts]
            ledger.append([compared(a, b, verdict(0.5 + 0.08 * place), JUDGE) for a, b in pairs])
    for prompt in prompts[:rated]:
        a, b = answers[models[-1].id, prompt.id], answers[models[0].id, prompt.id]
        first, second = sorted((a.id, b.id))
        item = ReviewItem(prompt.id, first, second, "ab", "random", 1, rated / questions)
        ledger.append([item])
        for who in ("01", "02"):
            rating = compared(a, b, verdict(0.7), f"surgeon:{who}")
            ledger.append([replace(rating, item=item.id, selection_probability=item.selection_probability)])
    return Rounds(prompts, models)
