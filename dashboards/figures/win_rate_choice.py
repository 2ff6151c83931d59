"""What the reader has chosen of the win rates, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from align.human_and_judge import HumanAndJudge
from dashboards.findings.known_models import Against, KnownModel
from dashboards.findings.win_rates import Judged, Matchup, WinRates

AGAINST: Mapping[Against, str] = {
    "sft": "the SFT model",
    "promoted": "the last promoted model",
    "parent": "the model it was trained from",
}


@dataclass(frozen=True)
class Choice:
    """A choice that can be shown.

    Attributes:
        findings: of which it is one
        judged: by which assessor
        against: which opponent
        model: the one in detail
    """

    findings: WinRates
    judged: Judged
    against: Against
    model: KnownModel

    @property
    def matchup(self) -> Matchup | None:
        """Of the model in detail; None where this assessor has no win rate at all."""
        opponent = self.model.opponents.get(self.against)
        found = self.judged_pair(self.model.id, opponent) if opponent else None
        return found if found and found.overall else None

    @property
    def in_order(self) -> tuple[tuple[KnownModel, Matchup], ...]:
        """Every model with its win rate against this opponent, the oldest first."""
        return tuple(_with_rate(self.findings, self.judged, self.against))

    def judged_pair(self, model: str, opponent: str) -> Matchup | None:
        """The win rate of one model against another by this assessor."""
        return _matchup(self.judged, model, opponent)

    def with_surgeons(self, matchup: Matchup) -> HumanAndJudge | None:
        """What surgeons and this judge say; surgeons are put beside the configured assessor alone."""
        found = self.rated_by_surgeons(matchup)
        return found if found and found.assessor == self.judged.assessor else None

    def rated_by_surgeons(self, matchup: Matchup) -> HumanAndJudge | None:
        """What surgeons say of the same two models, beside whichever assessor."""
        ids = (matchup.model, matchup.opponent)
        return next((each for each in self.findings.surgeons if (each.model, each.opponent) == ids), None)

    def label(self, model: str) -> str:
        """What a model is called."""
        return next(each.label for each in self.findings.models if each.id == model)


def chosen(findings: WinRates, assessor: str | None, against: Against, model: str | None) -> Choice:
    """The choice, or the nearest one that can be shown. There must be some comparison of a trained model."""
    judged = _judged(findings, assessor)
    offered = opponents_offered(findings, judged.assessor)
    which = against if against in offered else offered[0]
    models = models_offered(findings, judged.assessor, which) or tuple(
        each for each in findings.models[::-1] if each.trained
    )
    return Choice(findings, judged, which, next((each for each in models if each.id == model), models[0]))


def assessors_offered(findings: WinRates) -> tuple[str, ...]:
    """Whose win rates can be shown, the configured one first."""
    return tuple(judged.assessor for judged in findings.judged)


def first_choice(findings: WinRates) -> tuple[str, Against, str | None]:
    """Assessor, opponent and model (its id) that the page opens with."""
    assessor = assessors_offered(findings)[0]
    against = opponents_offered(findings, assessor)[0]
    models = models_offered(findings, assessor, against)
    return assessor, against, models[0].id if models else None


def opponents_offered(findings: WinRates, assessor: str) -> tuple[Against, ...]:
    """Against whom there are win rates; of two that are the same for every model the first. Never empty."""
    judged = _judged(findings, assessor)
    offered: dict[tuple[tuple[str, str], ...], Against] = {}
    for which in AGAINST:
        found = tuple((matchup.model, matchup.opponent) for _, matchup in _with_rate(findings, judged, which))
        if found:
            offered.setdefault(found, which)
    return tuple(offered.values()) or ("sft",)


def models_offered(findings: WinRates, assessor: str, against: Against) -> tuple[KnownModel, ...]:
    """Which have a win rate against this opponent, the newest first."""
    judged = _judged(findings, assessor)
    return tuple(model for model, _ in _with_rate(findings, judged, against))[::-1]


def _judged(findings: WinRates, assessor: str | None) -> Judged:
    return next((each for each in findings.judged if each.assessor == assessor), findings.judged[0])


def _with_rate(findings: WinRates, judged: Judged, against: Against) -> Iterator[tuple[KnownModel, Matchup]]:
    for model in findings.models:
        opponent = model.opponents.get(against)
        matchup = _matchup(judged, model.id, opponent) if opponent else None
        if matchup and matchup.overall:
            yield model, matchup


def _matchup(judged: Judged, model: str, opponent: str) -> Matchup | None:
    return next((each for each in judged.matchups if (each.model, each.opponent) == (model, opponent)), None)
