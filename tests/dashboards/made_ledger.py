"""A small ledger, made by hand."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.records import Candidate, Comparison, Decision, Message, Method, ModelVersion, Prompt, Round, Verdict
from ledger.store import Ledger

METHODS: tuple[Method, ...] = ("dpo", "ipo", "orpo")
NASTY = '<script>alert("x")</script> ![i](http://evil.example/i.png) [link](http://evil.example) $x$ :red[r] **bold**'
OTHER: dict[Verdict, Verdict] = {"a": "b", "b": "a"}


@dataclass(frozen=True)
class Made:
    """What was put into the ledger."""

    prompts: list[Prompt]
    models: list[ModelVersion]  # the SFT model first


def held_out(number: int) -> Prompt:
    """Twelve of them: six clinical and six exam questions, every third an MCQ, on two topics."""
    mcq = number % 3 == 0
    return Prompt(
        (Message("user", f"Question {number}?"),),
        mode="clinical" if number % 2 else "exam",
        kind="mcq" if mcq else "open",
        context=(f"Passage {number}.",) if number == 1 else (),
        reference=f"Reference {number}.",
        options=("Yes", "No") if mcq else (),
        answer="A" if mcq else None,
        split="eval",
        topic="hernia" if number < 8 else "biliary",
    )


def answer(prompt: Prompt, model: ModelVersion, text: str = "") -> Candidate:
    return Candidate(prompt.id, model.id, text or f"{model.name} says so.", count=2, tokens=7)


def compared(
    one: Candidate,
    other: Candidate,
    verdict: Verdict,
    assessor: str = "metric:reference",
    *,
    harm: bool = False,
    sure: float = 0.9,
) -> Comparison:
    """``verdict`` "a": ``one`` is better; ``harm`` is done by ``one``. Stored in canonical order."""
    forth = one.id < other.id
    a, b = (one, other) if forth else (other, one)
    said: Verdict = verdict if forth or verdict not in OTHER else OTHER[verdict]
    return Comparison(
        prompt=a.prompt,
        a=a.id,
        b=b.id,
        model_a=a.model,
        model_b=b.model,
        assessor=assessor,
        verdict=said,
        strength={"a": sure, "b": 1 - sure}.get(said, 0.5),
        axes={"reason": [0.75, 0.25] if forth else [0.25, 0.75]},
        flags=(("harm_a",) if forth else ("harm_b",)) if harm else (),
        cause="timeout" if said == "invalid" else "",
    )


def verdict_on(number: int) -> Verdict:
    """What is said on each held-out question: eight wins, a loss, a tie, a "both bad" and an invalid one."""
    odd: dict[int, Verdict] = {0: "b", 1: "tie", 2: "both_bad", 3: "invalid"}
    return odd.get(number, "a")


def fill(ledger: Ledger, rounds: int = 1, *, evaluated: bool = True, assessor: str = "metric:reference") -> Made:
    """An SFT model, and as many rounds on top of each other, each compared with SFT and with its parent."""
    prompts = [held_out(number) for number in range(12)]
    trained_on = Prompt((Message("user", "A training question?"),), topic="hernia")
    models = [ModelVersion("sft", "sft", "w0")]
    for number, method in zip(range(1, rounds + 1), METHODS, strict=False):
        models.append(ModelVersion(f"round-{number}-{method}", method, f"w{number}", parent=models[-1].id))
    ledger.append([*prompts, trained_on, *models])
    answers = {model.id: [answer(prompt, model) for prompt in prompts] for model in models}
    ledger.append([*(each for some in answers.values() for each in some), answer(trained_on, models[0])])
    for number in range(1, rounds + 1 if evaluated else 1):
        model, parent = models[number], models[number - 1]
        for opponent in {models[0].id, parent.id}:
            pairs = enumerate(zip(answers[model.id], answers[opponent], strict=True))
            ledger.append([compared(a, b, verdict_on(place), assessor) for place, (a, b) in pairs])
        started = Round(number, parent.id, model.method)
        ledger.append([started])
        reason = "the interval lies above 0.5"
        ledger.append([Decision(started.id, model.id, parent.id, True, reason, 0.8, 0.6, 0.9, 11)])
    return Made(prompts, models)
