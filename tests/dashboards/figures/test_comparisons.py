"""Tests of dashboards/figures/comparisons.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.figures.comparisons import comparisons_figure, comparisons_part, pair_line
from dashboards.findings.answers import Said

NAMES = {"x": "Round 1 (dpo)", "y": "SFT, answer 1", "z": "SFT, answer 2"}
ONE = Said("x", "y", "judge:j", "win", 0.9, 1, True, (), "safety 5 : 3", "It says when to refer.", "r:1")


def said(*verdicts: str, **changed: object) -> list[Said]:
    return [replace(ONE, verdict=verdict, **changed) for verdict in verdicts]  # type: ignore[arg-type]


def test_nothing_was_compared() -> None:
    part = comparisons_part((), NAMES)
    assert part.missing
    assert "wardround judge" in part.missing.command
    assert "Nobody has compared" in pair_line((), "x", "y", NAMES).text


def test_the_table_is_for_people() -> None:
    rows = [
        replace(ONE, flags=("harm_second", "missing_information")),
        replace(ONE, verdict="loss", first_shown_first=False, assessor="a surgeon", flags=("harm_first",)),
        replace(ONE, verdict="both_bad", strength=0.5),
        replace(ONE, verdict="invalid", strength=None, remark="timeout"),
    ]
    figure = comparisons_figure(rows, NAMES)
    assert figure.says == "4 comparisons by 2 assessors."
    assert figure.table["better"].tolist() == ["Round 1 (dpo)", "SFT, answer 1", "both bad", "invalid"]
    assert figure.table["flags"].tolist()[:2] == ["harm: SFT, answer 1, missing information", "harm: Round 1 (dpo)"]
    assert figure.table["shown first"].tolist()[:2] == ["Round 1 (dpo)", "SFT, answer 1"]
    assert figure.table["remark"].tolist()[3] == "timeout"
    assert figure.table["P(first is better)"].isna().tolist() == [False, False, False, True]


def test_columns_with_nothing_in_them_are_left_out() -> None:
    assert "flags" not in comparisons_figure(said("win"), NAMES).table
    assert comparisons_figure(said("win"), NAMES).says == "1 comparison by 1 assessor."


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["win"], "judge:j prefers Round 1 (dpo)."),
        (["loss", "loss"], "judge:j prefers SFT, answer 1."),
        (["win", "loss"], "judge:j flipped with the order, which is a tie."),
        (["win", "invalid"], "judge:j prefers Round 1 (dpo)."),
        (["invalid"], "judge:j says invalid."),
        (["tie"], "judge:j says tie."),
        (["both_bad", "both_bad"], "judge:j says both bad."),
    ],
)
def test_one_sentence_on_two_answers(verdicts: list[str], sentence: str) -> None:
    assert pair_line(said(*verdicts), "x", "y", NAMES).text == sentence
    assert pair_line(said(*verdicts), "y", "x", NAMES).text == sentence


def test_the_rubric_used_last_counts_and_other_pairs_do_not() -> None:
    rows = [*said("win", rubric="r:1"), *said("loss", rubric="r:2"), *said("win", second="z")]
    assert pair_line(rows, "x", "y", NAMES).text == "judge:j prefers SFT, answer 1."


def test_harm_is_told_even_by_a_hidden_repeat() -> None:
    line = pair_line(
        [*said("win"), *said("loss", assessor="a surgeon", count=0, flags=("harm_first",))], "x", "y", NAMES
    )
    assert line.text == "judge:j prefers Round 1 (dpo); critical harm flagged: Round 1 (dpo)."
    assert line.tone == "warning"
