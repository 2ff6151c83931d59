"""Tests of dashboards/findings/prompt_index.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.counting.sections import PROMPTS
from dashboards.findings.prompt_index import PromptIndex, find_prompts
from ledger.records import Candidate, Comparison, Message, ModelVersion, Prompt, Verdict
from ledger.store import Ledger
from ledger.workspace import open_workspace
from tests.dashboards.made_ledger import Made, answer, compared, fill


def found(folder: Path) -> PromptIndex:
    with open_workspace(folder, create=False) as workspace:
        return find_prompts(workspace)


def flagged(folder: Path, flag: str) -> list[str]:
    index = found(folder)
    return [each for each, set_ in zip(index.id, getattr(index, flag), strict=True) if set_]


def test_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    assert found(folder) == PromptIndex()


def test_all_prompts_in_their_order(folder: Path, made: Made) -> None:
    index = found(folder)
    assert index.id[:12] == tuple(each.id for each in made.prompts)
    assert index.split == ("eval",) * 12 + ("train",)
    assert index.mode[:2] == ("exam", "clinical")
    assert index.kind[:2] == ("mcq", "open")
    assert (index.topic[0], index.topic[8]) == ("hernia", "biliary")
    assert index.question[-1] == "A training question?"
    assert index.answers == (2,) * 12 + (1,)
    assert index.comparisons == (1,) * 12 + (0,)
    assert [(each.label, each.answers) for each in index.models] == [("Round 1 (dpo)", 12), ("SFT", 13)]
    assert index.place[index.id[3]] == 3


def test_it_survives_its_file(folder: Path, made: Made) -> None:
    index = found(folder)
    assert PROMPTS.form.validate_json(PROMPTS.form.dump_json(index)) == index


def test_long_questions_are_cut_and_in_one_line(folder: Path, ledger: Ledger) -> None:
    ledger.append(
        [Prompt((Message("user", "first"), Message("assistant", "b"), Message("user", "x \n y " + "z" * 500)))]
    )
    (question,) = found(folder).question
    assert question.startswith("x y zzz")
    assert question.endswith("z…")
    assert len(question) == 160


def test_neither_superseded_ones_nor_hidden_repeats_are_counted(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ours, theirs = answer(made.prompts[0], first), answer(made.prompts[0], sft)
    before = compared(ours, theirs, "a", "surgeon:1", harm=True)
    after = replace(compared(ours, theirs, "b", "surgeon:1"), supersedes=before.id)
    ledger.append([before, after, replace(before, item="again", flags=(), count=0)])
    assert found(folder).comparisons[0] == 2
    assert flagged(folder, "harm") == []


@pytest.mark.parametrize(
    ("judge", "surgeons", "disagree"),
    [
        (["b"], ["a"], True),
        (["b", "b"], ["a"], True),
        (["a", "b"], ["a"], False),  # flipped: a tie
        (["tie"], ["a"], False),
        (["b"], ["a", "b"], False),  # surgeons are not of one mind
        (["b"], ["a", "a", "b"], True),
        (["b"], ["invalid"], False),
        (["invalid"], ["a"], False),
        (["b"], ["both_bad"], False),
    ],
)
def test_disagreement_is_between_a_judge_and_most_surgeons(
    folder: Path, ledger: Ledger, judge: list[Verdict], surgeons: list[Verdict], disagree: bool
) -> None:
    sft, first = (made := fill(ledger, evaluated=False)).models
    prompt = made.prompts[4]
    ours, theirs = answer(prompt, first), answer(prompt, sft)
    orders = ("ab", "ba")
    ledger.append([replace(compared(ours, theirs, each, "judge:x"), order=orders[n]) for n, each in enumerate(judge)])  # type: ignore[arg-type]
    ledger.append([compared(ours, theirs, each, f"surgeon:{n}") for n, each in enumerate(surgeons)])
    assert flagged(folder, "disagree") == ([prompt.id] if disagree else [])


@pytest.mark.parametrize("assessor", ["metric:key", "simulated:1"])
def test_neither_the_key_nor_simulated_assessors_disagree(
    folder: Path, ledger: Ledger, made: Made, assessor: str
) -> None:
    sft, first = made.models
    ours, theirs = answer(made.prompts[4], first), answer(made.prompts[4], sft)
    ledger.append([compared(ours, theirs, "b", assessor)])
    assert flagged(folder, "disagree") == []
    ledger.append([compared(ours, theirs, "a", "surgeon:1")])
    assert flagged(folder, "disagree") == []


@pytest.mark.parametrize(
    ("verdicts", "rubrics", "flipped"),
    [
        (("a", "b"), ("r", "r"), True),
        (("a", "tie"), ("r", "r"), True),
        (("tie", "both_bad"), ("r", "r"), False),
        (("a", "invalid"), ("r", "r"), False),
        (("a", "a"), ("r", "r"), False),
        (("a", "b"), ("r", "s"), False),
    ],
)
def test_a_flip_is_one_judges_by_one_rubric(
    folder: Path, ledger: Ledger, verdicts: tuple[Verdict, Verdict], rubrics: tuple[str, str], flipped: bool
) -> None:
    sft, first = (made := fill(ledger, evaluated=False)).models
    prompt = made.prompts[4]
    ours, theirs = answer(prompt, first), answer(prompt, sft)
    one, other = (compared(ours, theirs, verdict, "judge:x") for verdict in verdicts)
    both: list[Comparison] = [replace(one, rubric=rubrics[0]), replace(other, rubric=rubrics[1], order="ba")]
    ledger.append(both)
    assert flagged(folder, "flipped") == ([prompt.id] if flipped else [])
    ledger.append([replace(each, assessor="judge:y", verdict="a") for each in both[:1]])
    assert flagged(folder, "flipped") == ([prompt.id] if flipped else [])


def test_surgeons_of_two_minds_have_not_flipped(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ours, theirs = answer(made.prompts[4], first), answer(made.prompts[4], sft)
    ledger.append([compared(ours, theirs, "a", "surgeon:1"), compared(ours, theirs, "b", "surgeon:1")])
    assert flagged(folder, "flipped") == []


def test_harm_by_anyone_and_by_a_surgeon(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    pairs = [(answer(prompt, first), answer(prompt, sft)) for prompt in made.prompts[:3]]
    ledger.append([compared(*pairs[0], "a", "judge:x", harm=True)])
    hidden = replace(compared(*pairs[1], "a", "surgeon:1", harm=True), count=0)
    other = replace(compared(*pairs[2], "a", "judge:x"), flags=("missing_information",))
    ledger.append([hidden, other])
    assert flagged(folder, "harm") == [made.prompts[0].id, made.prompts[1].id]
    assert flagged(folder, "surgeons_harm") == [made.prompts[1].id]


def test_two_models_of_one_name_have_two_labels(folder: Path, ledger: Ledger) -> None:
    prompt = Prompt((Message("user", "Q?"),))
    twins = [ModelVersion("sft", "sft", weights) for weights in "xy"]
    ledger.append([prompt, *twins, *(Candidate(prompt.id, each.id, each.weights) for each in twins)])
    assert len({each.label for each in found(folder).models}) == 2
