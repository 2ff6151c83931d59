"""Tests of dashboards/findings/lineage.py and pair_ratings.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.assessor_kinds import SURGEONS
from dashboards.counting.sections import LINEAGE
from dashboards.findings.lineage import Descent, Lineage, find_lineage, flat
from dashboards.findings.pair_ratings import CHOSEN, REJECTED, listed_pairs, way_back
from ledger.records import Candidate, Message, Prompt
from ledger.store import Ledger
from ledger.workspace import open_workspace
from tests.dashboards.made_lineage import JUDGE, trained


def found_in(folder: Path) -> Lineage:
    with open_workspace(folder, create=False) as workspace:
        return find_lineage(workspace)


def facts(model: Descent) -> tuple[object, ...]:
    return model.label, model.pairs, model.ratings, model.answers, model.questions


def test_everything_behind_a_model_is_counted_once(folder: Path, ledger: Ledger) -> None:
    trained(ledger)
    sft, first, second = found_in(folder).models
    assert facts(sft) == ("SFT", 0, {}, {}, {})
    assert facts(first) == ("Round 1 (dpo)", 2, {JUDGE: 2}, {"SFT": 4}, {"b.csv": 1, "a.jsonl": 1})
    assert facts(second) == (
        "Round 2 (ipo)",
        1,
        {SURGEONS: 2, JUDGE: 1},
        {"Round 1 (dpo)": 2},
        {"a.jsonl": 1},
    )
    assert second.parent == first.id


def test_a_surgeons_correction_is_no_models_answer(folder: Path, ledger: Ledger) -> None:
    from ledger.records import ModelVersion, Pair, pairs_hash

    prompt = Prompt((Message("user", "Q?"),))
    sft = ModelVersion("sft", "sft", "w0")
    good, bad = Candidate(prompt.id, "surgeon:1", "Better."), Candidate(prompt.id, sft.id, "Worse.")
    pair = Pair(prompt.id, good.id, bad.id, 1.0, ())
    ledger.append([prompt, sft, good, bad, pair])
    ledger.append_trained(ModelVersion("kto", "kto", "w1", sft.id, pairs_hash([pair.id])), [pair.id])
    model = found_in(folder).models[1]
    assert model.answers == {"surgeons' corrections": 1, "SFT": 1}
    assert model.questions == {"no source": 1}


def test_the_settings_of_rounds_are_flat(folder: Path, ledger: Ledger) -> None:
    trained(ledger)
    first, second = found_in(folder).rounds
    assert (first.number, first.model, second.model) == (1, "Round 1 (dpo)", "Round 2 (ipo)")
    assert first.settings["training.align.beta"] == "0.1"
    assert second.settings["training.align.beta"] == "0.3"
    assert second.settings["sample.vllm"] == "{}"


def test_flat() -> None:
    nested = {"b": {"c": [1, "x"], "a": None}, "a": True, "text": "plain"}
    assert dict(flat(nested)) == {"a": "True", "b.a": "None", "b.c": '[1,"x"]', "text": "plain"}


def test_findings_survive_the_disk(folder: Path, ledger: Ledger) -> None:
    trained(ledger)
    found = found_in(folder)
    assert LINEAGE.form.validate_json(LINEAGE.form.dump_json(found)) == found


def test_a_pair_leads_back_to_each_rating(folder: Path, ledger: Ledger) -> None:
    made = trained(ledger)
    (pair,) = made.pairs[1]
    found = way_back(ledger, pair.id)
    assert found.prompt.question.startswith("Question 2?")
    assert (found.chosen.text, found.rejected.text) == ("A good answer. ", "A bad answer. ")
    by = {(each.assessor, each.better): each for each in found.ratings}
    assert set(by) == {(JUDGE, REJECTED), ("a surgeon", CHOSEN), ("a surgeon", "invalid")}
    assert by["a surgeon", CHOSEN].strength == pytest.approx(0.8)
    assert by[JUDGE, REJECTED].strength == pytest.approx(0.2)
    assert by["a surgeon", "invalid"].strength is None
    assert by["a surgeon", "invalid"].said == "timeout"
    assert all(each.when.startswith("20") for each in found.ratings)


def test_pairs_are_listed_a_page_at_a_time(folder: Path, ledger: Ledger) -> None:
    made = trained(ledger)
    first = made.models[1].id
    listed = listed_pairs(ledger, first, 0, 10)
    assert [each.id for each in listed] == [pair.id for pair in made.pairs[0]]
    assert listed[0].question.startswith("Question 0?")
    assert (listed[0].weight, listed[0].ratings) == (0.9, 1)
    assert listed_pairs(ledger, first, 1, 10) == listed[1:]
    assert listed_pairs(ledger, first, 2, 10) == []
