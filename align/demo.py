"""``wardround demo``: a whole round on one machine, with a tiny policy made on the spot.

What the policy has to choose from is real: as in mixed corpora, about half of the SFT answers state the reason, the red
flags and when to refer, and half do not; the reference metric rewards them. Which way a held-out answer goes is then
the policy's own doing, before and after training.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from align.rounds import RoundReport, run_round
from align.sft import SftSettings, train_sft
from align.tiny_policy import make_tiny_policy
from align.training import with_align, with_method
from ledger.config import CONFIG_NAME
from ledger.memory import peak_rss_mib
from ledger.records import Prompt
from ledger.screen import say
from ledger.tables import prompts
from ledger.workspace import Workspace, open_workspace
from sampling.chat import Turn, conversation
from sampling.intake import import_prompts
from sampling.quiet import quiet

BUNDLED = Path(__file__).resolve().parent.parent / "sampling" / "bundled"
FILES = ("questions.jsonl",)
EXTRAS = " Reason:"  # where the plain half of the SFT answers ends
ORPO_WEIGHT = 1.0  # its lambda; the paper has 0.1, for models a thousand times as large
NOTICE = "For research and software tests only. Nothing here is clinical advice."

CONFIG = """\
# The demo's settings. docs/configuration.md lists every key.

[model]
path = "models/sft"          # made by the demo: 2 million parameters, trained on the bundled questions

[import]
eval_share = 0.3

[sample]
n = 4
temperature = 0.9
max_new_tokens = 140

[align]
learning_rate = 5e-4
epochs = 2
batch_size = 8

[evaluate]
contests = "all"
"""


@dataclass(frozen=True)
class DemoReport:
    """How the demo's round ended, and what it took."""

    round: RoundReport
    seconds: float
    peak_rss_mb: float


def demo(folder: Path, method: str) -> DemoReport:
    """Walk one round in ``folder``; what a run before has done is not done again.

    Raises:
        WardroundError: the folder cannot be written, or a stage fails.
    """
    began = time.monotonic()
    say(NOTICE)
    with demo_workspace(folder) as workspace:
        ensure_sft(workspace, sft_answer)
        report = run_round(_set_for(with_method(workspace, method)), number=1)
    return DemoReport(report, time.monotonic() - began, peak_rss_mib())


def _set_for(workspace: Workspace) -> Workspace:
    """ORPO's likelihood term outweighs its odds-ratio term on a policy this small, unless that is weighted up."""
    if workspace.config.align.method != "orpo":
        return workspace
    return with_align(workspace, beta=ORPO_WEIGHT)


@contextmanager
def demo_workspace(folder: Path) -> Iterator[Workspace]:
    """The demo's workspace, with the bundled questions imported."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CONFIG_NAME).exists():
        (folder / CONFIG_NAME).write_text(CONFIG, encoding="utf-8")
    with open_workspace(folder) as workspace:
        for name in FILES:
            import_prompts(workspace, str(BUNDLED / name), layout="wardround")
        yield workspace


def ensure_sft(workspace: Workspace, answer: Callable[[Prompt], str]) -> None:
    """Make the tiny SFT policy in ``models/sft``, unless it is there; ``answer`` is what it learns to say."""
    target = workspace.models / "sft"
    if target.exists():
        return
    asked = list(workspace.ledger.read(Prompt, prompts.c.split == "train"))
    rows = [
        {"prompt": conversation(prompt, workspace.config.chat), "completion": _completion(answer(prompt))}
        for prompt in asked
        if prompt.reference
    ]
    with workspace.stage("sft", answers=len(rows)):
        say("Making a tiny policy and fine-tuning it on the train split")
        base = workspace.models / "untrained"
        if not (base / "config.json").exists():
            with quiet():
                make_tiny_policy(base, _texts(rows, asked))
        train_sft(base, rows, target, SftSettings())
        shutil.rmtree(base)


def sft_answer(prompt: Prompt) -> str:
    """The whole reference for one half of the prompts, its first part alone for the other; the id tells which."""
    reference = prompt.reference or ""
    return reference if int(prompt.id, 16) % 2 else reference.split(EXTRAS)[0]


def _completion(text: str) -> list[Turn]:
    return [{"role": "assistant", "content": text}]


def _texts(rows: Sequence[dict[str, list[Turn]]], asked: Sequence[Prompt]) -> list[str]:
    """What the tokenizer is made from: train prompts and whole references."""
    return [turn["content"] for row in rows for turn in row["prompt"]] + [prompt.reference or "" for prompt in asked]
