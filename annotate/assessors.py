"""Who compares: the judges of the configuration, else the embedded reference metric."""

from __future__ import annotations

from dataclasses import dataclass

from annotate.assessor_kinds import JUDGE
from annotate.criteria import AnyCriteria, load_criteria
from annotate.judge import ORDERS
from annotate.panel import judges
from annotate.reference import ASSESSOR as REFERENCE_ASSESSOR
from annotate.reference import reference_rubric
from annotate.rubric import AnyRubric, load_rubric
from ledger.config import JudgeConfig
from ledger.records import Order, Prompt
from ledger.workspace import Workspace
from sampling.prompts import MODES

PANEL = "panel"  # under this name goes what several judges say together


@dataclass(frozen=True)
class Judge:
    """An LLM judge: its own settings, as if it were the only one, and what it goes by."""

    config: JudgeConfig
    rubric: AnyRubric
    criteria: AnyCriteria

    @property
    def name(self) -> str:
        """As its comparisons bear it."""
        return f"{JUDGE}{self.config.model}"

    @property
    def pointwise(self) -> bool:
        """Does it rate each answer by itself?"""
        return self.config.protocol == "pointwise"

    @property
    def orders(self) -> tuple[Order, ...]:
        """In which the answers of a contest are shown to it; one where they are not shown together."""
        return ("ab",) if self.pointwise else ORDERS

    @property
    def versions(self) -> tuple[str, ...]:
        """All rubric versions that its comparisons may have."""
        return tuple(dict.fromkeys(self._by.of(mode).version for mode in MODES))

    def version_for(self, prompt: Prompt) -> str:
        """The version by which a prompt's answers are compared."""
        return self._by.of(prompt.mode).version

    @property
    def _by(self) -> AnyRubric | AnyCriteria:
        return self.criteria if self.pointwise else self.rubric


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
    """The judges, each with the common rubric and criteria; none where it is the reference metric.

    Raises:
        ConfigError: the rubric or the criteria cannot be used.
    """
    members = judges(workspace.config.judge)
    if not members:
        return ()
    config = workspace.config.judge
    rubric, criteria = load_rubric(config.rubric, workspace.root), load_criteria(config.criteria, workspace.root)
    return tuple(Judge(member, rubric, criteria) for member in members)


def configured_assessors(workspace: Workspace) -> tuple[Assessor, ...]:
    """Who compares.

    Raises:
        ConfigError: the rubric or the criteria cannot be used.
    """
    return configured_judges(workspace) or (Metric(workspace.config.judge),)


def judge_names(config: JudgeConfig) -> tuple[str, ...]:
    """The judges of the configuration, as their comparisons bear them."""
    return tuple(f"{JUDGE}{each.model}" for each in judges(config))


def judging_config(config: JudgeConfig) -> dict[str, object]:
    """What verdicts depend on, of all judges: neither where their servers are, nor what may be spent."""
    deciding = {"rubric", "criteria", "protocol", "temperature", "max_tokens", "repairs", "tie_margin"}
    said = config.model_dump(mode="json", include=deciding | {"contests", "opponents"})
    return {**said, "judges": [each.model for each in judges(config)]}


def leading_assessor(config: JudgeConfig) -> str:
    """Whose verdicts decide: the panel's where there is one."""
    names = judge_names(config) or (REFERENCE_ASSESSOR,)
    return names[0] if len(names) == 1 else PANEL
