"""Do scores foretell what one step of preference training does to the chosen answer? On a model trained here."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from align.preflight.displacement import scored
from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import Answered, TokenRow, rendered_pairs
from align.tiny_policy import make_tiny_policy
from sampling.reasoning import Spoken

ORGANS = ("hernia", "liver", "spleen", "colon", "stomach", "kidney", "lung", "thyroid")
SAID = (
    "{} repair needs a mesh and a careful dissection of the wall",
    "the {} is drained and the wound is closed in layers",
    "antibiotics are given before surgery of the {} begins",
    "bleeding from the {} is controlled with a clamp first",
)
QUESTION = "Is it safe to operate on the {}?"


def pairs(rng: random.Random, number: int) -> list[Answered]:
    """Pairs that differ throughout, and pairs that differ in a word."""
    pool = [said.format(organ) for said in SAID for organ in ORGANS]
    made = []
    for place in range(number):
        chosen, other = rng.sample(pool, 2)
        words = chosen.split()
        words[rng.randrange(len(words))] = "really"
        rejected = other if place % 2 else " ".join(words)
        turns = ({"role": "user", "content": QUESTION.format(rng.choice(ORGANS))},)
        made.append(Answered(str(place), turns, Spoken(chosen), Spoken(rejected)))
    return made


def log_probability(model: Any, row: TokenRow, which: str) -> Any:
    import torch

    ids = torch.tensor([[*row["prompt_ids"], *row[f"{which}_ids"]]])
    first = len(row["prompt_ids"])
    levels = model(input_ids=ids).logits[0, first - 1 : -1].log_softmax(-1)
    return levels.gather(-1, ids[0, first:, None]).sum()


def fine_tune(model: Any, sequences: list[list[int]], rng: random.Random, steps: int) -> None:
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(steps):
        for ids in (torch.tensor([each]) for each in rng.sample(sequences, 4)):
            (model(input_ids=ids, labels=ids).loss / 4).backward()
        optimiser.step()
        optimiser.zero_grad()


def change_by_one_step(model: Any, row: TokenRow) -> float:
    """Of chosen's log-probability, in nats, by one step of DPO with the model as its own reference."""
    import torch

    tried = copy.deepcopy(model)
    before = log_probability(tried, row, "chosen")
    margin = before - log_probability(tried, row, "rejected")
    loss: Any = -torch.nn.functional.logsigmoid(0.1 * (margin - margin.detach()))
    loss.backward()
    torch.optim.SGD(tried.parameters(), 1e-4).step()
    with torch.no_grad():
        return float(log_probability(tried, row, "chosen") - before)


@pytest.mark.slow
def test_the_higher_the_score_the_less_the_chosen_answer_gains(tmp_path: Path, one_thread: None) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rng = random.Random(0)
    texts = [said.format(organ) for said in (*SAID, QUESTION) for organ in ORGANS]
    make_tiny_policy(tmp_path / "policy", texts, vocabulary=400)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    rendering = rendered_pairs(AutoTokenizer.from_pretrained(tmp_path / "policy"), pairs(rng, 60), RenderSettings())
    sequences = [[*row["prompt_ids"], *row["chosen_ids"]] for row in rendering.rows]
    fine_tune(model, sequences, rng, 40)
    scores = [score.ches for score in scored(model, rendering.rows)]
    changes = [change_by_one_step(model, row) for row in rendering.rows]
    by_score, by_change = (np.argsort(np.argsort(values)) for values in (scores, changes))
    assert np.corrcoef(by_score, by_change)[0, 1] < -0.6
