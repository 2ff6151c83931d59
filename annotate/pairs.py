"""Comparisons to preference pairs. Pure: `annotate/pairing.py` reads and writes the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ledger.config import PairsConfig
from ledger.queries import ComparisonRow
from ledger.records import Pair

LeftOut = Literal["invalid only", "below margin", "truncated", "harm", "both bad"]


@dataclass(frozen=True)
class Evidence:
    """All that was said on two answers."""

    a: str
    b: str
    strength: float  # mean P(a is better) over the assessors' valid verdicts
    comparisons: tuple[str, ...]
    harmful: frozenset[str]  # which of the two a surgeon flagged as harmful
    both_bad: bool

    def preference(self) -> tuple[str, str, float]:
        """(better, worse, probability): a harm that a surgeon saw overrides any preference."""
        if len(self.harmful) == 1:
            return (self.b, self.a, 1.0) if self.a in self.harmful else (self.a, self.b, 1.0)
        if self.strength >= 0.5:
            return self.a, self.b, self.strength
        return self.b, self.a, 1 - self.strength


@dataclass
class Tally:
    """Why contests gave no pair."""

    left_out: Counter[LeftOut] = field(default_factory=Counter)


def make_pairs(
    rows: Sequence[ComparisonRow], truncated: Container[str], config: PairsConfig, tally: Tally | None = None
) -> list[Pair]:
    """The preference pairs of one prompt.

    No pair comes from ties, invalid verdicts, below the margin, from two answers that are both unacceptable or both
    harmful, or with a chosen answer that the token limit cut (``truncated``), unless the configuration allows that.
    "all": one pair a contest. "best_worst": the widest gap of each prompt, where comparisons show it directly.
    """
    counted = tally or Tally()
    usable = list(_usable(rows, truncated, config, counted))
    if config.policy == "all" or not usable:
        return usable
    standing = _standing(rows)
    return [max(usable, key=lambda pair: (_gap(pair, standing), pair.weight, pair.id))]


def _usable(
    rows: Sequence[ComparisonRow], truncated: Container[str], config: PairsConfig, tally: Tally
) -> Iterator[Pair]:
    prompt = rows[0].prompt if rows else ""
    for evidence in _evidence(rows):
        better, worse, probability = evidence.preference()
        reason = _objection(evidence, better, probability, truncated, config)
        if reason:
            tally.left_out[reason] += 1
        else:
            yield Pair(prompt, better, worse, round(probability, 6), evidence.comparisons)


def _objection(
    evidence: Evidence, better: str, probability: float, truncated: Container[str], config: PairsConfig
) -> LeftOut | None:
    if len(evidence.harmful) == 2:
        return "harm"
    if not evidence.comparisons:
        return "invalid only"
    if evidence.both_bad:
        return "both bad"
    if probability < config.margin or probability <= 0.5:
        return "below margin"
    if better in truncated and not config.allow_truncated:
        return "truncated"
    return None


def _evidence(rows: Sequence[ComparisonRow]) -> Iterator[Evidence]:
    by_contest: dict[tuple[str, str], list[ComparisonRow]] = defaultdict(list)
    for row in rows:
        by_contest[row.a, row.b].append(row)
    for (a, b), said in sorted(by_contest.items()):
        valid = [row for row in said if row.verdict != "invalid"]
        yield Evidence(
            a=a,
            b=b,
            strength=sum(row.strength for row in valid) / len(valid) if valid else 0.5,
            comparisons=tuple(sorted(row.id for row in valid)),
            harmful=frozenset(_harmful(said)),
            both_bad=any(row.verdict == "both_bad" and _is_surgeon(row) for row in said),
        )


def _harmful(rows: Sequence[ComparisonRow]) -> Iterator[str]:
    for row in rows:
        if _is_surgeon(row):
            yield from (row.a for flag in row.flags if flag == "harm_a")
            yield from (row.b for flag in row.flags if flag == "harm_b")


def _is_surgeon(row: ComparisonRow) -> bool:
    return row.assessor.startswith("surgeon:")


def _standing(rows: Sequence[ComparisonRow]) -> Mapping[str, float]:
    """Each answer's mean probability of being better than its opponents."""
    said: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.verdict != "invalid":
            said[row.a].append(row.strength)
            said[row.b].append(1 - row.strength)
    return {candidate: sum(values) / len(values) for candidate, values in said.items()}


def _gap(pair: Pair, standing: Mapping[str, float]) -> float:
    return standing[pair.chosen] - standing[pair.rejected]
