"""What a judging run did, judge by judge, and what it spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from annotate.quality import Quality
from ledger.errors import BudgetError
from ledger.records import Comparison, Rating

MOST_CAUSES = 5


@dataclass
class Tally:
    """One assessor's part."""

    known: int = 0  # comparisons that were there before
    known_ratings: int = 0
    ratings: int = 0  # new ones
    invalid_ratings: int = 0  # among them
    verdicts: Counter[str] = field(default_factory=Counter)  # new ones
    causes: Counter[str] = field(default_factory=Counter)  # of the invalid ones
    flipped: int = 0  # contests on these prompts in which the preference changed with the order, the known ones too
    tokens: int = 0  # as the servers counted them
    cost: float = 0.0  # in the currency of the price list

    @property
    def new(self) -> int:
        """How many comparisons were made."""
        return self.verdicts.total()

    def add(self, made: Iterable[Comparison]) -> None:
        """Count new comparisons."""
        for comparison in made:
            self.verdicts[comparison.verdict] += 1
            self.tokens += comparison.tokens
            self.cost += comparison.cost
            if comparison.verdict == "invalid":
                self.causes[comparison.cause] += 1

    def add_ratings(self, made: Iterable[Rating]) -> None:
        """Count new ratings."""
        for rating in made:
            self.ratings += 1
            self.tokens += rating.tokens
            self.cost += rating.cost
            if rating.score is None:
                self.invalid_ratings += 1
                self.causes[rating.cause] += 1

    def text(self) -> str:
        """For people, after the assessor's name."""
        shares = ", ".join(f"{verdict} {count}" for verdict, count in sorted(self.verdicts.items()))
        line = f"{self.new} new comparisons ({self.known} were known){': ' if shares else ''}{shares}"
        if self.ratings or self.known_ratings:
            rated = f"{self.ratings} answers rated ({self.known_ratings} were known), {self.invalid_ratings} invalid"
            line = f"{rated}; {line}"
        if self.flipped:
            line += f"\n  {self.flipped} contests flipped with the order: ties, which a surgeon should look at"
        if not self.causes:
            return line
        causes = ", ".join(f"{cause}: {count}" for cause, count in self.causes.most_common(MOST_CAUSES))
        return f"{line}\n  invalid because: {causes}"

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {**vars(self), "new": self.new}


@dataclass
class JudgeReport:
    """What a judging run did."""

    tallies: dict[str, Tally]  # by assessor; the answer key among them where it decided
    spent: Mapping[str, object] = field(default_factory=dict)  # of the budget: see `Budget.facts`
    stopped: str = ""  # why not all was judged
    quality: Mapping[str, Mapping[str, Quality]] = field(default_factory=dict)  # of rated answers: judge -> model

    @property
    def new(self) -> int:
        """How many comparisons were made."""
        return sum(tally.new for tally in self.tallies.values())

    @property
    def known(self) -> int:
        """How many were there before."""
        return sum(tally.known for tally in self.tallies.values())

    @property
    def verdicts(self) -> Counter[str]:
        """New ones, by all."""
        return sum((tally.verdicts for tally in self.tallies.values()), Counter[str]())

    @property
    def causes(self) -> Counter[str]:
        """Of the new invalid ones, by all."""
        return sum((tally.causes for tally in self.tallies.values()), Counter[str]())

    @property
    def tokens(self) -> int:
        """By all, as the servers counted them."""
        return sum(tally.tokens for tally in self.tallies.values())

    def tally(self, assessor: str) -> Tally:
        """One assessor's part."""
        return self.tallies.setdefault(assessor, Tally())

    def whole(self) -> JudgeReport:
        """Itself, where all was judged: what is half judged is no ground for a decision.

        Raises:
            BudgetError: the budget ended before.
        """
        if self.stopped:
            raise BudgetError(
                self.stopped,
                where="judge.max_calls, judge.max_tokens_total, judge.max_cost",
                advice="what was judged stays; run it again to go on with a new budget",
            )
        return self

    def text(self) -> str:
        """For people."""
        lines = [f"{name}: {tally.text()}" for name, tally in self.tallies.items()]
        for judge, by_model in self.quality.items():
            lines += [f"  {model} by {judge}: {quality.text()}" for model, quality in by_model.items()]
        return "\n".join([*lines, *([f"not all was judged: {self.stopped}"] if self.stopped else [])])

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {
            "assessors": {name: tally.facts() for name, tally in self.tallies.items()},
            "new": self.new,
            "known": self.known,
            "spent": dict(self.spent),
            "stopped": self.stopped,
            "quality": {
                judge: {model: quality.facts() for model, quality in by_model.items()}
                for judge, by_model in self.quality.items()
            },
        }
