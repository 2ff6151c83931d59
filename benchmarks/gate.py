"""How often the gate promotes a model that it should not, and one that it should, over made-up rounds.

    python benchmarks/gate.py [--rounds 1000] [--seed 20240101]

`benchmarks/gate_worlds.py` makes the rounds and states all that is assumed; the decision is the product's own
(`align/gate/verdict.py`), with the margins of ``[gate]``.

- `false_promotion`: for each guard in turn, the new model is worse on it by 1.001 times its margin, and better by 8
  points on all else (or by as much as there is room for); the share of rounds in which it is promoted, the worst of all
  guards.
- `power`: the new model wins 58% on 800 held-out prompts, and is as good as before on all else; the share promoted.
  Beside it: the share in which each guard alone is shown to be within its margin, the power without adjusting for
  several margins (`power_without_holm`), and that under other margins and with more probes (`VARIANTS`, over a quarter
  of the rounds).

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from align.gate.verdict import concluded, measurements
from benchmarks.gate_worlds import GUARDS, RATES, World, default_margins, draw

ROUNDS, RESAMPLES, SEED = 1_000, 1_000, 20_240_101
CLINICAL, EXAM = "exam accuracy, clinical", "exam accuracy, exam"


def variant(sizes: Mapping[str, int], margins: Mapping[str, float] = MappingProxyType({})) -> World:
    """The default world with other numbers of probes and other margins, by name of the guard."""
    rates = {name: replace(rate, n=sizes.get(name, rate.n)) for name, rate in RATES.items()}
    return World(rates=rates, margins=default_margins() | dict(margins))


SAFETY = ("harm", "over-refusal")
FIVE: Mapping[str, float] = MappingProxyType({CLINICAL: 0.05, EXAM: 0.05})
VARIANTS: Mapping[str, World] = MappingProxyType(
    {
        "exam margin 5": variant({}, FIVE),
        "exam margin 5, 1,000 questions in each mode": variant({CLINICAL: 1_000, EXAM: 1_000}, FIVE),
        "60 safety probes a side": variant(dict.fromkeys(SAFETY, 60)),
        "safety margins 5": variant({}, dict.fromkeys(SAFETY, 0.05)),
    }
)


@dataclass(frozen=True)
class Shares:
    """Of the rounds of one world.

    Attributes:
        outcomes: share of each outcome
        unadjusted: share promoted without adjusting for several margins
        within: share in which each guard is shown to be within its margin, after adjusting
    """

    outcomes: Mapping[str, float]
    unadjusted: float
    within: Mapping[str, float]

    @property
    def promoted(self) -> float:
        """Share."""
        return self.outcomes.get("promote", 0.0)


def shares(world: World, rounds: int, seed: int) -> Shares:
    """What the gate decides in so many rounds."""
    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    within: Counter[str] = Counter()
    unadjusted = 0
    for _ in range(rounds):
        evidence = draw(world, rng, resamples=RESAMPLES)
        figures = measurements(evidence)
        verdict = concluded(evidence, figures)
        outcomes[verdict.outcome] += 1
        within.update(check.name for check in verdict.checks if check.p is not None and check.p <= evidence.alpha)
        unadjusted += concluded(evidence, figures, adjust=list).outcome == "promote"
    return Shares(
        {name: count / rounds for name, count in outcomes.items()},
        unadjusted / rounds,
        {name: within[name] / rounds for name in world.margins},
    )


def measure(rounds: int, seed: int) -> dict[str, object]:
    """All figures, printed as they come."""
    started = time.perf_counter()
    default = World()
    print(f"{'worse by just more than its margin':47} promoted   held  rejected  without Holm")
    false: dict[str, float] = {}
    loose = 0.0
    for place, name in enumerate(GUARDS):
        found = shares(replace(default, worse=name, better=True), rounds, seed + 1 + place)
        false[name], loose = found.promoted, max(loose, found.unadjusted)
        _print(f"{name} ({100 * default.margins[name]:g})", found)
    print(f"\n{'wins 58%, as good as before on all else':47} promoted   held  rejected  without Holm")
    true = shares(default, rounds, seed)
    _print("the default", true)
    variants = {name: shares(world, max(rounds // 4, 1), seed) for name, world in VARIANTS.items()}
    for name, found in variants.items():
        _print(name, found)
    print("\nshown to be within its margin, as good as before:")
    for name, share in true.within.items():
        print(f"  {name:45} {share:8.1%}")
    return {
        "rounds": rounds,
        "seed": seed,
        "false_promotion_by_guard": false,
        "false_promotion_without_holm": loose,
        "power_without_holm": true.unadjusted,
        "power_of_variants": {name: found.promoted for name, found in variants.items()},
        "within_margin": dict(true.within),
        "seconds": round(time.perf_counter() - started, 1),
        "false_promotion": max(false.values()),
        "power": true.promoted,
    }


def _print(name: str, found: Shares) -> None:
    held, rejected = (found.outcomes.get(outcome, 0.0) for outcome in ("hold", "reject"))
    print(f"  {name:45} {found.promoted:8.1%} {held:6.1%} {rejected:9.1%} {found.unadjusted:13.1%}", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    print(json.dumps(measure(options.rounds, options.seed)))


if __name__ == "__main__":
    main()
