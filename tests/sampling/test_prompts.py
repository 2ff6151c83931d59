from __future__ import annotations

from typing import Any

import pytest

from ledger.records import Message
from sampling.layouts import choose_layout
from sampling.options import RowError
from sampling.prompts import Rules, draft


def rules(row: dict[str, Any], **more: Any) -> Rules:
    return Rules(choose_layout(None, list(row), {}, "f"), **more)


def test_a_native_row() -> None:
    row = {
        "messages": [{"role": "system", "content": "Be brief."}, ["user", " Which duct?\x00 "]],
        "mode": "exam",
        "kind": "mcq",
        "topic": "biliary",
        "context": ["One passage.", " "],
        "options": ["Cystic", "Hepatic"],
        "answer": "B",
        "reference": "Hepatic, \ud800because.",
        "split": "probe",
        "id": 7,
    }
    made = draft(row, rules(row), "f.jsonl")
    prompt = made.prompt
    assert prompt.messages == (Message("system", "Be brief."), Message("user", "Which duct?\ufffd"))
    assert (prompt.mode, prompt.kind, prompt.topic, prompt.answer) == ("exam", "mcq", "biliary", "B")
    assert prompt.context == ("One passage.",)
    assert prompt.reference == "Hepatic, \ufffdbecause."
    assert prompt.source == "f.jsonl#7"
    assert (made.key, made.split) == ("7", "probe")


def test_pubmedqa_puts_the_decision_first() -> None:
    row = {"question": "Q?", "contexts": ["a", "b"], "long_answer": "It helps.", "final_decision": "maybe"}
    prompt = draft(row, rules(row), "f").prompt
    assert (prompt.reference, prompt.context, prompt.kind) == ("Maybe. It helps.", ("a", "b"), "open")


def test_pubmedqa_of_the_hub() -> None:
    row = {"pubid": 1, "question": "Q?", "context": {"contexts": ["a"]}, "long_answer": "No.", "final_decision": "no"}
    assert draft(row, rules(row), "f").prompt.context == ("a",)


def test_medmcqa_builds_the_reference() -> None:
    row = {"question": "Q?", "options": {"A": "Liver.", "B": "Spleen"}, "answer_key": "A", "rationale": "It is big."}
    prompt = draft(row, rules(row), "f").prompt
    assert (prompt.kind, prompt.mode, prompt.answer) == ("mcq", "exam", "A")
    assert prompt.reference == "The answer is A, Liver. It is big."


def test_medmcqa_of_the_hub_counts_from_where_the_file_does() -> None:
    row = {"question": "Q?", "opa": "w", "opb": "x", "opc": "y", "opd": "z", "cop": 1, "exp": None}
    assert draft(row, rules(row, numbering=0), "f").prompt.answer == "B"
    assert draft(row, rules(row, numbering=1), "f").prompt.answer == "A"


def test_no_reference_is_fine() -> None:
    row = {"question": "Q?", "answer": None}
    assert draft(row, rules(row), "f").prompt.reference is None


def test_mode_comes_from_the_rules_where_nothing_else_says() -> None:
    assert draft({"question": "Q?"}, rules({"question": ""}, mode="exam"), "f").prompt.mode == "exam"


def test_the_commands_split_goes_before_the_rows() -> None:
    row = {"question": "Q?", "split": "train"}
    assert draft(row, rules(row), "f").split == "train"
    assert draft(row, rules(row, split="eval"), "f").split == "eval"


TWO = ["x", "y"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": None}, "missing or empty question"),
        ({"question": "  "}, "missing or empty question"),
        ({"question": float("nan")}, "missing or empty question"),
        ({"question": 7}, "the question is no text"),
        ({"messages": []}, "missing or empty question"),
        ({"messages": "hello"}, "messages is no list"),
        ({"messages": [["user", " "]]}, "missing or empty question"),
        ({"messages": [["user", "Q?"], ["assistant", "A."]]}, "does not end with a user turn"),
        ({"messages": [["surgeon", "Q?"]]}, "role is surgeon"),
        ({"messages": [{"content": "Q?"}]}, "no role and content"),
        ({"question": "Q?", "mode": "oral"}, "mode is oral, not one of clinical, exam"),
        ({"question": "Q?", "kind": "essay"}, "kind is essay"),
        ({"question": "Q?", "split": "test"}, "split is test"),
        ({"question": "Q?", "kind": "mcq"}, "fewer than 2 options"),
        ({"question": "Q?", "kind": "open", "options": TWO, "answer": "A"}, "kind is open"),
        ({"question": "Q?", "options": TWO}, "options without the answer"),
        ({"question": "Q?", "options": TWO, "answer": "C"}, "not among the options"),
        ({"question": "Q?", "options": TWO, "answer": "x"}, "not among the options"),
        ({"question": "Q?", "options": ["x"], "answer": "A"}, "fewer than 2 options"),
        ({"question": "Q?", "options": ["x", "x"], "answer": "A"}, "duplicated options"),
        ({"question": "Q?", "options": [], "answer": "A", "kind": "open"}, "an answer without options"),
        ({"question": "Q?", "context": [["nested"]]}, "a passage of the context is no text"),
        ({"question": "Q?", "reference": ["a"]}, "the reference is no text"),
        ({"question": "Q?" * 60}, "over-long: 121 characters, where import.max_characters is 100"),
        ({"question": "Q?", "context": "c" * 98}, "over-long"),
    ],
)
def test_rows_that_cannot_be_used(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        draft(row, rules({**row, "kind": row.get("kind")}, max_characters=100), "f")
