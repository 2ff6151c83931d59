"""How long it takes to probe one model: 1,000 questions that are answered, read, checked and compared, then once more.

    python benchmarks/probes.py [--prompts 1000] [--profile FILE]

Half are sums, half multiple-choice questions, each of which is answered in as many orders of its options as
``[probes] orders`` has by default. The model is as large as the demo's (`align/tiny_policy.py`), with the demo's 140
new tokens, on one thread; it is not trained, so that nearly every answer runs to that limit: a model that ends its
answers is quicker. The report compares the model with one that gave the same answers to the questions in the opposite
order.

`seconds` and `cpu_seconds` are of the first run, whole, and `again_seconds` of a second one, which asks and computes
nothing. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for a model this small, waiting for other threads takes longer

from align.probes.answering import answer_probes
from align.probes.likelihoods import score_texts
from align.probes.measuring import Measures, measured
from align.probes.plan import probe_plan
from align.probes.report import compared
from align.tiny_policy import make_tiny_policy
from ledger.memory import peak_rss_mib
from ledger.records import Candidate, Likelihood
from ledger.workspace import Workspace, open_workspace
from sampling.policies import sft_model
from sampling.quiet import quiet

PROMPTS, SEED = 1_000, 20_240_101
ORGANS = ("appendix", "bladder", "colon", "duodenum", "gallbladder", "ileum", "kidney", "liver", "pancreas", "spleen")
CONFIG = """\
[model]
path = "tiny"

[sample]
max_new_tokens = 140

[probes]
sets = []
files = ["probes.jsonl"]
"""

Times = dict[str, tuple[float, float]]  # what was done -> seconds by the clock, and of the processors
T = TypeVar("T")


def rows(count: int) -> Iterator[dict[str, object]]:
    """Sums and multiple-choice questions in turn, no two the same."""
    rng = random.Random(SEED)
    for number in range(count):
        if number % 2:
            options = rng.sample(ORGANS, 4)
            asked = f"The drain of patient {number} lies beside the {options[0]}. Which organ does it lie beside?"
            shown = rng.sample(options, 4)
            yield {"question": asked, "options": shown, "answer": "ABCD"[shown.index(options[0])], "mode": "exam"}
        else:
            one, other = 1_000 + number, rng.randrange(100, 1_000)
            asked = f"One theatre used {one} swabs and another {other}. How many were used in all?"
            yield {"question": asked, "area": "arithmetic", "check": "number", "expected": {"number": one + other}}


def made(folder: Path, count: int) -> None:
    """A workspace with the probes and the model."""
    asked = list(rows(count))
    (folder / "wardround.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    make_tiny_policy(folder / "tiny", [str(row["question"]) for row in asked])


def run(workspace: Workspace) -> Times:
    """All stages, and what each took."""
    found: Times = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        clock, processors = time.perf_counter(), time.process_time()
        done = work()
        found[name] = (time.perf_counter() - clock, time.process_time() - processors)
        return done

    model = sft_model(workspace)
    plan = timed("plan", lambda: probe_plan(workspace))
    timed("answers", lambda: answer_probes(workspace, model, plan.answered))
    timed("log-probabilities", lambda: score_texts(workspace, model, plan))
    figures = timed("checks", lambda: measured(workspace, model, plan))
    timed("report", lambda: compared(turned(figures), figures, workspace.config.evaluate))
    return found


def turned(figures: Measures) -> Measures:
    """Of a model that does on the first question what this one does on the last."""
    axes = {
        name: replace(axis, values=dict(zip(axis.values, reversed(list(axis.values.values())), strict=True)))
        for name, axis in figures.axes.items()
    }
    return replace(figures, axes=axes)


def whole(times: Times) -> tuple[float, float]:
    """Of all stages together."""
    return sum(clock for clock, _ in times.values()), sum(processors for _, processors in times.values())


def measure(folder: Path, count: int) -> dict[str, object]:
    """Both runs, printed as a table."""
    with quiet():
        made(folder, count)
    with open_workspace(folder) as workspace:
        first = run(workspace)
        answers = list(workspace.ledger.read(Candidate))
        read = workspace.ledger.count(Likelihood)
        again = run(workspace)
        if workspace.ledger.count(Candidate) != len(answers) or workspace.ledger.count(Likelihood) != read:
            raise SystemExit("the second run asked or computed something")
    print(
        f"{'':20} {'first run':>19} {'second run':>19}\n{'':20} {'seconds':>10} {'CPU':>8} {'seconds':>10} {'CPU':>8}"
    )
    for name in first:
        print(f"{name:20} {first[name][0]:10.2f} {first[name][1]:8.2f} {again[name][0]:10.2f} {again[name][1]:8.2f}")
    seconds, cpu_seconds = whole(first)
    return {
        "answers": len(answers),
        "at_the_token_limit": sum(each.finish_reason == "length" for each in answers),
        "tokens": sum(each.tokens for each in answers),
        "questions_read": read,
        "seconds_by_stage": {name: round(clock, 2) for name, (clock, _) in first.items()},
        "peak_rss_mb": round(peak_rss_mib(), 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "seconds": round(seconds, 1),
        "again_seconds": round(whole(again)[0], 2),
        "prompts": count,
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=PROMPTS)
    parser.add_argument("--profile", type=Path, help="where to write what cProfile found; it makes all slower")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        if given.profile:
            with cProfile.Profile() as profile:
                found = measure(Path(fresh), given.prompts)
            profile.dump_stats(given.profile)
        else:
            found = measure(Path(fresh), given.prompts)
        print(json.dumps(found))


if __name__ == "__main__":
    main()
