"""Who compares: the judges of the configuration, else the embedded reference metric."""

from __future__ import annotations

from dataclasses import dataclass

from annotate.judge import ORDERS
from annotate.panel import judges
from annotate.reference import ASSESSOR as REFERENCE_ASSESSOR
from annotate.reference import reference_rubric
from annotate.rubric import AnyRubric, load_rubric
from ledger.config import JudgeConfig
from ledger.records import Order, Prompt
from ledger.workspace import Workspace

PANEL = "panel"  # under this name goes what several judges say together


@dataclass(frozen=True)
class Judge:
    """An LLM judge: its own settings, as if it were the only one, and what it goes by."""

    config: JudgeConfig
    rubric: AnyRubric
    orders: tuple[Order, ...] = ORDERS

    @property
    def name(self) -> str:
        """As its comparisons bear it."""
        return f"judge:{self.config.model}"

    @property
    def versions(self) -> tuple[str, ...]:
        """All rubric versions that its comparisons may have."""
        return tuple({self.rubric.of("clinical").version: None, self.rubric.of("exam").version: None})

    def version_for(self, prompt: Prompt) -> str:
        """The version by which a prompt's answers are compared."""
        return self.rubric.of(prompt.mode).version


@dataclass(frozen=True)
class Metric:
    """The reference metric, which is the same in either order."""

    config: JudgeConfig
    name: str = REFERENCE_ASSESSOR
    orders: tuple[Order, ...] = ("ab",)

    @property
    def versions(self) -> tuple[str, ...]:
        """The one that its comparisons have."""
        return (reference_rubric().version,)

    def version_for(self, _prompt: Prompt) -> str:
        """The same for all."""
        return reference_rubric().version


Assessor = Judge | Metric


def configured_judges(workspace: Workspace) -> tuple[Judge, ...]:
    """The judges, each with the common rubric; none where it is the reference metric.

    Raises:
        ConfigError: the rubric cannot be used.
    """
    members = judges(workspace.config.judge)
    if not members:
        return ()
    rubric = load_rubric(workspace.config.judge.rubric, workspace.root)
    return tuple(Judge(config, rubric) for config in members)


def configured_assessors(workspace: Workspace) -> tuple[Assessor, ...]:
    """Who compares.

    Raises:
        ConfigError: the rubric cannot be used.
    """
    return configured_judges(workspace) or (Metric(workspace.config.judge),)


def judge_names(config: JudgeConfig) -> tuple[str, ...]:
    """The judges of the configuration, as their comparisons bear them."""
    return tuple(f"judge:{each.model}" for each in judges(config))


def leading_assessor(config: JudgeConfig) -> str:
    """Whose verdicts decide: the panel's where there is one."""
    names = judge_names(config) or (REFERENCE_ASSESSOR,)
    return names[0] if len(names) == 1 else PANEL
