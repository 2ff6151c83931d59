"""Comparisons to preference pairs. Pure: `annotate/pairing.py` reads and writes the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from annotate.assessor_kinds import PEOPLE, SIMULATED, SURGEON
from annotate.mcq import ASSESSOR as KEY
from annotate.pair_choice import Evidence, Proposal, chosen_of_prompt
from annotate.posterior import EVEN, posterior
from annotate.reliability import AT_THEIR_WORD, Trust
from annotate.settle import settle
from ledger.config import PairsConfig
from ledger.queries import ComparisonRow
from ledger.records import Pair, Verdict

LeftOut = Literal["invalid only", "tie", "below margin", "truncated", "harm", "both bad", "not chosen of its prompt"]

KINDS = {"surgeon": "surgeons", "judge": "judges", "metric": "metrics", "simulated": "simulated assessors"}
NOBODY: frozenset[str] = frozenset()
REMEMBERED = 65_536  # posteriors: most contests of a run are alike


Spoken = tuple[str, Verdict, float]  # assessor, verdict, strength: what of a comparison the posterior depends on


class Weighed(NamedTuple):
    """What the valid verdicts on one contest amount to."""

    probability: float  # that a is better
    both_bad: bool  # does a surgeon say so?


UNHEARD = Weighed(EVEN, both_bad=False)
Weigh = Callable[[tuple[Spoken, ...]], Weighed]


class Opinion(NamedTuple):
    """As much of an assessor's verdict as `settle` looks at."""

    verdict: Verdict
    strength: float


@dataclass
class Tally:
    """Why contests gave no pair."""

    left_out: Counter[LeftOut] = field(default_factory=Counter)


@dataclass(frozen=True)
class Answers:
    """What is known of the answers to one prompt beside their comparisons."""

    truncated: Collection[str] = ()  # cut by the token limit
    corrected: Collection[str] = ()  # written by a surgeon in place of the model's


def weighing(trust: Trust, dependence: float) -> Weigh:
    """The posterior of a contest's valid verdicts, each assessor heard once (`settle`)."""

    def weigh(said: tuple[Spoken, ...]) -> Weighed:
        by_assessor: dict[str, list[Opinion]] = defaultdict(list)
        for assessor, verdict, strength in said:
            by_assessor[assessor].append(Opinion(verdict, strength))
        stated = {who: settle(theirs).strength for who, theirs in by_assessor.items()}
        both_bad = any(verdict == "both_bad" and who.startswith(SURGEON) for who, verdict, _ in said)
        # Rounded, so that a margin is the same one whichever of the two is better.
        return Weighed(round(posterior(stated, trust, dependence), 6), both_bad)

    return lru_cache(REMEMBERED)(weigh)


@lru_cache(8)
def _unmeasured(dependence: float) -> Weigh:
    return weighing(AT_THEIR_WORD, dependence)


def make_pairs(
    rows: Sequence[ComparisonRow], truncated: Collection[str], config: PairsConfig, tally: Tally | None = None
) -> list[Pair]:
    """The preference pairs of one prompt, whatever the order of its comparisons, all assessors taken at their word."""
    weigh = _unmeasured(config.dependence)
    return [each.pair for each in proposed(sorted(rows), Answers(truncated), config, weigh, tally or Tally())]


def proposed(
    rows: Sequence[ComparisonRow], answers: Answers, config: PairsConfig, weigh: Weigh, tally: Tally
) -> list[Proposal]:
    """The pairs that one prompt gives, before caps over all prompts. ``rows``: in the order of their ids.

    No pair comes from ties, invalid verdicts, below the margin, from two answers that are both unacceptable or both
    harmful, or with a chosen answer that the token limit cut, unless the configuration allows that. An answer that a
    surgeon flagged as harmful is never chosen, and loses every contest against one that was not. Where a surgeon wrote
    a better answer, people alone are heard on it, and it is chosen over both that it was written for, whatever the
    policy. Of a hidden repeat the flags are heard, and nothing else. Which of several pairs: `pair_choice`.
    """
    if not rows:
        return []
    evidence = _evidence(rows, answers, weigh)
    usable = [each for each in evidence if _is_usable(each, answers, config, tally)]
    chosen = chosen_of_prompt(usable, _standing(evidence), config) if len(usable) > 1 else usable
    if len(chosen) < len(usable):
        tally.left_out["not chosen of its prompt"] += len(usable) - len(chosen)
    return [_proposal(rows[0].prompt, each) for each in chosen]


def _proposal(prompt: str, evidence: Evidence) -> Proposal:
    behind = [row.id for row in evidence.said]
    if evidence.flags:
        behind = sorted(evidence.flags.union(behind))
    pair = Pair(prompt, evidence.better, evidence.worse, evidence.probability, tuple(behind))
    simulated = any(row.assessor.startswith(SIMULATED) for row in evidence.said)
    return Proposal(pair, _source(evidence), simulated)


def _is_usable(evidence: Evidence, answers: Answers, config: PairsConfig, tally: Tally) -> bool:
    reason = _objection(evidence, answers, config)
    if reason:
        tally.left_out[reason] += 1
    return reason is None


def _objection(evidence: Evidence, answers: Answers, config: PairsConfig) -> LeftOut | None:
    if evidence.harmful == 2:
        return "harm"
    if not evidence.heard:
        return "invalid only"
    if evidence.both_bad:
        return "both bad"
    if evidence.probability < config.margin or evidence.probability <= EVEN:
        return "below margin" if evidence.probability > EVEN else "tie"
    if evidence.better in answers.truncated and not config.allow_truncated:
        return "truncated"
    return None


def _evidence(rows: Sequence[ComparisonRow], answers: Answers, weigh: Weigh) -> list[Evidence]:
    flagged = _flagged(rows)
    by_contest: dict[tuple[str, str], list[ComparisonRow]] = defaultdict(list)
    for row in rows:
        if not row.hidden:
            by_contest[row.a, row.b].append(row)
    return [_gathered(by_contest[contest], answers, flagged, weigh) for contest in sorted(by_contest)]


def _gathered(
    said: Sequence[ComparisonRow], answers: Answers, flagged: Mapping[str, Set[str]], weigh: Weigh
) -> Evidence:
    a, b = said[0].a, said[0].b
    valid = [row for row in said if row.verdict != "invalid"]
    corrected = a in answers.corrected or b in answers.corrected
    if corrected:
        valid = [row for row in valid if row.assessor.startswith(PEOPLE)]
    probability, both_bad = weigh(tuple([row[4:7] for row in valid])) if valid else UNHEARD
    harmful = {a, b} & flagged.keys() if flagged else NOBODY
    flags = NOBODY
    if harmful:
        flags = frozenset().union(*(flagged[answer] for answer in harmful))
        if not valid and flags.isdisjoint(row.id for row in said):
            flags = NOBODY  # nothing was said here: the flag was raised in another contest
        if len(harmful) == 1:
            probability = float(b in harmful)
    better, worse = (a, b) if probability >= EVEN else (b, a)
    probability = probability if better == a else round(1 - probability, 6)
    correction = corrected and better in answers.corrected
    return Evidence(better, worse, probability, valid, flags, len(harmful), both_bad, correction)


def _flagged(rows: Sequence[ComparisonRow]) -> Mapping[str, Set[str]]:
    """The answers that a surgeon flagged as harmful, and the comparisons that say so."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.flags and row.assessor.startswith(SURGEON):
            for flag, answer in (("harm_a", row.a), ("harm_b", row.b)):
                if flag in row.flags:
                    found[answer].add(row.id)
    return found


def _standing(every: Sequence[Evidence]) -> Mapping[str, float]:
    """Each answer's mean probability of being better than its opponents."""
    said: dict[str, list[float]] = defaultdict(list)
    for evidence in every:
        if evidence.heard:
            said[evidence.better].append(evidence.probability)
            said[evidence.worse].append(1 - evidence.probability)
    return {candidate: sum(values) / len(values) for candidate, values in said.items()}


def _source(evidence: Evidence) -> str:
    """Who says so, for a report; nobody by name."""
    if evidence.harmful:
        return "harm flags"
    if evidence.correction:
        return "corrections"
    return " and ".join(sorted({_kind(row.assessor) for row in evidence.said}))


@lru_cache(1_024)
def _kind(assessor: str) -> str:
    return "key" if assessor == KEY else KINDS.get(assessor.partition(":")[0], assessor)
