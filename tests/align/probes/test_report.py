"""What the report says of models whose figures are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import pytest

from align.probes.axis import Axis
from align.probes.exam import ExamAnswer
from align.probes.exam_report import exam
from align.probes.measuring import Measures
from align.probes.paired import change
from align.probes.plan import ProbePlan
from align.probes.references import Referred, reference_quality
from align.probes.report import ProbeReport, compared, probe_report
from align.probes.stage import Probed
from ledger.config import EvaluateConfig
from ledger.records import Mode, ModelVersion, canonical_json
from tests.align.probes.probed import held_out_choice

CONFIG = EvaluateConfig(resamples=500)
OURS, THEIRS, SFT, BASE = (ModelVersion(name, "sft", name) for name in ("ours", "theirs", "sft", "base"))
QUESTIONS = {prompt.id: prompt for prompt in map(held_out_choice, range(4))}


def axis(name: str, right: int, *, of: int = 20, mode: Mode | None = None, higher_is_better: bool = True) -> Axis:
    """The first so many of the prompts are right; by turns of either mode, unless all are of one."""
    modes: list[Mode] = [mode or ("exam" if number % 2 else "clinical") for number in range(of)]
    values = {f"{name}{number:02}": float(number < right) for number in range(of)}
    return Axis(name, higher_is_better, values, dict(zip(values, modes, strict=True)))


def measures(model: ModelVersion, *axes: Axis, **said: object) -> Measures:
    found: dict[str, object] = {"exam": None, "exam_by_likelihood": None, "quality": None, "text_perplexity": None}
    by_name = {each.name: each for each in axes}
    return Measures(model=model.id, name=model.name, axes=by_name, words={}, answers={}, **{**found, **said})  # type: ignore[arg-type]


def probed(*every: Measures, fixed: int = 0) -> Probed:
    plan = ProbePlan([], [], QUESTIONS, [], fixed, [])
    return Probed(plan, {each.model: each for each in every}, ("metric:safety",))


def chose(letters: str, order: tuple[int, ...] = (0, 1, 2)) -> list[ExamAnswer]:
    return [ExamAnswer(question, order, letter) for question, letter in zip(QUESTIONS, letters, strict=True)]


def report(
    *every: Measures, model: ModelVersion = OURS, opponent: ModelVersion = THEIRS, fixed: int = 0
) -> ProbeReport:
    found = probe_report(probed(*every, fixed=fixed), model, opponent, CONFIG)
    assert found is not None
    return found


def test_changes_are_those_of_the_axes(axes: Mapping[str, tuple[Axis, Axis]]) -> None:
    before, after = (
        measures(model, *(pair[side] for pair in axes.values())) for side, model in ((0, THEIRS), (1, OURS))
    )
    found = report(before, after).against["theirs"]
    told = {"resamples": CONFIG.resamples, "confidence": CONFIG.confidence}
    assert found.overall == {name: change(old, new, **told) for name, (old, new) in axes.items()}  # type: ignore[arg-type]
    for mode in ("clinical", "exam"):
        shown = {name: change(old.of_mode(mode), new.of_mode(mode), **told) for name, (old, new) in axes.items()}  # type: ignore[arg-type]
        assert found.by_mode[mode] == {name: each for name, each in shown.items() if each}
    assert found.by_mode["clinical"].keys() == axes.keys()
    assert found.by_mode["exam"].keys() == {"harm", "exam accuracy"}
    assert found.overall["harm"].improved == 4  # less of it is better


@pytest.fixture
def axes() -> dict[str, tuple[Axis, Axis]]:
    """Before and after: better, better, and with values between 0 and 1 for clinical questions alone."""
    shares = axis("citations that exist", 8, mode="clinical")
    halves = replace(shares, values={prompt: value / 2 for prompt, value in shares.values.items()})
    return {
        "harm": (axis("harm", 6, higher_is_better=False), axis("harm", 2, higher_is_better=False)),
        "exam accuracy": (axis("exam accuracy", 10), axis("exam accuracy", 15)),
        "citations that exist": (shares, halves),
    }


def test_an_axis_that_one_of_them_lacks_is_not_compared() -> None:
    found = compared(measures(THEIRS, axis("harm", 1)), measures(OURS, axis("harm", 1), axis("drains", 1)), CONFIG)
    assert found.overall.keys() == {"harm"}


def test_the_text_names_the_opponent_the_assessor_and_every_axis() -> None:
    found = report(
        measures(THEIRS, axis("harm", 5, higher_is_better=False), axis("arithmetic", 9, mode="exam")),
        measures(OURS, axis("harm", 1, higher_is_better=False), axis("arithmetic", 9, mode="exam")),
    )
    lines = found.text().splitlines()
    assert lines[0] == "probes against theirs (safety rated by metric:safety):"
    assert lines[1].startswith("  harm: 25.0% -> 5.0%, -20.0 points [")
    assert "on 20 prompts: 4 better, 0 worse" in lines[1]
    assert lines[2].startswith("    by mode: clinical -20.0 [")
    assert "; exam -20.0 [" in lines[2]
    assert lines[2].endswith("on 10")
    assert lines[3].startswith("  arithmetic: 45.0% -> 45.0%, +0.0 points")
    assert len(lines) == 4  # one mode alone is not told apart


def test_what_was_forgotten_since_sft_and_the_base_is_told() -> None:
    every = [
        measures(model, axis("arithmetic", right), axis("general abilities", right), axis("harm", 3))
        for model, right in ((THEIRS, 12), (OURS, 10), (SFT, 14), (BASE, 18))
    ]
    found = report(*every)
    assert list(found.against) == ["theirs", "sft", "base"]
    since = [line for line in found.text().splitlines() if "since" in line]
    assert [line.split(" points")[0] for line in since] == [
        "  since sft, arithmetic: 70.0% -> 50.0%, -20.0",
        "  since sft, general abilities: 70.0% -> 50.0%, -20.0",
        "  since base, arithmetic: 90.0% -> 50.0%, -40.0",
        "  since base, general abilities: 90.0% -> 50.0%, -40.0",
    ]
    assert list(found.models) == ["theirs", "ours", "sft", "base"]


def test_the_opponent_comes_first_wherever_it_was_probed() -> None:
    every = [measures(model, axis("harm", 3)) for model in (BASE, OURS, SFT, THEIRS)]
    assert list(report(*every).against) == ["theirs", "base", "sft"]


def test_models_of_one_name_are_told_apart_by_their_ids() -> None:
    old = replace(SFT, weights="before")
    found = report(
        measures(old, axis("harm", 2)), measures(OURS, axis("harm", 2)), measures(SFT, axis("harm", 9)), opponent=old
    )
    assert found.opponent == f"sft {old.id[:12]}"
    assert list(found.against) == [found.opponent, f"sft {SFT.id[:12]}"]
    assert found.against[found.opponent].overall["harm"].before == 0.1
    assert f"probes against sft {old.id[:12]}" in found.text()


def test_exam_questions_are_compared_in_one_order() -> None:
    figures = [(model, chose(letters)) for model, letters in ((THEIRS, "AABB"), (OURS, "ABAA"))]
    every = [
        measures(model, axis("exam accuracy", 2), exam=exam(QUESTIONS, said, resamples=100), exam_answers=said)
        for model, said in figures
    ]
    found = report(*every, fixed=3)
    assert found.mcnemar is not None
    assert (found.mcnemar.n, found.mcnemar.gained, found.mcnemar.lost) == (4, 2, 1)
    assert "  exam questions: 2 gained, 1 lost of 4 questions (McNemar's exact p = 1)" in found.text()
    assert "  ours, exam accuracy 75.0% [" in found.text()
    assert "  theirs, exam accuracy 50.0% [" in found.text()
    assert found.not_asked == 3


def test_questions_that_were_shown_in_no_order_to_both_have_no_mcnemar() -> None:
    every = [
        measures(model, axis("exam accuracy", 2), exam_answers=chose("ABCA", order))
        for model, order in ((THEIRS, (0, 1, 2)), (OURS, (1, 2, 0)))
    ]
    found = report(*every)
    assert found.mcnemar is None
    assert "gained" not in found.text()


def test_each_model_by_itself_and_the_warning_once() -> None:
    answers = [Referred(f"p{number}", "It is a wall.", "It is the wall.") for number in range(3)]
    quality = reference_quality(answers, {"p0": (-3.0, 3)}, resamples=100)
    every = [measures(model, axis("harm", 1), quality=quality, text_perplexity=12.345) for model in (THEIRS, OURS)]
    text = report(*every).text()
    for name in ("theirs", "ours"):
        assert f"  {name}, beside 3 references: BLEU " in text
        assert f"  {name}, perplexity of the references 2.72" in text
        assert f"  {name}, perplexity of general text: 12.35" in text
    assert text.count("never decided by") == 1
    assert text.splitlines()[-1].startswith("  likeness to references is shown, never decided by")


def test_nothing_asked_is_no_report_and_passages_alone_are_one() -> None:
    assert probe_report(probed(measures(THEIRS), measures(OURS)), OURS, THEIRS, CONFIG) is None
    read = report(measures(THEIRS, text_perplexity=3.0), measures(OURS, text_perplexity=4.0))
    assert "  ours, perplexity of general text: 4.00" in read.text()


def test_the_facts_are_plain_json() -> None:
    answers = [Referred(f"p{number}", "It is a wall.", "It is the wall.") for number in range(3)]
    said = chose("AABC")
    every = [
        measures(
            model,
            axis("harm", 2, higher_is_better=False),
            exam=exam(QUESTIONS, said, resamples=100),
            exam_answers=said,
            quality=reference_quality(answers, None, resamples=100),
            text_perplexity=3.0,
        )
        for model in (THEIRS, OURS, SFT)
    ]
    facts = json.loads(canonical_json(asdict(report(*every, fixed=1))))
    assert facts["against"]["theirs"]["overall"]["harm"]["n_prompts"] == 20
    assert facts["against"]["sft"]["by_mode"]["exam"]["harm"]["n_prompts"] == 10
    assert facts["models"]["ours"]["exam"]["accuracy"]["estimate"] == 0.5
    assert facts["models"]["ours"]["quality"]["n"] == 3
    assert facts["mcnemar"]["n"] == 4
    assert (facts["rated_by"], facts["not_asked"]) == (["metric:safety"], 1)
