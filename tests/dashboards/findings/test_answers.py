"""Tests of dashboards/findings/answers.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.findings.answers import Said, answers, said_of, standings
from ledger.records import Candidate, Comparison, Message, Order, Prompt, Verdict
from ledger.store import Ledger
from tests.dashboards.made_ledger import Made, answer, compared


def said(ledger: Ledger, prompt: Prompt, *first: Candidate) -> tuple[Said, ...]:
    return said_of(ledger, prompt.id, [each.id for each in first])


def test_no_answers_and_no_comparisons(ledger: Ledger) -> None:
    assert answers(ledger, "nowhere", ["x"]) == ()
    assert said_of(ledger, "nowhere", []) == ()
    assert standings((), "nobody") == ()


def test_answers_are_numbered_within_their_model_and_in_the_models_order(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[0]
    another = Candidate(prompt.id, first.id, "another", reasoning="because", finish_reason="length")
    corrected = Candidate(prompt.id, "surgeon:7", "better")
    ledger.append([another, corrected])
    found = answers(ledger, prompt.id, [first.id, sft.id])
    assert [(each.model, each.number, each.text, each.count) for each in found] == [
        (first.id, 1, "round-1-dpo says so.", 2),
        (first.id, 2, "another", 1),
        (sft.id, 1, "sft says so.", 2),
        ("surgeon:7", 1, "better", 1),
    ]
    assert (found[1].reasoning, found[1].finish_reason) == ("because", "length")


def test_comparisons_are_turned_to_the_answer_that_comes_first(ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    for number in range(20, 28):  # either model's answer is the canonical first in some of these
        prompt = Prompt((Message("user", f"Question {number}?"),))
        ours, theirs = answer(prompt, first), answer(prompt, sft)
        ledger.append([prompt, ours, theirs, compared(ours, theirs, "a", harm=True)])
        (row,) = said(ledger, prompt, ours, theirs)
        assert (row.first, row.second, row.verdict, row.flags) == (ours.id, theirs.id, "win", ("harm_first",))
        assert row.strength == pytest.approx(0.9)
        assert row.axes == "reason 0.75 : 0.25"
        assert row.first_shown_first == (ours.id < theirs.id)
        (row,) = said(ledger, prompt, theirs, ours)
        assert (row.first, row.second, row.verdict, row.flags) == (theirs.id, ours.id, "loss", ("harm_second",))
        assert row.strength == pytest.approx(0.1)
        assert row.axes == "reason 0.25 : 0.75"


def test_an_invalid_verdict_shows_its_cause_and_no_strength(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[3]
    (row,) = said(ledger, prompt, answer(prompt, first), answer(prompt, sft))
    assert (row.verdict, row.remark, row.strength) == ("invalid", "timeout", None)


def test_only_last_words_are_shown_and_no_hidden_repeats_but_their_harm(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[5]
    ours, theirs = answer(prompt, first), answer(prompt, sft)
    before = compared(ours, theirs, "b", "surgeon:1", harm=True)
    after = replace(compared(ours, theirs, "a", "surgeon:1"), supersedes=before.id)
    again = replace(compared(ours, theirs, "b", "surgeon:1"), item="2", count=0)
    ledger.append([before, after, again])
    table = said(ledger, prompt, ours, theirs)
    assert [each.verdict for each in table if each.assessor == "a surgeon"] == ["win"]
    assert not any(each.harmful for each in standings(table, ours.id))
    ledger.append([replace(again, flags=before.flags)])
    table = said(ledger, prompt, ours, theirs)
    (mine,) = (each for each in standings(table, ours.id) if each.harmful)
    assert (mine.assessor, mine.wins, mine.losses) == ("a surgeon", 1, 0)


def test_standings_are_by_assessor_and_weighted(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[5]
    ours, theirs = answer(prompt, first), answer(prompt, sft)
    ledger.append([compared(ours, theirs, "b", "surgeon:1", harm=True)])
    table = [replace(each, count=3) for each in said(ledger, prompt, ours, theirs)]
    mine = {each.assessor: each for each in standings(table, ours.id)}
    assert (mine["metric:reference"].wins, mine["metric:reference"].losses) == (3, 0)
    assert (mine["a surgeon"].wins, mine["a surgeon"].losses, mine["a surgeon"].harmful) == (0, 3, True)
    other = {each.assessor: each for each in standings(table, theirs.id)}
    assert (other["a surgeon"].wins, other["a surgeon"].losses, other["a surgeon"].harmful) == (3, 0, False)
    assert standings(table, "nobody") == ()


def test_both_orders_are_one_win_a_flip_is_a_tie_and_the_last_rubric_counts(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[5]
    ours, theirs = answer(prompt, first), answer(prompt, sft)

    def by(name: str, *verdicts: Verdict, rubric: str = "r@1") -> list[Comparison]:
        orders: tuple[Order, Order] = ("ab", "ba")
        return [
            replace(compared(ours, theirs, verdict, f"judge:{name}"), order=order, rubric=rubric)
            for verdict, order in zip(verdicts, orders, strict=True)
        ]

    ledger.append([*by("sure", "a", "a"), *by("torn", "a", "b"), *by("moved", "a", "a"), *by("again", "invalid", "b")])
    ledger.append(by("moved", "b", "b", rubric="r@2"))
    fared = {each.assessor: each for each in standings(said(ledger, prompt, ours, theirs), ours.id)}
    assert (fared["judge:sure"].wins, fared["judge:sure"].losses) == (1, 0)
    assert (fared["judge:torn"].wins, fared["judge:torn"].losses, fared["judge:torn"].ties) == (0, 0, 1)
    assert (fared["judge:moved"].wins, fared["judge:moved"].losses) == (0, 1)
    assert (fared["judge:again"].losses, fared["judge:again"].invalid) == (1, 0)


def test_surgeons_are_numbers(made: Made, ledger: Ledger) -> None:
    sft, first = made.models
    prompt = made.prompts[5]
    ours, theirs = answer(prompt, first), answer(prompt, sft)
    ledger.append([compared(ours, theirs, "b", name) for name in ("surgeon:meyer", "surgeon:ito")])
    names = {each.assessor for each in said(ledger, prompt, ours, theirs)}
    assert names == {"metric:reference", "surgeon 1", "surgeon 2"}
