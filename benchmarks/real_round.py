"""One whole round on real surgical questions with the embedded default: a tiny policy and the reference metric.

    python benchmarks/real_round.py [--data DIR] [--workspace DIR] [--method dpo]

DIR holds MedQuAD's and MedMCQA's surgical subsets as JSONL (medquad_surgical/, medmcqa_surgical/). The figures are
whatever they are: a model of 2 million parameters knows no surgery, and word overlap is no judge of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from align.demo import ensure_sft
from align.rounds import run_round
from align.training import with_method
from ledger.memory import peak_rss_mib
from ledger.records import Prompt
from ledger.workspace import open_workspace
from sampling.intake import import_prompts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = ("medquad_surgical/medquad_surgical.jsonl", "medmcqa_surgical/medmcqa_surgical.jsonl")
WORDS = 50  # of a reference, for the SFT answers: real ones run to a thousand
CONFIG = """\
[model]
path = "models/sft"

[import]
eval_share = 0.25

[sample]
max_new_tokens = 120

[align]
learning_rate = 5e-4
epochs = 2

[evaluate]
contests = "all"
"""


def opening(prompt: Prompt) -> str:
    """The first words of the reference, to the end of a sentence where one ends there."""
    words = (prompt.reference or "").split()[:WORDS]
    text = " ".join(words)
    return text[: text.rfind(". ") + 1] or text


def main() -> None:
    """Run it and print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--workspace", type=Path)
    options.add_argument("--method", default="dpo")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        print(json.dumps(run(given.workspace or Path(fresh), given.data, given.method)))


def run(folder: Path, data: Path, method: str) -> dict[str, object]:
    """One round in ``folder``."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "wardround.toml").exists():
        (folder / "wardround.toml").write_text(CONFIG, encoding="utf-8")
    with open_workspace(folder) as workspace:
        imported = [import_prompts(workspace, str(data / name)) for name in FILES]
        ensure_sft(workspace, opening)
        report = run_round(with_method(workspace, method), number=1)
        pairs = len(workspace.ledger.trained_on(report.model.id))
    overall = report.against_sft.overall
    return {
        **asdict(overall),
        "by_kind": {name: asdict(rate) for name, rate in report.against_sft.by_kind.items()},
        "questions": sum(each.new + each.known for each in imported),
        "rejected": sum(each.rejected for each in imported),
        "pairs": pairs,
        "method": method,
        "seconds": round(time.monotonic() - began, 1),
        "peak_rss_mb": round(peak_rss_mib(), 1),
    }


if __name__ == "__main__":
    main()
