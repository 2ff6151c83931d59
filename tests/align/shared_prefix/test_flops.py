"""The arithmetic that shared prefixes save against TRL with its LM head compacted: a ratio that no noise moves."""

from __future__ import annotations

import pytest

from benchmarks.training_ways import Shape, flops, trainer_of


@pytest.fixture(scope="module")
def counted() -> dict[tuple[str, int], float]:
    """Of a step with its reference pass, LoRA r=16, fp32: an eighth of the benchmark's layers and vocabulary."""
    found = {}
    for way in ("compact", "shared"):
        trainer = trainer_of(way, parts=8)
        for prompt in (450, 1_200):
            (batch,) = Shape(pairs=1, prompt=prompt).material()
            found[way, prompt] = float(flops(way, trainer, batch))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("prompt", "least"), [(450, 1.5), (1_200, 1.7)])
def test_a_step_takes_so_much_less(prompt: int, least: float, counted: dict[tuple[str, int], float]) -> None:
    assert counted["compact", prompt] / counted["shared", prompt] >= least
