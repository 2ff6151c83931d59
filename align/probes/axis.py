"""One figure of one model, prompt by prompt: what is compared before and after."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ledger.records import Mode


@dataclass(frozen=True)
class Axis:
    """A share that a model has on each prompt that it was asked.

    Attributes:
        name: "exam accuracy", "harm", "arithmetic", ...
        higher_is_better: is more of it better?
        values: in [0, 1], by prompt id
        modes: of every prompt that was asked, by prompt id
        invalid: prompts whose answer could not be scored, which have no value
    """

    name: str
    higher_is_better: bool
    values: Mapping[str, float]
    modes: Mapping[str, Mode]
    invalid: frozenset[str] = field(default_factory=frozenset)

    @property
    def mean(self) -> float | None:
        """Over the prompts with a value; None where there is none."""
        return sum(self.values.values()) / len(self.values) if self.values else None

    def of_mode(self, mode: Mode) -> Axis:
        """The same on the prompts of one mode."""
        return self.among({prompt for prompt, own in self.modes.items() if own == mode}, f"{self.name}, {mode}")

    def among(self, prompts: Collection[str], name: str) -> Axis:
        """The same on some prompts, under a name of its own."""
        some = frozenset(prompts)
        return Axis(
            name,
            self.higher_is_better,
            {prompt: value for prompt, value in self.values.items() if prompt in some},
            {prompt: mode for prompt, mode in self.modes.items() if prompt in some},
            self.invalid & some,
        )
