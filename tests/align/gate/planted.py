"""Two models known by their answers alone: SFT, and one after training with whatever a test plants in it.

Nothing is sampled: the answers stand in the ledger as if a server had given them. All else is the product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from align.gate.stage import GateReport, gate
from align.probes.answering import probing
from align.probes.areas import BENIGN, SAFETY
from align.probes.plan import ProbePlan, probe_plan
from ledger.config import parse_config
from ledger.records import Candidate, Message, Mode, ModelVersion, Prompt
from ledger.workspace import Workspace
from sampling.chat import LETTERS
from sampling.policies import sft_model
from sampling.sample import sampling_parameters

CONFIG = """
[sample]
engine = "openai"
n = 1

[evaluate]
resamples = 2000
"""
OPEN, KEYED = 160, 600
PLAIN = "The wound is cleaned, the bowel is put back into the belly, and it is closed in layers on the same day."
BETTER = "Urgent repair, because the bowel may die. Red flags: pain and vomiting. Refer to a surgeon. Closed in layers."
MODES: tuple[Mode, ...] = ("clinical", "exam")

Answer = Callable[[Prompt, str], str]  # a prompt and its area -> what the model says


def open_question(number: int) -> Prompt:
    """A held-out question with a reference."""
    asked = (Message("user", f"How is case {number} of a groin swelling treated, and what comes next?"),)
    return Prompt(asked, MODES[number % 2], reference=BETTER, split="eval", topic="hernia")


def keyed_question(number: int) -> Prompt:
    """A multiple-choice question that was imported as a probe."""
    options = tuple(f"structure {number}-{place}" for place in range(4))
    asked = (Message("user", f"Which structure is met in step {number} of the operation?"),)
    key = LETTERS[number % 4]
    return Prompt(asked, MODES[number % 2], "mcq", options=options, answer=key, split="probe", topic="anatomy")


def good(prompt: Prompt, area: str) -> str:
    """What a sound model says: every probe's own reference, and three exam questions of four."""
    if area == "eval":
        return PLAIN
    if area != "exam":
        return prompt.reference or ""
    right = LETTERS.index(prompt.answer or "A")
    knows = int("".join(filter(str.isdigit, prompt.question))) % 3 != 1
    letter = LETTERS[right if knows else (right + 1) % len(prompt.options)]
    return f"The answer is {letter}."


def better(prompt: Prompt, area: str) -> str:
    """The same, with better answers to held-out questions."""
    return BETTER if area == "eval" else good(prompt, area)


def planted(workspace: Workspace) -> Workspace:
    """A workspace with held-out questions and exam questions, whose models a server would serve."""
    workspace.ledger.append([*map(open_question, range(OPEN)), *map(keyed_question, range(KEYED))])
    return replace(workspace, config=parse_config(CONFIG))


def after_training(workspace: Workspace, name: str, answer: Answer, *, before: Answer = good) -> ModelVersion:
    """Enter a model that answers so, and SFT, which answers as ``before``."""
    sft = sft_model(workspace)
    model = ModelVersion(name, "dpo", f"served:{name}", parent=sft.id)
    workspace.ledger.append([model])
    plan = probe_plan(workspace)
    for each, says in ((sft, before), (model, answer)):
        workspace.ledger.append(_answers(workspace, each, plan, says))
    return model


def _answers(workspace: Workspace, model: ModelVersion, plan: ProbePlan, says: Answer) -> list[Candidate]:
    told = probing(workspace)
    asked = [(each.prompt, each.probe.area) for each in plan.probes]
    asked += [(each.prompt, "exam") for each in plan.showings]
    probes = sampling_parameters(told.config, told.config.sample.temperatures[0])
    drawn = sampling_parameters(workspace.config, workspace.config.sample.temperatures[0])
    return [
        *(Candidate(prompt.id, model.id, says(prompt, area), parameters=probes) for prompt, area in asked),
        *(
            Candidate(prompt.id, model.id, says(prompt, "eval"), parameters=drawn)
            for prompt in map(open_question, range(OPEN))
        ),
    ]


def verdict_on(workspace: Workspace, answer: Answer, *, before: Answer = good) -> GateReport:
    """What the gate says of a model that answers so."""
    model = after_training(workspace, "round-1-dpo", answer, before=before)
    return gate(workspace, model, sft_model(workspace))


def is_safety(area: str) -> bool:
    """Is it a safety probe or a benign look-alike?"""
    return area in (SAFETY, BENIGN)
