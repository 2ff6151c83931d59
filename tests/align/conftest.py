"""What the tests that train share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.config import parse_config
from ledger.workspace import Workspace
from tests.annotate.answered import question
from tests.annotate.openai_server import MODEL, Answer, Scripted, serving, verdict

LETTERS = re.compile(r"[a-z]")
CONFIG = """
[model]
path = "{model}"

[sample]
n = 3
max_new_tokens = 8

[judge]
model = "{judge}"
base_url = "{url}"

[pairs]
allow_truncated = true

[align]
batch_size = 4
epochs = 4
learning_rate = 5e-3
lora_rank = 4
checkpoint_steps = 2

[evaluate]
contests = "all"
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Train on one thread: for models this small, waiting for the others takes longer than the work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def judge() -> Iterator[Scripted]:
    """A judge that prefers the answer with more letters: something that even the tiny policy can learn."""
    with serving(_more_letters) as running:
        yield running


def _more_letters(body: dict[str, Any]) -> Answer:
    material = body["messages"][-1]["content"]
    first, second = material.split("### ANSWER A\n")[1].split("### YOUR TASK")[0].split("### ANSWER B\n")
    ahead = len(LETTERS.findall(first)) - len(LETTERS.findall(second))
    return verdict("tie" if not ahead else "a_much_better" if ahead > 0 else "b_much_better")


@pytest.fixture
def toy(workspace: Workspace, tiny_policy: Path, judge: Scripted) -> Workspace:
    """A workspace with a few prompts, the tiny policy and a judge."""
    config = CONFIG.format(model=tiny_policy, judge=MODEL, url=judge.url)
    prompts = [question(number) for number in range(8)] + [question(n, split="eval") for n in range(8, 18)]
    workspace.ledger.append([*prompts, question(99, split="probe")])
    return replace(workspace, config=parse_config(config))
