"""One model, measured: it answers what the plan asks, reads what it is to read, and every answer is scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from align.probes.answering import answer_probes, probe_answers
from align.probes.areas import (
    BENIGN,
    FACETS,
    FORGETTING,
    FORGOTTEN,
    GROUNDING,
    HARMS,
    LIKELIEST,
    OVER_REFUSALS,
    REFERRALS,
    SAFETY,
    UNREADABLE,
)
from align.probes.axis import Axis
from align.probes.checks import checked, grounding_facets
from align.probes.decisions import DecisionAccuracy, chosen_option, decisions_of
from align.probes.exam import ExamAnswer, accuracy_axis, invalid_axis, likeliest
from align.probes.exam_report import Exam, exam
from align.probes.harness import harness_axes, run_harness
from align.probes.likelihood import perplexity
from align.probes.likelihoods import likelihoods_of, score_texts
from align.probes.plan import ProbePlan
from align.probes.references import ReferenceQuality, Referred, reference_quality
from align.probes.sets import Asked
from annotate.safety_rating import (
    HARM,
    REFERRAL,
    REFUSAL,
    Met,
    SafetyAnswer,
    rate_safety,
    safety_verdicts,
)
from ledger.records import Candidate, ModelVersion, Prompt
from ledger.store import Ledger
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace


@dataclass(frozen=True)
class Measures:
    """What was found of one model.

    Attributes:
        model: its id
        name: its name
        axes: figures prompt by prompt, by name
        exam: multiple-choice questions by the options that it states; None: there are none
        exam_by_likelihood: the same by the likeliest letter; None: its weights are not here
        quality: its held-out answers beside the references
        text_perplexity: of the passages; None: its weights are not here, or there are none
        words: mean length of its held-out answers, by prompt
        answers: ids of its answers to probes, by prompt
        exam_answers: the options that it states
        decisions: how it does on yes/no/maybe questions; None: there are none
    """

    model: str
    name: str
    axes: Mapping[str, Axis]
    exam: Exam | None
    exam_by_likelihood: Exam | None
    quality: ReferenceQuality | None
    text_perplexity: float | None
    words: Mapping[str, float]
    answers: Mapping[str, str]
    exam_answers: Sequence[ExamAnswer] = ()
    decisions: DecisionAccuracy | None = None


def ask(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> None:
    """Let a model answer and read what it has not yet, and have its answers on safety rated.

    Raises:
        ModelError, EndpointError, BudgetError: see the stages; what was done by then is kept.
    """
    answer_probes(workspace, model, plan.answered)
    score_texts(workspace, model, plan)
    rate_safety(workspace, safety_answers(workspace, model, plan))
    run_harness(workspace, model)


def safety_answers(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> list[SafetyAnswer]:
    """A model's answers to safety probes and to their benign look-alikes."""
    asked = [each for each in plan.probes if each.probe.check == SAFETY]
    answers = probe_answers(workspace, model, [each.prompt.id for each in asked])
    return [
        SafetyAnswer(each.prompt, answers[each.prompt.id], each.probe.expected, benign=each.probe.area == BENIGN)
        for each in asked
        if each.prompt.id in answers
    ]


def measured(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> Measures:
    """What the ledger holds of one model; nothing is asked."""
    answers = probe_answers(workspace, model, plan.answered)
    stated, likely = _stated(plan, answers), _likely(workspace, model, plan)
    config = workspace.config.evaluate
    drawn = _held_out_answers(workspace.ledger, model)
    return Measures(
        model=model.id,
        name=model.name,
        axes=_named([*_checked_axes(plan, answers, stated), *_other_axes(workspace, model, plan, stated, likely)]),
        exam=exam(plan.questions, stated, resamples=config.resamples, confidence=config.confidence),
        exam_by_likelihood=exam(plan.questions, likely, resamples=config.resamples, confidence=config.confidence),
        quality=_quality(workspace, model, plan, drawn),
        text_perplexity=_text_perplexity(workspace, model, plan),
        words={prompt: _words(some) for prompt, some in drawn.items()},
        answers={prompt: answer.id for prompt, answer in answers.items()},
        exam_answers=stated,
        decisions=decisions_of(plan.questions, stated),
    )


def axes_of(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> Mapping[str, Axis]:
    """The figures of one model prompt by prompt, by name, from what the ledger holds; nothing is asked."""
    answers = probe_answers(workspace, model, plan.answered)
    stated, likely = _stated(plan, answers), _likely(workspace, model, plan)
    return _named([*_checked_axes(plan, answers, stated), *_other_axes(workspace, model, plan, stated, likely)])


def _stated(plan: ProbePlan, answers: Mapping[str, Candidate]) -> list[ExamAnswer]:
    """The options that a model states."""
    return [
        ExamAnswer(each.question, each.order, chosen_option(each.prompt, answers[each.prompt.id].text))
        for each in plan.showings
        if each.prompt.id in answers
    ]


def _likely(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> list[ExamAnswer]:
    """The options whose letters are the likeliest."""
    read = likelihoods_of(workspace, model, "options")
    return [
        ExamAnswer(each.question, each.order, likeliest(read[each.prompt.id].logprobs))
        for each in plan.showings
        if each.prompt.id in read
    ]


def _other_axes(
    workspace: Workspace,
    model: ModelVersion,
    plan: ProbePlan,
    stated: Sequence[ExamAnswer],
    likely: Sequence[ExamAnswer],
) -> list[Axis]:
    """Those that no rule checks answer by answer."""
    return [
        *_safety_axes(workspace, model, plan),
        *_exam_axes(plan, stated, likely),
        *harness_axes(workspace, model),
    ]


def _named(axes: Iterable[Axis]) -> dict[str, Axis]:
    return {axis.name: axis for axis in axes if axis.modes}


def _checked_axes(plan: ProbePlan, answers: Mapping[str, Candidate], stated: Sequence[ExamAnswer]) -> list[Axis]:
    """Each area whose answers are checked by rule, the forgetting ones together, and what grounding is made of."""
    by_area: dict[str, list[Asked]] = defaultdict(list)
    for each in plan.probes:
        if each.prompt.id in answers and each.probe.check not in (SAFETY, GROUNDING):
            by_area[each.probe.area].append(each)

    right = {
        each.prompt.id: checked(each.probe, each.prompt, answers[each.prompt.id].text)
        for some in by_area.values()
        for each in some
    }

    def passes(each: Asked) -> bool:
        return bool(right[each.prompt.id])  # what cannot be read is not known either

    axes = [_axis(area, some, passes) for area, some in by_area.items()]
    axes.append(_axis(FORGOTTEN, [each for area in FORGETTING for each in by_area.get(area, ())], passes))
    readable = [each for some in by_area.values() for each in some if each.probe.check in ("option", "number")]
    unread = _axis(UNREADABLE, readable, lambda each: right[each.prompt.id] is None, higher_is_better=False)
    return [*axes, _joined(unread, invalid_axis(plan.questions, stated)), *_grounding_axes(plan, answers)]


def _joined(one: Axis, other: Axis) -> Axis:
    """Both axes' prompts, under the first one's name."""
    return replace(one, values={**one.values, **other.values}, modes={**one.modes, **other.modes})


def _grounding_axes(plan: ProbePlan, answers: Mapping[str, Candidate]) -> list[Axis]:
    asked = [each for each in plan.probes if each.probe.check == GROUNDING and each.prompt.id in answers]
    found = {each.prompt.id: grounding_facets(each.probe, each.prompt, answers[each.prompt.id].text) for each in asked}

    def holds(facet: str) -> Callable[[Asked], bool]:
        return lambda each: found[each.prompt.id][facet]

    return [
        _axis(name, [each for each in asked if facet in found[each.prompt.id]], holds(facet))
        for facet, name in FACETS.items()
    ]


def _safety_axes(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> list[Axis]:
    answered = safety_answers(workspace, model, plan)
    said = safety_verdicts(workspace, answered)
    by_prompt = {each.prompt.id: said[each.candidate.id] for each in answered}
    asked = [each for each in plan.probes if each.prompt.id in by_prompt]

    def does(what: str) -> Callable[[Asked], bool | None]:
        def found(each: Asked) -> bool | None:
            met: Met | None = by_prompt[each.prompt.id]
            return None if met is None or what not in met else bool(met[what])

        return found

    unsafe = [each for each in asked if each.probe.area != BENIGN]
    benign = [each for each in asked if each.probe.area == BENIGN]
    to_refer = [each for each in unsafe if each.probe.expected.get("refer")]
    return [
        _axis(HARMS, unsafe, does(HARM), higher_is_better=False),
        _axis(OVER_REFUSALS, benign, does(REFUSAL), higher_is_better=False),
        _axis(REFERRALS, to_refer, does(REFERRAL)),
    ]


def _exam_axes(plan: ProbePlan, stated: Sequence[ExamAnswer], likely: Sequence[ExamAnswer]) -> list[Axis]:
    by_likelihood = accuracy_axis(plan.questions, likely)
    return [accuracy_axis(plan.questions, stated), replace(by_likelihood, name=LIKELIEST)]


def _axis(
    name: str, asked: Iterable[Asked], score: Callable[[Asked], bool | None], *, higher_is_better: bool = True
) -> Axis:
    some = list(asked)
    scored = {each.prompt.id: score(each) for each in some}
    return Axis(
        name,
        higher_is_better,
        {prompt: float(value) for prompt, value in scored.items() if value is not None},
        {each.prompt.id: each.prompt.mode for each in some},
        frozenset(prompt for prompt, value in scored.items() if value is None),
    )


def _held_out_answers(ledger: Ledger, model: ModelVersion) -> dict[str, list[Candidate]]:
    held_out = sa.select(prompts.c.id).where(prompts.c.split == "eval")
    found: dict[str, list[Candidate]] = defaultdict(list)
    for each in ledger.read(Candidate, candidates.c.model == model.id, candidates.c.prompt.in_(held_out)):
        found[each.prompt].append(each)
    return dict(found)


def _quality(
    workspace: Workspace, model: ModelVersion, plan: ProbePlan, drawn: Mapping[str, Sequence[Candidate]]
) -> ReferenceQuality | None:
    referred: dict[str, Prompt] = {prompt.id: prompt for prompt in plan.references}
    answers = [
        Referred(prompt, each.text, referred[prompt].reference or "")
        for prompt, some in drawn.items()
        if prompt in referred
        for each in some
        for _ in range(each.count)
    ]
    read = likelihoods_of(workspace, model, "reference")
    likely = {prompt: (each.logprobs[0], each.tokens[0]) for prompt, each in read.items() if prompt in referred}
    return reference_quality(answers, likely or None, confidence=workspace.config.evaluate.confidence)


def _text_perplexity(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> float | None:
    read = likelihoods_of(workspace, model, "text")
    return perplexity(read[each.prompt.id] for each in plan.passages if each.prompt.id in read)


def _words(answers: Iterable[Candidate]) -> float:
    """The mean length of samples, some of which are the same answer."""
    drawn = [(len(each.text.split()), each.count) for each in answers]
    return sum(words * count for words, count in drawn) / sum(count for _, count in drawn)
