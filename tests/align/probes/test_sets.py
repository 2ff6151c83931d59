"""Probe sets: bundled ones, one's own, and what of them cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from align.probes.plan import plan_of, probe_plan
from align.probes.sets import BUNDLED, entered, probe_sets
from ledger.config import PROBE_SETS, parse_config
from ledger.errors import ConfigError, InputError
from ledger.records import Message, Probe, Prompt
from ledger.tables import prompts
from ledger.workspace import Workspace
from tests.real_data import real_file

ARITHMETIC = {"question": "What is 6 x 7?", "area": "arithmetic", "check": "number", "expected": {"number": 42}}
KEYED = {"question": "Which is a bone?", "options": ["tibia", "aorta", "ureter"], "answer": "A"}


def with_file(workspace: Workspace, *rows: dict[str, Any] | str, sets: str = "[]") -> Workspace:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (workspace.root / "mine.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = parse_config(f'[probes]\nsets = {sets}\nfiles = ["mine.jsonl"]')
    return replace(workspace, config=config)


def test_every_bundled_set_is_read_whole_and_entered_once(workspace: Workspace) -> None:
    asked = probe_sets(workspace)
    assert {path.stem for path in BUNDLED.glob("*.jsonl")} == set(PROBE_SETS)
    rows = sum(len((BUNDLED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()) for name in PROBE_SETS)
    assert len(asked) == rows
    assert not (workspace.root / "rejects").exists()
    assert workspace.ledger.count(Probe) == workspace.ledger.count(Prompt, prompts.c.split == "probe") == rows
    assert probe_sets(workspace) == asked
    assert workspace.ledger.count(Probe) == rows


def test_a_set_of_ones_own_is_read_with_its_areas_and_checks(workspace: Workspace) -> None:
    asked = probe_sets(with_file(workspace, ARITHMETIC, KEYED, {**KEYED, "question": "Which is not?", "area": "mine"}))
    assert [(each.probe.area, each.probe.check) for each in asked] == [
        ("arithmetic", "number"),
        ("exam", "option"),
        ("mine", "option"),
    ]
    assert {each.probe.set for each in asked} == {"mine"}
    assert asked[0].probe.expected == {"number": 42}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**ARITHMETIC, "expected": {}}, "number"),
        ({**ARITHMETIC, "area": ""}, "says not which area"),
        ({**ARITHMETIC, "check": "guess"}, "its check is guess"),
        ({**ARITHMETIC, "area": "general abilities"}, "is the name of a figure"),
        ({**ARITHMETIC, "expected": [42]}, "expected is no object"),
        ({"area": "mine", "check": "option", "question": "Which?"}, "needs options"),
        ({**ARITHMETIC, "question": ""}, "empty question"),
        ("{broken", "invalid JSON"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_with_line_and_reason(
    workspace: Workspace, row: dict[str, Any] | str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (used,) = probe_sets(with_file(workspace, ARITHMETIC, row))
    assert used.prompt.question == "What is 6 x 7?"
    assert "1 of 2 probes rejected" in capsys.readouterr().err
    (rejected,) = (workspace.root / "rejects").glob("mine.jsonl.*")
    said = json.loads(rejected.read_text(encoding="utf-8"))
    assert said["line"] == 2
    assert reason in said["reason"]


def test_a_file_without_a_usable_row_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="holds no probe that can be used"):
        probe_sets(with_file(workspace, {**ARITHMETIC, "expected": {}}))
    with pytest.raises(InputError, match="no such file"):
        probe_sets(replace(workspace, config=parse_config('[probes]\nsets = []\nfiles = ["gone.jsonl"]')))
    with pytest.raises(ConfigError, match="no bundled set poetry"):
        parse_config('[probes]\nsets = ["poetry"]')


def test_a_probe_that_is_a_train_question_is_left_out(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    told = with_file(workspace, ARITHMETIC, KEYED)
    workspace.ledger.append([Prompt((Message("user", "What is 6 x 7?"),))])
    assert [each.probe.area for each in probe_sets(told)] == ["exam"]
    assert "1 probes are train questions" in capsys.readouterr().err


def test_exam_questions_are_those_held_out_and_those_imported_as_probes(workspace: Workspace) -> None:
    def keyed(number: int, split: Any) -> Prompt:
        asked = (Message("user", f"Which is bone number {number}?"),)
        return Prompt(asked, "exam", "mcq", options=("tibia", "aorta", "ureter"), answer="A", split=split)

    fixed = replace(keyed(9, "eval"), options=("tibia", "aorta", "A and B"))
    workspace.ledger.append([keyed(1, "train"), keyed(2, "eval"), keyed(3, "probe"), fixed])
    told = with_file(workspace, KEYED, {**KEYED, "question": "General?", "area": "knowledge"})
    plan = probe_plan(told)
    assert {prompt.question for prompt in plan.questions.values()} == {
        "Which is bone number 2?",
        "Which is bone number 3?",
        "Which is a bone?",
    }
    assert plan.fixed == 1
    assert len(plan.showings) == 6
    shown = {each.prompt.id for each in plan.showings}
    assert keyed(3, "probe").id in shown
    assert keyed(2, "eval").id not in shown  # its answers in the written order count in the win rate
    assert all(prompt.split == "probe" for prompt in workspace.ledger.get_many(Prompt, shown).values())
    assert probe_plan(told) == plan  # what was shown in another order is no new question


@pytest.mark.parametrize(
    ("name", "options"), [("pubmedqa/pubmedqa_dev500.jsonl", 3), ("medmcqa_surgical/medmcqa_surgical.jsonl", 4)]
)
def test_real_exams_load_as_probe_sets(workspace: Workspace, name: str, options: int) -> None:
    path = real_file(name)
    config = parse_config(f'[probes]\nsets = []\nfiles = ["{path}"]')
    asked = probe_sets(replace(workspace, config=config))
    rows = path.read_text(encoding="utf-8").splitlines()
    assert len(asked) >= 0.98 * len(rows)
    assert {each.probe.area for each in asked} == {"exam"}
    assert {len(each.prompt.options) for each in asked} == {options}
    if options == 3:
        keys = [each.prompt.answer for each in asked]
        assert [keys.count(letter) for letter in "ABC"] == [276, 169, 55]


def test_what_is_entered_is_found_again_without_the_files(workspace: Workspace) -> None:
    told = with_file(workspace, ARITHMETIC, KEYED)
    asked = probe_sets(told)
    (workspace.root / "mine.jsonl").unlink()
    assert entered(told) == asked
    assert plan_of(told, entered(told)) == plan_of(told, asked)
    assert entered(replace(workspace, config=parse_config("[probes]\nsets = []"))) == []  # the set is not configured


def test_a_plan_that_is_only_looked_at_enters_nothing(workspace: Workspace) -> None:
    told = with_file(workspace, KEYED)
    asked = probe_sets(told)
    before = workspace.ledger.count(Prompt)
    plan = plan_of(told, asked)
    assert plan.showings
    assert workspace.ledger.count(Prompt) == before
    assert probe_plan(told) == plan
    assert workspace.ledger.count(Prompt) > before
