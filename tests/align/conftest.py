"""What the tests that train share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.config import parse_config
from ledger.workspace import Workspace
from tests.align.toy_judge import ToyJudge, toy_judge
from tests.align.win_rate_alone import WIN_RATE_ALONE
from tests.annotate.answered import question
from tests.openai_server import MODEL

BY_MODE = 'win_rate_by_mode = "off"\n'  # all questions are of one mode
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
lora_rank = 4
learning_rate = 1e-2
trainer = {{ max_steps = 2, logging_steps = 1 }}

[evaluate]
least_prompts = 5
resamples = 1000
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
def judge() -> Iterator[ToyJudge]:
    """A running judge."""
    with toy_judge() as running:
        yield running


@pytest.fixture
def toy(workspace: Workspace, tiny_policy: Path, judge: ToyJudge, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a few prompts, the tiny policy and a judge."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = (
        CONFIG.format(model=tiny_policy, judge=MODEL, url=judge.server.url)
        + WIN_RATE_ALONE
        + 'win_rate_by_mode = "off"\n'
    )
    held_out = [question(number, split="eval") for number in range(10, 20)]
    workspace.ledger.append([*map(question, range(6)), *held_out, question(99, split="probe")])
    return replace(workspace, config=parse_config(config))
