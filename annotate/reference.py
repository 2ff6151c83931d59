"""``metric:reference``: the embedded assessor. Deterministic, made of word overlap and plain cues; no language model.

It stands in where no judge is configured, so that a round runs anywhere. It is no surgeon and no LLM, and everything
that comes from it says so.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from annotate.contests import Contest
from annotate.mcq import stated_option
from ledger.records import Candidate, Comparison, Prompt, Verdict, digest

ASSESSOR = "metric:reference"
RUBRIC_FILE = Path(__file__).parent / "rubrics" / "reference.toml"
SCALE = 0.25  # a score difference of this size is odds of e : 1
WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Criterion:
    """Something an answer does, told by any of its cues."""

    name: str
    weight: float
    cues: tuple[str, ...]


@dataclass(frozen=True)
class ReferenceRubric:
    """What the metric adds up."""

    version: str
    overlap: float
    key: float
    criteria: tuple[Criterion, ...]


@cache
def reference_rubric() -> ReferenceRubric:
    """The rubric of ``rubrics/reference.toml``."""
    said = tomllib.loads(RUBRIC_FILE.read_text(encoding="utf-8"))
    criteria = tuple(Criterion(each["name"], each["weight"], tuple(each["cues"])) for each in said["criteria"])
    return ReferenceRubric(f"reference@{digest(said)[:8]}", said["overlap"], said["key"], criteria)


def scores(prompt: Prompt, candidate: Candidate, rubric: ReferenceRubric) -> dict[str, float]:
    """What ``candidate`` earns on each axis; their sum is its score."""
    text = candidate.text.casefold()
    earned = {"overlap": rubric.overlap * word_f1(text, (prompt.reference or "").casefold())}
    if prompt.kind == "mcq":
        earned["key"] = rubric.key * (stated_option(candidate.text, prompt.options) == prompt.answer)
    for criterion in rubric.criteria:
        earned[criterion.name] = criterion.weight * bool(_any_cue(criterion.cues).search(text))
    return earned


@cache
def _any_cue(cues: tuple[str, ...]) -> re.Pattern[str]:
    """Any of ``cues``, from the start of a word on: "preferred" does not refer."""
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, cues))})")


def word_f1(text: str, reference: str) -> float:
    """Harmonic mean of precision and recall over the words of two texts (Rajpurkar et al., 2016), in [0, 1]."""
    ours, theirs = Counter(WORD.findall(text)), Counter(WORD.findall(reference))
    common = (ours & theirs).total()
    return 2 * common / (ours.total() + theirs.total()) if common else 0.0


def compare_with_reference(contest: Contest, tie_margin: float) -> Comparison:
    """The verdict of the reference metric; ``invalid`` where the prompt has no reference."""
    rubric = reference_rubric()
    if not contest.prompt.reference:
        return _comparison(contest, "invalid", 0.5, {}, cause="the prompt has no reference")
    a, b = (scores(contest.prompt, each, rubric) for each in (contest.a, contest.b))
    difference = sum(a.values()) - sum(b.values())
    axes = {name: [round(a[name], 6), round(b[name], 6)] for name in a}
    if abs(difference) <= tie_margin:
        return _comparison(contest, "tie", 0.5, axes)
    strength = round(1 / (1 + math.exp(-difference / SCALE)), 6)
    return _comparison(contest, "a" if difference > 0 else "b", strength, axes)


def _comparison(
    contest: Contest,
    verdict: Verdict,
    strength: float,
    axes: Mapping[str, list[float]],
    *,
    cause: str = "",
) -> Comparison:
    return Comparison(
        prompt=contest.prompt.id,
        a=contest.a.id,
        b=contest.b.id,
        model_a=contest.a.model,
        model_b=contest.b.model,
        assessor=ASSESSOR,
        verdict=verdict,
        count=contest.count,
        strength=strength,
        rubric=reference_rubric().version,
        axes=axes,
        cause=cause,
    )
