"""All model versions on one scale, from every contest between them on held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from align.bradley_terry import BradleyTerry, Figure, bradley_terry
from align.davidson import LOSS, TIE, WIN
from align.evaluate import held_out_contests, resampling_of
from align.linked_models import Unlinked
from align.meetings import Meetings
from align.scores import scores_between
from align.winrate import WinRate, win_rate
from annotate.assessors import leading_assessor
from annotate.bootstrap import BoolArray, FloatArray, IntArray
from annotate.settled_contests import BOTH_BAD, INVALID, A, B, SettledContests
from annotate.settled_contests import TIE as TIED
from ledger.config import EvaluateConfig
from ledger.errors import StageError
from ledger.records import ModelVersion
from ledger.workspace import Workspace

OUTCOMES = {A: WIN, B: LOSS, TIED: TIE, BOTH_BAD: TIE}


@dataclass(frozen=True)
class Standing:
    """A model's place on the scale; or why it has none, and then what is known of it otherwise."""

    model: str
    name: str
    log_worth: Figure | None
    beats_zero: Figure | None  # chance of winning against the zero model, a tie counting a half
    contests: float  # that the place rests on; a prompt counts once for each two models
    left_out: Unlinked | None
    win_rate: WinRate | None  # against the zero model, where they met


@dataclass(frozen=True)
class Leaderboard:
    """The scale, the best model first; those without a place come last."""

    assessor: str
    zero: str  # name of the model whose log worth is 0; "" where there is no scale
    confidence: float
    n_prompts: int
    n_contests: int
    tie: Figure | None  # Davidson's v
    problem: str  # why there is no scale
    standings: tuple[Standing, ...]

    def text(self) -> str:
        """A table for people."""
        if self.problem:
            head = f"no scale: {self.problem}"
        else:
            head = (
                f"{self.n_contests} contests on {self.n_prompts} held-out prompts, by {self.assessor}; {self.zero} is 0"
            )
        width = max(len(each.name) for each in self.standings)
        return "\n".join([head, *(_line(each, width) for each in self.standings)])


def leaderboard(workspace: Workspace) -> Leaderboard:
    """Bradley-Terry over all model versions, by what the ledger holds; nothing is sampled or judged.

    The zero is the oldest version, where it can be compared. A prompt counts once for each two models that met on it,
    as in a win rate, so that for two models alone the scale says the same as the win rate.

    Raises:
        StageError: no two models have a valid verdict.
    """
    settled = held_out_contests(workspace)
    models = tuple(workspace.ledger.read(ModelVersion))
    return leaderboard_of(settled, models, leading_assessor(workspace.config.judge), workspace.config.evaluate)


def leaderboard_of(
    settled: SettledContests, known: Sequence[ModelVersion], assessor: str, config: EvaluateConfig
) -> Leaderboard:
    """The same from contests that are settled already by ``assessor``; ``known`` are all models, the oldest first.

    Raises:
        StageError: no two models have a valid verdict.
    """
    models = [each for each in known if each.id in set(settled.models)]
    meetings = meetings_of(settled, [model.id for model in models])
    if not len(meetings.prompt):
        raise StageError(
            "no two models were compared on held-out prompts", where="ledger", advice="run `wardround evaluate`"
        )
    scale = bradley_terry(meetings, len(models), confidence=config.confidence)
    standings = [_standing(scale, number, models, settled, config) for number in range(len(models))]
    return Leaderboard(
        assessor=assessor,
        zero="" if scale.zero is None else models[scale.zero].name,
        confidence=config.confidence,
        n_prompts=scale.n_prompts,
        n_contests=scale.n_contests,
        tie=scale.tie,
        problem=scale.problem,
        standings=tuple(sorted(standings, key=_place)),
    )


def meetings_of(settled: SettledContests, models: list[str]) -> Meetings:
    """The valid contests between different models, each model by its place in ``models``; others are left out."""
    place = np.array([models.index(each) if each in models else -1 for each in settled.models], dtype=np.int64)
    first, second = place[settled.model_a], place[settled.model_b]
    kept = (first >= 0) & (second >= 0) & (first != second) & settled.valid
    outcomes = np.array([OUTCOMES.get(verdict, -1) for verdict in range(INVALID + 1)])
    prompt, first, second = settled.prompt[kept], first[kept], second[kept]
    return Meetings(
        prompt, first, second, outcomes[settled.verdict[kept]], _weights(prompt, first, second, settled, kept)
    )


def _weights(
    prompt: IntArray, first: IntArray, second: IntArray, settled: SettledContests, kept: BoolArray
) -> FloatArray:
    """Each contest's share of all between the same two models on the same prompt [contests]."""
    n = int(max(first.max(initial=0), second.max(initial=0))) + 1
    pair = np.minimum(first, second) * n + np.maximum(first, second)
    _, group = np.unique(prompt * n * n + pair, return_inverse=True)
    count = settled.count[kept].astype(float)
    return np.asarray(count / np.bincount(group, count)[group])


def _standing(
    scale: BradleyTerry, number: int, models: list[ModelVersion], settled: SettledContests, config: EvaluateConfig
) -> Standing:
    model, zero = models[number], scale.zero or 0
    worth = scale.worths.get(number)
    scores = scores_between(settled, model.id, models[zero].id)
    return Standing(
        model=model.id,
        name=model.name,
        log_worth=worth.log_worth if worth else None,
        beats_zero=worth.beats_zero if worth else None,
        contests=worth.contests if worth else 0.0,
        left_out=scale.left_out.get(number),
        win_rate=win_rate(scores, **resampling_of(config)) if number != zero else None,
    )


def _place(standing: Standing) -> tuple[bool, float]:
    return standing.log_worth is None, -standing.log_worth.estimate if standing.log_worth else 0.0


def _line(standing: Standing, width: int) -> str:
    worth, beats = standing.log_worth, standing.beats_zero
    if worth is None or beats is None:
        return f"{standing.name:<{width}}  {'-':>6}  {standing.left_out or ''}".rstrip()
    if worth.low is None or worth.high is None or beats.low is None or beats.high is None:
        return f"{standing.name:<{width}}  {worth.estimate:+6.2f}  (too few contests for an interval)"
    scale = f"{worth.estimate:+6.2f} [{worth.low:+.2f}, {worth.high:+.2f}]"
    chance = f"{beats.estimate:.1%} [{beats.low:.1%}, {beats.high:.1%}]"
    return f"{standing.name:<{width}}  {scale}  against zero {chance}"
