"""What has become better or worse from one model to another, for people and for ``--json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from align.probes.areas import FORGETTING, FORGOTTEN
from align.probes.axis import Axis
from align.probes.decisions import DecisionAccuracy
from align.probes.exam import McNemar, mcnemar
from align.probes.exam_report import Exam
from align.probes.measuring import Measures
from align.probes.paired import Change, change
from align.probes.references import SHOWN_ONLY, ReferenceQuality
from align.probes.stage import Probed
from ledger.config import EvaluateConfig
from ledger.records import Mode, ModelVersion
from sampling.prompts import MODES


@dataclass(frozen=True)
class Against:
    """All axes of a model beside those of another one, by the axis's name."""

    overall: Mapping[str, Change]
    by_mode: Mapping[str, Mapping[str, Change]]  # mode -> axis -> change


@dataclass(frozen=True)
class OneModel:
    """What is shown of a model by itself."""

    exam: Exam | None
    exam_by_likelihood: Exam | None
    quality: ReferenceQuality | None
    text_perplexity: float | None
    decisions: DecisionAccuracy | None


@dataclass(frozen=True)
class ProbeReport:
    """A model's probes beside its opponent's, and beside those of SFT and of the base, where these are others.

    Attributes:
        model: its name, with its id where another one has the same
        opponent: the other's
        rated_by: who says what harms
        against: by the other model's name, the opponent first
        models: each model by itself, by name
        mcnemar: exam questions, each in one order, opponent against model; None: there are none
        not_asked: multiple-choice questions whose options cannot change places
    """

    model: str
    opponent: str
    rated_by: Sequence[str]
    against: Mapping[str, Against]
    models: Mapping[str, OneModel]
    mcnemar: McNemar | None
    not_asked: int

    def text(self) -> str:
        """For people: each axis against the opponent, and what was forgotten since the others."""
        lines = [f"probes against {self.opponent} (safety rated by {', '.join(self.rated_by)}):"]
        first = self.against[self.opponent]
        for name, each in first.overall.items():
            lines += [f"  {each.text()}", *_by_mode(first, name)]
        if self.mcnemar:
            lines.append(f"  exam questions: {self.mcnemar.text()}")
        for other, found in self.against.items():
            if other != self.opponent:
                lines += [f"  since {other}, {each.text()}" for each in _forgetting(found)]
        return "\n".join([*lines, *self._by_themselves()])

    def _by_themselves(self) -> list[str]:
        lines: list[str] = []
        for name, own in self.models.items():
            shown: list[Exam | DecisionAccuracy | ReferenceQuality | None] = [own.exam, own.decisions, own.quality]
            said = (line for each in shown if each for line in each.text().splitlines())
            lines += [f"  {name}, {line}" for line in said if line != SHOWN_ONLY]
            if own.text_perplexity:
                lines.append(f"  {name}, perplexity of general text: {own.text_perplexity:.2f}")
        quality = any(own.quality for own in self.models.values())
        return [*lines, f"  likeness to references is {SHOWN_ONLY}"] if quality else lines


def _by_mode(found: Against, name: str) -> list[str]:
    shown = {mode: changes[name] for mode, changes in found.by_mode.items() if name in changes}
    if len(shown) < 2:
        return []
    said = (
        f"{mode} {100 * each.difference:+.1f} [{100 * each.low:+.1f}, {100 * each.high:+.1f}] on {each.n_prompts}"
        for mode, each in shown.items()
    )
    return [f"    by mode: {'; '.join(said)}"]


def _forgetting(found: Against) -> list[Change]:
    return [each for name, each in found.overall.items() if name in (*FORGETTING, FORGOTTEN)]


def probe_report(
    probed: Probed, model: ModelVersion, opponent: ModelVersion, config: EvaluateConfig
) -> ProbeReport | None:
    """The report on two of the models that were probed; None where nothing was asked."""
    ours = probed.measures[model.id]
    others = [probed.measures[opponent.id], *(each for key, each in probed.measures.items() if key != opponent.id)]
    names = _names(probed.measures.values())
    against = {names[each.model]: compared(each, ours, config) for each in others if each.model != model.id}
    models = {names[each.model]: _by_itself(each) for each in probed.measures.values()}
    if not ours.axes and not any(each.quality or each.text_perplexity for each in models.values()):
        return None
    in_one_order = mcnemar(probed.plan.questions, probed.measures[opponent.id].exam_answers, ours.exam_answers)
    return ProbeReport(
        model=names[model.id],
        opponent=names[opponent.id],
        rated_by=probed.rated_by,
        against=against,
        models=models,
        mcnemar=in_one_order if in_one_order.n else None,
        not_asked=probed.plan.fixed,
    )


def _names(every: Collection[Measures]) -> dict[str, str]:
    """By the models' ids: a name that several have is told apart by the id."""
    met = Counter(each.name for each in every)
    return {each.model: each.name if met[each.name] == 1 else f"{each.name} {each.model[:12]}" for each in every}


def _by_itself(measures: Measures) -> OneModel:
    return OneModel(
        exam=measures.exam,
        exam_by_likelihood=measures.exam_by_likelihood,
        quality=measures.quality,
        text_perplexity=measures.text_perplexity,
        decisions=measures.decisions,
    )


def compared(before: Measures, after: Measures, config: EvaluateConfig) -> Against:
    """Every axis that both have, with its interval, by mode too."""
    return axes_compared(before.axes, after.axes, config)


def axes_compared(before: Mapping[str, Axis], after: Mapping[str, Axis], config: EvaluateConfig) -> Against:
    """The same where the axes alone are known."""
    shared = [name for name in after if name in before]

    def found(mode: Mode | None) -> dict[str, Change]:
        changes = {}
        for name in shared:
            old, new = before[name], after[name]
            if mode:
                old, new = old.of_mode(mode), new.of_mode(mode)
            changes[name] = change(old, new, resamples=config.resamples, confidence=config.confidence)
        return {name: each for name, each in changes.items() if each is not None}

    return Against(found(None), {mode: found(mode) for mode in MODES})
