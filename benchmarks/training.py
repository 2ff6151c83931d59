"""What a training step costs over shared prefixes, beside plain TRL of the same version.

    python benchmarks/training.py [--rows 150_150,450_150,1200_150,ragged,system,flops,memory] [--ways stock,...]
        [--repeats N]

A Qwen3 model of 32 million parameters with random weights, LoRA r=16, DPO, on one thread: policy and reference forward
and backward of one batch. Ways take turns after a warm-up; medians of three. CPU time is the process's own, `wall_` is
the clock. `training_ways.py` says what the ways are: stock, compact, shared, stored.

- `stock_450_150`, `compact_...`, `shared_...`, `stored_...`: CPU seconds of a step, prompts of 450 tokens and answers
  of 150, two pairs, fp32, equal lengths. `shared_over_stock_...` and so on: how many times fewer.
- `ragged_...`: 32 pairs of lengths about 400 and 150 in batches of four, bf16 and gradient checkpointing (TRL's
  defaults).
- `system_...`: four pairs of 450 and 150, of whose prompts the first 250 tokens are the same.
- `flops_450_150`: floating-point operations of compact over those of shared.
- `memory_1200_150`: peak resident memory of a shared step over that of plain TRL's, each in a process of its own; the
  libraries and the model are in both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.training_ways import WAYS, Batch, Shape, flops, step, trainer_of, with_reference
from ledger.memory import peak_rss_mib

EVEN = {f"{prompt}_150": Shape(prompt=prompt) for prompt in (150, 450, 1_200)}
SHAPES: Mapping[str, Shape] = {
    **EVEN,
    "ragged": Shape(pairs=4, batches=8, prompt=400, spread=0.5, defaults=True),
    "system": Shape(pairs=4, system=250),
}
ROWS = (*SHAPES, "flops", "memory")
RATIOS = (("shared", "stock"), ("shared", "compact"), ("stored", "stock"))
REPEATS = 3

Figures = dict[str, float]


def main() -> None:
    """Measure the rows that are asked for and print the figures; inside, also the process whose memory is measured."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default=",".join(ROWS))
    options.add_argument("--ways", default=",".join(WAYS))
    options.add_argument("--repeats", type=int, default=REPEATS)
    options.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    given = options.parse_args()
    one_thread()
    if given.peak:
        print(json.dumps(peak(given.peak)))
        return
    found: Figures = {}
    for row in given.rows.split(","):
        if row in SHAPES:
            found |= timed(row, SHAPES[row], given.ways.split(","), given.repeats)
        elif row == "flops":
            found |= counted()
        else:
            found |= memory()
        print(json.dumps(found), file=sys.stderr, flush=True)
    print(json.dumps(found))


def one_thread() -> None:
    """Let PyTorch use one thread."""
    import torch

    torch.set_num_threads(1)


def timed(row: str, shape: Shape, ways: Sequence[str], repeats: int) -> Figures:
    """Seconds of a pass over a row's batches in each way, and the ratios."""
    trainers = {way: trainer_of(way, defaults=shape.defaults) for way in ways}
    material = {way: _material(way, trainers[way], shape) for way in ways}
    for way in ways:
        step(way, trainers[way], material[way][0])
    used: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            began, clock = time.process_time(), time.perf_counter()
            for batch in material[way]:
                step(way, trainers[way], batch)
            used[way].append((time.process_time() - began, time.perf_counter() - clock))
    cpu = {way: statistics.median(each[0] for each in used[way]) for way in ways}
    found = {_key(way, row): round(cpu[way], 3) for way in ways}
    found |= {f"wall_{_key(way, row)}": round(statistics.median(each[1] for each in used[way]), 3) for way in ways}
    asked = [(one, other) for one, other in RATIOS if one in ways and other in ways]
    return found | {_key(f"{one}_over_{other}", row): round(cpu[other] / cpu[one], 2) for one, other in asked}


def _key(name: str, row: str) -> str:
    return f"{name}_{row}" if row in EVEN else f"{row}_{name}"


def _material(way: str, trainer: Any, shape: Shape) -> list[Batch]:
    batches = shape.material()
    return with_reference(trainer, batches) if way == "stored" else batches


def counted() -> Figures:
    """How many times fewer floating-point operations a shared step takes than a compact one."""
    trainers = {way: trainer_of(way) for way in ("compact", "shared")}
    found = {}
    for row, shape in EVEN.items():
        (batch,) = shape.material()
        took = {way: flops(way, trainer, batch) for way, trainer in trainers.items()}
        found[f"flops_{row}"] = round(took["compact"] / took["shared"], 3)
    return found


def memory() -> Figures:
    """Peak memory of one step in MiB, in a process of its own for each way, and the ratio."""
    peaks = {way: _peak_apart(way) for way in ("stock", "compact", "shared")}
    named = {f"memory_{way}_1200_150_mib": peak for way, peak in peaks.items()}
    return {**named, "memory_1200_150": round(peaks["shared"] / peaks["stock"], 3)}


def _peak_apart(way: str) -> float:
    command = [sys.executable, str(Path(__file__).resolve()), "--peak", way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def peak(way: str) -> float:
    """MiB of resident memory at the peak of this process, which makes one step."""
    (batch,) = SHAPES["1200_150"].material()
    step(way, trainer_of(way), batch)
    return round(peak_rss_mib(), 1)


if __name__ == "__main__":
    main()
