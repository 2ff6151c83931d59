"""What is wrong with a training run before its first step, from its rows, counts and settings. Pure.

Each check is a trap that TRL walks into in silence; see docs/training-preflight.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from align.preflight.checks import Finding, Plan, of_classes, of_pairs, of_rendering, of_settings, of_weights
from align.preflight.figures import (
    Contradictions,
    Lengths,
    Shortcut,
    class_ratio_of,
    contradictions,
    is_paired,
    length_shortcut,
    lengths,
    shared_prefix,
)
from align.rendering.pairs import Rendering
from annotate.kto_labels import ClassRatio

LEVELS = ("fault", "warning", "note")


@dataclass(frozen=True)
class Preflight:
    """The figures of a training set, and what is wrong with the run."""

    rows: int
    left_out: dict[str, int]  # reason -> how many
    tokens: dict[str, Lengths]
    findings: tuple[Finding, ...]
    shortcut: Shortcut | None = None  # of pairs
    said_again: Contradictions | None = None
    shared: tuple[float, float] | None = None  # see `shared_prefix`
    classes: ClassRatio | None = None  # of labelled answers

    @property
    def has_faults(self) -> bool:
        """Is there anything that must be put right first?"""
        return any(finding.level == "fault" for finding in self.findings)

    def text(self) -> str:
        """For people. No text of a prompt or an answer is in it."""
        return "\n".join([*self._figures(), *(finding.text() for finding in self.findings)])

    def _figures(self) -> Iterator[str]:
        yield f"{self.rows} {'answers' if self.classes else 'pairs'}, {sum(self.left_out.values())} left out"
        for name, found in self.tokens.items():
            yield f"{name}: median {found.median:g} tokens, 95% {found.high:g}, longest {found.longest}"
        if self.classes:
            yield self.classes.text()
        if self.shortcut:
            yield (
                f"chosen is the longer answer in {self.shortcut.longer:.0%} of the pairs,"
                f" by {self.shortcut.difference:+.1f} tokens on average"
            )
        if self.shared:
            yield f"{self.shared[0]:.0%} of the tokens are in shared prefixes: {self.shared[1]:.2f} times fewer without"

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        facts: dict[str, object] = {
            "rows": self.rows,
            "left_out": self.left_out,
            "tokens": {name: found.facts() for name, found in self.tokens.items()},
            "faults": self.has_faults,
            "findings": [asdict(finding) for finding in self.findings],
        }
        if self.shortcut and self.said_again and self.shared:
            share, ratio = self.shared
            facts |= {**asdict(self.shortcut), **asdict(self.said_again)}
            facts |= {"shared_prefix": round(share, 4), "fewer_tokens": round(ratio, 4)}
        return {**facts, **(self.classes.facts() if self.classes else {})}


def preflight(rendering: Rendering, plan: Plan) -> Preflight:
    """Everything that can be known of a run before its first step."""
    rows = rendering.rows
    findings = [*of_rendering(rendering), *of_weights([row["weight"] for row in rows]), *of_settings(plan)]
    figures: dict[str, Any] = {}
    if rows and is_paired(rows):
        figures = {
            "shortcut": length_shortcut(rows),
            "said_again": contradictions(rows),
            "shared": shared_prefix(rows),
        }
        findings += of_pairs(len(rows), figures["shortcut"], figures["said_again"])
    elif rows:
        figures = {"classes": class_ratio_of(rows)}
        findings += of_classes(rows, plan)
    return Preflight(
        rows=len(rows),
        left_out=dict(sorted(Counter(each.reason for each in rendering.left_out).items())),
        tokens=lengths(rows),
        findings=tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level))),
        **figures,
    )
