"""Each model's win rates on held-out prompts, by each assessor and against each opponent that matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from align.evaluate import held_out_contests, resampling_of, with_surgeons
from align.human_and_judge import HumanAndJudge
from align.leaderboard import Leaderboard, leaderboard_of
from align.length_control import LengthControlled
from align.scores import Scores, scores_between
from align.winrate import WinRate, win_rate, win_rates_by
from annotate.assessors import PANEL, judge_names
from annotate.settled_contests import SettledContests
from dashboards.findings.known_models import KnownModel, known_models
from dashboards.findings.length_controls import length_controls
from dashboards.findings.shown_assessors import Met, rated_by_surgeons, shown_assessors, who_met
from ledger.config import EvaluateConfig
from ledger.errors import StageError
from ledger.records import ModelVersion, Prompt
from ledger.store import Ledger
from ledger.tables import prompts
from ledger.workspace import Workspace

By = Literal["mode", "kind", "topic"]
Outcome = Literal["better", "not shown", "worse", "too few"]
Groups = Mapping[By, Mapping[str, str]]  # held-out prompt -> which

FEW = 10  # questions: over fewer, the bootstrap's interval is too narrow to call a difference by
NO_TOPIC = "no topic"
TOPIC_RESAMPLES = 2_000  # at most: there may be hundreds of topics, times models, times opponents


@dataclass(frozen=True)
class Matchup:
    """One model against another.

    Attributes:
        model: ids
        opponent: the same
        overall: None: there is no valid verdict
        by: of each mode, kind and topic
        at_equal_length: None: not against the SFT model, too few questions, or too many contests to fit here
        n_contests: with or without a valid verdict
        keyed: did the answer key decide some?
    """

    model: str
    opponent: str
    overall: WinRate | None
    by: Mapping[By, Mapping[str, WinRate]]
    at_equal_length: LengthControlled | None
    n_contests: int
    keyed: bool


@dataclass(frozen=True)
class Judged:
    """All win rates by one assessor.

    Attributes:
        assessor: "judge:NAME", "metric:NAME" or "panel"
        judges: those of the panel
        matchups: of all models, the oldest first
        ladder: all versions on one scale; None: no two have a valid verdict
    """

    assessor: str
    judges: tuple[str, ...]
    matchups: tuple[Matchup, ...]
    ladder: Leaderboard | None


@dataclass(frozen=True)
class WinRates:
    """What the page "Win rates" says.

    Attributes:
        questions: all prompts
        held_out: those among them that models are compared on
        models: the oldest first
        judged: by assessor, the configured one first
        surgeons: with the configured assessor, for each two models of which surgeons rated answers
        confidence: of the intervals
        resamples: of the win rates
    """

    questions: int
    held_out: int
    models: tuple[KnownModel, ...]
    judged: tuple[Judged, ...]
    surgeons: tuple[HumanAndJudge, ...]
    confidence: float
    resamples: int


def outcome(low: float, high: float, n_prompts: int) -> Outcome:
    """What an interval says: "better", "worse", "not shown" where it holds one half, or "too few" questions."""
    if n_prompts < FEW:
        return "too few"
    if low > 0.5:
        return "better"
    return "worse" if high < 0.5 else "not shown"


def find_win_rates(workspace: Workspace) -> WinRates:
    """Read it from the ledger."""
    ledger, config = workspace.ledger, workspace.config
    models, met = known_models(ledger), who_met(ledger)
    groups = _groups(ledger)
    counting = _Counting(workspace, models, groups, tuple(ledger.read(ModelVersion)))
    return WinRates(
        questions=ledger.count(Prompt),
        held_out=len(groups["mode"]),
        models=models,
        judged=tuple(counting.by(assessor) for assessor in shown_assessors(met, config.judge)),
        surgeons=tuple(counting.with_surgeons(met)),
        confidence=config.evaluate.confidence,
        resamples=config.evaluate.resamples,
    )


@dataclass(frozen=True)
class _Counting:
    """What all assessors' win rates have in common."""

    workspace: Workspace
    models: tuple[KnownModel, ...]
    groups: Groups
    versions: Sequence[ModelVersion]

    @property
    def config(self) -> EvaluateConfig:
        return self.workspace.config.evaluate

    def by(self, assessor: str) -> Judged:
        """All win rates by one assessor, whose verdicts are read once."""
        settled = held_out_contests(self.workspace, assessor=assessor)
        lengths = self._lengths(settled)
        found = [self._matchup(settled, model, opponent, lengths) for model, opponent in _pairs(self.models)]
        return Judged(
            assessor=assessor,
            judges=judge_names(self.workspace.config.judge) if assessor == PANEL else (),
            matchups=tuple(each for each in found if each.n_contests),
            ladder=self._ladder(settled, assessor),
        )

    def with_surgeons(self, met: Sequence[Met]) -> Iterator[HumanAndJudge]:
        """For each pair of models that there is a win rate of."""
        versions, rated = {each.id: each for each in self.versions}, rated_by_surgeons(met)
        for model, opponent in _pairs(self.models):
            if {model, opponent} in rated:
                found = with_surgeons(self.workspace, versions[model], versions[opponent])
                if found:
                    yield found

    def _matchup(
        self,
        settled: SettledContests,
        model: str,
        opponent: str,
        lengths: Mapping[tuple[str, str], LengthControlled],
    ) -> Matchup:
        scores = scores_between(settled, model, opponent)
        forth, back = settled.between(model, opponent)
        return Matchup(
            model=model,
            opponent=opponent,
            overall=win_rate(scores, **resampling_of(self.config)),
            by={by: self._rates(scores, by) for by in self.groups},
            at_equal_length=lengths.get((model, opponent)),
            n_contests=int((scores.valid + scores.invalid).sum()),
            keyed=bool(settled.by_key[forth | back].any()),
        )

    def _rates(self, scores: Scores, by: By) -> Mapping[str, WinRate]:
        resampling = resampling_of(self.config)
        if by == "topic":
            resampling["resamples"] = min(resampling["resamples"], TOPIC_RESAMPLES)
        return win_rates_by(scores, self.groups[by], **resampling)

    def _lengths(self, settled: SettledContests) -> dict[tuple[str, str], LengthControlled]:
        newest_first: dict[str, list[str]] = {}
        for model in reversed(self.models):
            if "sft" in model.opponents:
                newest_first.setdefault(model.opponents["sft"], []).append(model.id)
        return {
            (model, sft): rate
            for sft, models in newest_first.items()
            for model, rate in length_controls(self.workspace.ledger, settled, models, sft, self.config).items()
        }

    def _ladder(self, settled: SettledContests, assessor: str) -> Leaderboard | None:
        try:
            return leaderboard_of(settled, self.versions, assessor, self.config)
        except StageError:  # no two models have a valid verdict
            return None


def _pairs(models: Sequence[KnownModel]) -> Iterator[tuple[str, str]]:
    """Each model, the oldest first, with each of its opponents once."""
    for model in models:
        yield from ((model.id, opponent) for opponent in dict.fromkeys(model.opponents.values()))


def _groups(ledger: Ledger) -> Groups:
    row = prompts.c
    held = list(ledger.rows(sa.select(row.id, row.mode, row.kind, row.topic).where(row.split == "eval")))
    return {
        "mode": {each.id: each.mode for each in held},
        "kind": {each.id: each.kind for each in held},
        "topic": {each.id: each.topic or NO_TOPIC for each in held},
    }
