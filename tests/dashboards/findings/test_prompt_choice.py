"""Tests of dashboards/findings/prompt_choice.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from dashboards.findings.prompt_choice import Result, TextSearch, columns_of, with_result
from dashboards.findings.prompt_index import PromptIndex, find_prompts
from ledger.records import Candidate, Message, Prompt
from ledger.store import Ledger
from ledger.workspace import open_workspace
from tests.dashboards.made_ledger import Made, answer, compared


@pytest.fixture
def index(folder: Path, made: Made) -> PromptIndex:
    with open_workspace(folder, create=False) as workspace:
        return find_prompts(workspace)


def test_filters(index: PromptIndex) -> None:
    columns = columns_of(index)
    assert len(columns.fitting({})) == 13
    assert len(columns.fitting({"split": "eval", "mode": "exam"})) == 6
    assert columns.fitting({"topic": "biliary"}).tolist() == [8, 9, 10, 11]
    assert len(columns.fitting({"topic": "nothing of the kind"})) == 0
    assert len(columns.fitting({}, "harm")) == 0


def test_a_flag_goes_with_the_other_filters() -> None:
    index = PromptIndex(
        id=("p", "q", "r"),
        split=("eval", "train", "eval"),
        mode=("exam",) * 3,
        kind=("open",) * 3,
        topic=("",) * 3,
        disagree=(False,) * 3,
        harm=(True, True, False),
        surgeons_harm=(False,) * 3,
        flipped=(False, True, True),
    )
    columns = columns_of(index)
    assert columns.fitting({}, "harm").tolist() == [0, 1]
    assert columns.fitting({"split": "eval"}, "flipped").tolist() == [2]
    assert columns.fitting({}, "harm").tolist() == [0, 1]  # nothing was changed by asking


def test_no_prompts() -> None:
    columns = columns_of(PromptIndex())
    assert columns.fitting({"split": "eval"}).tolist() == []


def test_results_as_the_first_model_sees_them(ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    counts = {result: len(with_result(ledger, first.id, sft.id, result)) for result in get_args(Result)}
    assert counts == {"won": 8, "lost": 1, "tie": 1, "both bad": 1, "invalid": 1, "compared": 12}
    assert len(with_result(ledger, sft.id, first.id, "won")) == 1
    assert with_result(ledger, first.id, sft.id, "lost") == {made.prompts[0].id}


def test_superseded_results_are_none(ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ours, theirs = answer(made.prompts[5], first), answer(made.prompts[5], sft)
    before = compared(ours, theirs, "b", "surgeon:1")
    ledger.append([before])
    assert made.prompts[5].id in with_result(ledger, first.id, sft.id, "lost")
    ledger.append([replace(compared(ours, theirs, "tie", "surgeon:1"), supersedes=before.id)])
    assert made.prompts[5].id not in with_result(ledger, first.id, sft.id, "lost")
    assert made.prompts[5].id in with_result(ledger, first.id, sft.id, "won")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("QUESTION 11", 1),
        ("reference 3.", 1),
        ("passage 1", 1),
        ("DPO SAYS", 12),
        ("100%", 0),
        (".*", 0),
        ("a_t", 0),
        ("user", 0),  # in the JSON, but in no text
        ("yes", 4),
    ],
)
def test_text_is_found_in_questions_and_answers(index: PromptIndex, ledger: Ledger, text: str, found: int) -> None:
    search = TextSearch(text, np.arange(len(index.id)))
    search.go_on(ledger, index, 60)
    assert search.done
    assert len(search.found) == found


@pytest.mark.parametrize("text", ['said "no"', "back\\slash", "Übelkeit", "übelkeit"])
def test_quotes_backslashes_and_umlauts_are_found(folder: Path, ledger: Ledger, text: str) -> None:
    asked = Prompt((Message("user", 'Who said "no"? A back\\slash. Übelkeit.'),))
    other = Prompt((Message("user", "Another?"),))
    ledger.append([asked, other, Candidate(other.id, "surgeon:1", 'He said "no" to back\\slash and Übelkeit')])
    with open_workspace(folder, create=False) as workspace:
        index = find_prompts(workspace)
    search = TextSearch(text, np.arange(2))
    search.go_on(ledger, index, 60)
    assert search.found == [0, 1]


def test_a_search_stops_when_its_time_is_over_and_goes_on(
    index: PromptIndex, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.findings.prompt_choice.AT_ONCE", 5)
    search = TextSearch("question", np.arange(len(index.id)))
    searched = []
    while not search.done:
        search.go_on(ledger, index, 0)
        searched.append(search.searched)
    assert searched == [5, 10, 13]
    assert search.found == list(range(13))
