"""A run's steps as curves that can be drawn: a few hundred points, however many steps there were."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

FIGURES = (
    "loss",
    "margin",
    "accuracy",
    "chosen_logp",
    "rejected_logp",
    "chosen_ratio",
    "rejected_ratio",
    "kl",
    "grad_norm",
    "learning_rate",
    "chosen_length",
    "rejected_length",
    "odds",
    "epoch",
    "seconds",
    "tokens_per_second",
    "peak_mib",
)
MOST_POINTS = 500  # of a line: a screen shows no more of them
DIGITS = 6  # significant ones, which no eye tells from the rest

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Curves:
    """What a run logged, by the name of the figure (`align.watching.steps.Step`); all share one axis of steps.

    Attributes:
        steps: the last step of each point
        per_point: logged steps that a point stands for; 1: nothing was thinned
        means: of each point; None where nothing, or no number, was logged
        lowest: of each point; empty where nothing was thinned
        highest: of each point; empty where nothing was thinned
    """

    steps: tuple[int, ...] = ()
    per_point: int = 1
    means: Mapping[str, Values] = field(default_factory=dict)
    lowest: Mapping[str, Values] = field(default_factory=dict)
    highest: Mapping[str, Values] = field(default_factory=dict)


class StepColumns:
    """Steps as columns of numbers, while they are read: 8 bytes a figure, not an object a step."""

    def __init__(self) -> None:
        """No steps yet."""
        self._steps = array("q")
        self._columns: dict[str, array[float]] = {}

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take in steps as they were logged; what is not a number was written as null."""
        for record in records:
            for name in FIGURES:
                value = record.get(name)
                if value is not None:
                    column = self._columns.setdefault(name, array("d"))
                    column.extend([nan] * (len(self._steps) - len(column)))
                    column.append(value)
            self._steps.append(int(record["step"]))

    def table(self) -> tuple[IntArray, dict[str, FloatArray]]:
        """The steps in their order and their figures, NaN where there is none.

        A run that was killed does some steps again: the last one of a number holds.
        """
        n = len(self._steps)
        backwards = np.frombuffer(self._steps, dtype=np.int64)[::-1] if n else np.empty(0, dtype=np.int64)
        steps, places = np.unique(backwards, return_index=True)
        found = {}
        for name, column in self._columns.items():
            whole = np.full(n, nan)
            whole[: len(column)] = np.frombuffer(column, dtype=float)
            found[name] = whole[::-1][places]
        return steps, found


def thinned(steps: IntArray, columns: Mapping[str, FloatArray], most: int = MOST_POINTS) -> Curves:
    """At most ``most`` points: means of steps that follow on each other, with the lowest and the highest of them."""
    if not len(steps):
        return Curves()
    per_point = -(-len(steps) // most)
    starts = np.arange(0, len(steps), per_point)
    ends = np.append(starts[1:], len(steps)) - 1
    numbers = {name: np.where(np.isfinite(values), values, nan) for name, values in columns.items()}
    means = {name: _means(values, starts) for name, values in numbers.items()}
    at = tuple(int(step) for step in steps[ends])
    if per_point == 1:
        return Curves(at, 1, means)
    return Curves(
        at,
        per_point,
        means,
        {name: _plain(np.fmin.reduceat(values, starts)) for name, values in numbers.items()},
        {name: _plain(np.fmax.reduceat(values, starts)) for name, values in numbers.items()},
    )


def _means(values: FloatArray, starts: IntArray) -> Values:
    there = np.isfinite(values)
    counts = np.add.reduceat(there.astype(float), starts)
    sums = np.add.reduceat(np.where(there, values, 0.0), starts)
    return _plain(np.divide(sums, counts, out=np.full(len(starts), nan), where=counts > 0))


def _plain(values: FloatArray) -> Values:
    return tuple(float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values)
