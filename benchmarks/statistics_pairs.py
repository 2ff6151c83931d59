"""How fast a million comparisons become preference pairs, from the ledger and back into it.

    python benchmarks/statistics_pairs.py [--comparisons 1000000] [--runs 3]

90,000 prompts, a fifth of them held out, and 20 models. Each train prompt has four answers of the policy and two of
other models. A judge compares the policy's with one another in both orders, and one of them with each of the others';
a second judge is asked now and then, and surgeons review a few contests, two of them at a time. Timed is the whole
stage: measuring how far each assessor is to be trusted, looking for prompts that near-duplicate held-out ones, reading
all comparisons, choosing, and writing the pairs. The last line is one JSON object:

- `pairs_seconds`: the stage, on a ledger whose prompts are known to the log as looked through;
- `pairs_guard_seconds`: looking through all prompts for near-duplicates, once after each import;
- `pairs_cpu_seconds`, `pairs_guard_cpu_seconds`: the same in processor time, which a busy machine distorts less.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, islice
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotate.assessor_kinds import SURGEON
from annotate.contamination import contaminated_prompts
from annotate.pairing import build_pairs
from ledger.config import Config
from ledger.records import Candidate, Comparison, Message, ModelVersion, Order, Prompt, Verdict
from ledger.store import open_ledger
from ledger.workspace import Workspace

COMPARISONS, RUNS = 1_000_000, 3
PROMPTS, MODELS, HELD_OUT = 90_000, 20, 5  # one prompt in five is held out
WORDS, WORDS_A_PROMPT = 20_000, 14
BATCH = 50_000
REVIEWED = 0.03  # share of the prompts of which surgeons see a contest
SURGEONS = 8


class Policies(NamedTuple):
    """The models of the ledger."""

    ours: ModelVersion
    others: tuple[ModelVersion, ...]


class Said(NamedTuple):
    """One assessor's verdict, before it is a record."""

    assessor: str
    order: Order
    right: float  # chance that it names the better answer
    sure: float  # the strength that it claims


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    print(json.dumps(pairs_figures(options.comparisons, options.runs)))


def pairs_figures(comparisons: int = COMPARISONS, runs: int = RUNS, prompts: int = PROMPTS) -> dict[str, float]:
    """Medians of ``runs``, each on a fresh copy of one ledger, and the peak of this process's memory (MiB)."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "ledger.db"
        ours = write_ledger(made, comparisons, prompts)
        timed = [_run(made, ours, Path(folder) / f"run-{run}.db") for run in range(runs)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    medians = {key: round(statistics.median(each[key] for each in timed), 2) for key in timed[0]}
    return {**medians, "pairs_peak_rss_mb": round(peak, 1)}


def _run(made: Path, ours: ModelVersion, copy: Path) -> dict[str, float]:
    """Seconds of one run of the stage and of the guard before it, and how many pairs it made."""
    shutil.copyfile(made, copy)
    figures: dict[str, float] = {}
    with open_ledger(f"sqlite:///{copy}") as ledger:
        workspace = Workspace(copy.parent, Config(), ledger)
        with _timed("pairs_guard", figures):
            contaminated_prompts(workspace)
        with _timed("pairs", figures):
            report = build_pairs(workspace, ours)
    for left in copy.parent.glob(f"{copy.name}*"):
        left.unlink()
    print(f"{figures}\n{report.text()}", file=sys.stderr, flush=True)
    return {**figures, "pairs_made": len(report.pairs)}


@contextmanager
def _timed(label: str, figures: dict[str, float]) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    figures[f"{label}_seconds"] = time.perf_counter() - wall
    figures[f"{label}_cpu_seconds"] = time.process_time() - processor


def write_ledger(path: Path, comparisons: int, prompts: int) -> ModelVersion:
    """Write models, prompts, answers and as many comparisons to a new ledger; the policy."""
    models = [ModelVersion(name=f"model {i}", method="dpo", weights=f"{i}") for i in range(MODELS)]
    policies = Policies(models[-1], tuple(models[:-1]))
    rng = random.Random(0)
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.append(models)
        left = comparisons
        for start in range(0, prompts, 5_000):
            asked = [_prompt(rng, number) for number in range(start, min(start + 5_000, prompts))]
            answers = {prompt.id: _answers(prompt, policies, rng) for prompt in asked if prompt.split == "train"}
            ledger.append([*asked, *(each for drawn in answers.values() for each in drawn)])
            stream = (each for drawn in answers.values() for each in _comparisons(drawn, rng))
            while batch := list(islice(stream, min(BATCH, left))):
                left -= ledger.append(batch)
    with open_ledger(f"sqlite:///{path}") as ledger, ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")  # a copy of the one file is then the whole
    return policies.ours


def _prompt(rng: random.Random, number: int) -> Prompt:
    words = " ".join(f"word{int(WORDS ** rng.random())}" for _ in range(WORDS_A_PROMPT))
    return Prompt(
        (Message("user", f"What is to be done in case {number}: {words}?"),),
        mode="clinical" if number % 4 else "exam",
        split="train" if number % HELD_OUT else "eval",
        topic=f"topic {number % 12}",
    )


def _answers(prompt: Prompt, policies: Policies, rng: random.Random) -> list[Candidate]:
    """Four of the policy, then one each of two others, the better ones with the higher seed."""
    by = [policies.ours] * 4 + rng.sample(policies.others, 2)
    return [Candidate(prompt.id, model.id, f"Answer {place}.", seed=place) for place, model in enumerate(by)]


def _comparisons(drawn: list[Candidate], rng: random.Random) -> Iterator[Comparison]:
    for one, other in combinations(drawn[:4], 2):
        yield _compared(one, other, Said("judge:large", "ab", 0.75, 0.9), rng)
        yield _compared(one, other, Said("judge:large", "ba", 0.75, 0.9), rng)
    for other in drawn[4:]:
        yield _compared(drawn[0], other, Said("judge:large", "ab", 0.75, 0.9), rng)
    if rng.random() < REVIEWED:
        for surgeon in rng.sample(range(SURGEONS), 2):
            yield _compared(drawn[0], drawn[1], Said(f"{SURGEON}{surgeon}", "ab", 0.85, 0.7), rng)
        yield _compared(drawn[0], drawn[1], Said("judge:small", "ab", 0.65, 0.9), rng)


def _compared(one: Candidate, other: Candidate, said: Said, rng: random.Random) -> Comparison:
    a, b = sorted((one, other), key=lambda each: each.id)
    verdict, strength = _verdict(said, rng, "a" if a.seed > b.seed else "b")
    return Comparison(
        prompt=a.prompt,
        a=a.id,
        b=b.id,
        model_a=a.model,
        model_b=b.model,
        assessor=said.assessor,
        verdict=verdict,
        strength=strength,
        order=said.order,
        rubric="surgical:1",
        cause="the reply is not JSON" if verdict == "invalid" else "",
    )


def _verdict(said: Said, rng: random.Random, better: str) -> tuple[Verdict, float]:
    drawn = rng.random()
    if drawn < 0.12:
        return ("invalid" if drawn < 0.02 else "tie"), 0.5
    right = rng.random() < said.right
    return ("a", said.sure) if right == (better == "a") else ("b", round(1 - said.sure, 6))


if __name__ == "__main__":
    main()
