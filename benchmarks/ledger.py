"""How fast the ledger takes in a million comparisons and answers the two questions asked of all of them.

    python benchmarks/ledger.py [--comparisons 1000000] [--url URL] [--batch 20000] [--shuffled]

90,000 prompts, each answered by five of 20 models: SFT, the newest and three others. A judge compares all five answers
with each other, prompt by prompt, then a metric does, until there are enough comparisons. Timed:

- append: making the records, their ids and seals, and writing them so that they survive a power cut;
- winrate: the newest model against SFT (a tenth of all comparisons, every prompt), with its bootstrap interval;
- pairs: all comparisons, streamed prompt by prompt and made into preference pairs (not written).

``--shuffled`` appends in random order: the worst case for every index. With ``--url`` the ledger there must be empty.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations, count, islice
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from align.winrate import scores_by_prompt, win_rate
from annotate.pairs import make_pairs
from ledger.config import PairsConfig
from ledger.queries import comparisons_by_prompt, contest_table
from ledger.records import Candidate, Comparison, Message, ModelVersion, Prompt, Verdict
from ledger.store import Ledger, open_ledger

PROMPTS = 90_000
MODELS = 20
T = TypeVar("T")
Answer = tuple[str, int]  # candidate id, number of its model


def main() -> None:
    """Measure, and print."""
    options = _options()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_ledger(options.url or f"sqlite:///{folder}/ledger.db") as ledger,
    ):
        figures = measure(ledger, options.comparisons, options.batch, shuffled=options.shuffled)
    print(json.dumps(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--url", default="", help="a ledger's URL; by default SQLite in a temporary folder")
    parser.add_argument("--batch", type=int, default=20_000, help="comparisons in one append")
    parser.add_argument("--shuffled", action="store_true")
    return parser.parse_args()


def measure(ledger: Ledger, n: int, batch: int, *, shuffled: bool = False) -> dict[str, float]:
    """Append ``n`` comparisons and ask the two questions; seconds, and MiB."""
    models = [ModelVersion(name=f"model {i}", method="dpo", weights=f"{i}") for i in range(MODELS)]
    answers = _answered_prompts(ledger, models)
    print(f"{PROMPTS} prompts with {sum(map(len, answers.values()))} candidates are there", flush=True)
    stream: Iterator[Comparison] = islice(_comparisons(answers, [model.id for model in models]), n)
    if shuffled:
        everything = list(stream)
        random.Random(1).shuffle(everything)
        stream = iter(everything)
    gc.freeze()  # the answers that this file keeps in memory are not the ledger's to collect

    seconds: dict[str, float] = {}
    with _timed("append", seconds):
        _append(ledger, stream, batch)
    assert ledger.count(Comparison) == n
    with _timed("winrate", seconds):
        rate = win_rate(scores_by_prompt(contest_table(ledger, models[-1].id, models[0].id)))
    with _timed("pairs", seconds):
        pairs = sum(len(make_pairs(rows, (), PairsConfig())) for _, rows in comparisons_by_prompt(ledger))
    print(f"{rate}\n{pairs} pairs", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"comparisons": n, **seconds, "peak_rss_mb": round(peak, 1)}


@contextmanager
def _timed(label: str, seconds: dict[str, float]) -> Iterator[None]:
    """Wall time, and beside it processor time, which a busy machine does not distort as much."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    seconds[f"{label}_seconds"] = round(time.perf_counter() - wall, 2)
    seconds[f"{label}_cpu_seconds"] = round(time.process_time() - processor, 2)


def _append(ledger: Ledger, stream: Iterator[Comparison], batch: int) -> None:
    began = time.perf_counter()
    appended = 0
    for some in _batches(stream, batch):
        appended += ledger.append(some)
        if appended % 100_000 < batch:
            print(f"{appended} comparisons after {time.perf_counter() - began:.1f} s", flush=True)


def _answered_prompts(ledger: Ledger, models: list[ModelVersion]) -> dict[str, list[Answer]]:
    """Prompts with five answers each, written to the ledger; the answers' ids by prompt."""
    rng = random.Random(0)
    ledger.append(models)
    answers: dict[str, list[Answer]] = {}
    questions = (Prompt((Message("user", f"What is question {i} about?" * 4),)) for i in range(PROMPTS))
    for prompts in _batches(questions, 5_000):
        ledger.append(prompts)
        drawn: list[Candidate] = []
        for prompt in prompts:
            by = [0, MODELS - 1, *rng.sample(range(1, MODELS - 1), 3)]
            some = [Candidate(prompt.id, models[i].id, f"The answer of model {i}. " * 10) for i in by]
            answers[prompt.id] = sorted(zip((each.id for each in some), by, strict=True))
            drawn += some
        ledger.append(drawn)
    return answers


def _comparisons(answers: dict[str, list[Answer]], model_ids: list[str]) -> Iterator[Comparison]:
    rng = random.Random(2)
    for number in count():
        assessor = f"metric:{number}" if number else "judge:large"
        for prompt, given in answers.items():
            for (a, by_a), (b, by_b) in combinations(given, 2):
                verdict = _verdict(rng, by_a, by_b)
                yield Comparison(
                    prompt=prompt,
                    a=a,
                    b=b,
                    model_a=model_ids[by_a],
                    model_b=model_ids[by_b],
                    assessor=assessor,
                    verdict=verdict,
                    strength={"a": 0.9, "b": 0.1}.get(verdict, 0.5),
                    order=rng.choice(("ab", "ba")),
                    rubric="surgical:1",
                    axes={"correctness": [4, 3], "safety": [5, 5]},
                    rationale="The first names the red flags and says when to refer; the second leaves both out.",
                    cause="the reply is not JSON" if verdict == "invalid" else "",
                    tokens=412,
                    cost=0.0004,
                    seconds=1.3,
                )


def _verdict(rng: random.Random, by_a: int, by_b: int) -> Verdict:
    """Later models are better; a tenth of all contests are tied, one in fifty fails."""
    drawn = rng.random()
    if drawn < 0.12:
        return "invalid" if drawn < 0.02 else "tie"
    return "a" if rng.random() < 0.5 + (by_a - by_b) / (4 * MODELS) else "b"


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


if __name__ == "__main__":
    main()
