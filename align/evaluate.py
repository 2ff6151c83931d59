"""How a model fares against another on held-out prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from align.winrate import PromptScore, WinRate, scores_by_prompt, win_rate
from annotate.assessors import judge_names, leading_assessor
from annotate.comparing import compare
from annotate.win_table import win_table
from ledger.config import EvaluateConfig
from ledger.errors import StageError
from ledger.records import ModelVersion, Prompt
from ledger.store import Ledger
from ledger.tables import prompts
from ledger.workspace import Workspace
from sampling.sample import sample_for


@dataclass(frozen=True)
class Evaluation:
    """One model against another on the held-out prompts."""

    model: str
    opponent: str
    assessor: str
    overall: WinRate
    by_mode: Mapping[str, WinRate]
    by_kind: Mapping[str, WinRate]
    by_topic: Mapping[str, WinRate]

    def text(self) -> str:
        """One sentence for people."""
        return f"{self.overall.text()}, by {self.assessor}"


def evaluate(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Evaluation:
    """Sample both on the held-out prompts and compare them, as far as that is not done yet; then count.

    Raises:
        StageError: there are no held-out prompts, or no valid comparison.
        BudgetError: the judges' budget ended before all was compared.
    """
    for each in (opponent, model):
        sample_for(workspace, each, "eval")
    compare(workspace, model, opponent).whole()
    return counted(workspace, model, opponent)


def counted(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Evaluation:
    """The win rates that the ledger holds, by the configured assessor (and the key, where that decided).

    Raises:
        StageError: there is no valid comparison.
    """
    config = workspace.config.evaluate
    judging = workspace.config.judge
    assessor = leading_assessor(judging)
    tallies = win_table(workspace.ledger, model.id, opponent.id, assessor, judge_names(judging))
    asked = held_out(workspace.ledger)
    scores = [score for score in scores_by_prompt(tallies) if score.prompt in asked]
    overall = _rate(scores, config)
    if overall is None:
        raise StageError(
            f"no valid comparison of {model.name} with {opponent.name} on held-out prompts",
            where="ledger",
            advice="`wardround log` shows the causes of invalid verdicts",
        )
    return Evaluation(
        model=model.id,
        opponent=opponent.id,
        assessor=assessor,
        overall=overall,
        by_mode=_split_by(scores, {key: prompt.mode for key, prompt in asked.items()}, config),
        by_kind=_split_by(scores, {key: prompt.kind for key, prompt in asked.items()}, config),
        by_topic=_split_by(scores, {key: prompt.topic for key, prompt in asked.items()}, config),
    )


def held_out(ledger: Ledger) -> dict[str, Prompt]:
    """The held-out prompts, by id."""
    return {prompt.id: prompt for prompt in ledger.read(Prompt, prompts.c.split == "eval")}


def _split_by(scores: Iterable[PromptScore], group: Mapping[str, str], config: EvaluateConfig) -> dict[str, WinRate]:
    grouped: dict[str, list[PromptScore]] = defaultdict(list)
    for score in scores:
        grouped[group[score.prompt]].append(score)
    rates = {name: _rate(members, config) for name, members in sorted(grouped.items())}
    return {name: rate for name, rate in rates.items() if rate is not None}


def _rate(scores: list[PromptScore], config: EvaluateConfig) -> WinRate | None:
    return win_rate(scores, resamples=config.resamples, confidence=config.confidence)
