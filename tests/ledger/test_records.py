from __future__ import annotations

import hashlib
import json
from dataclasses import FrozenInstanceError, dataclass, field, fields, make_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import records
from ledger.records import (
    DESCRIPTIVE,
    Call,
    Candidate,
    Comparison,
    Decision,
    Likelihood,
    LogEntry,
    Message,
    ModelVersion,
    Pair,
    Probe,
    Prompt,
    Rating,
    Record,
    Round,
    canonical_json,
    content_id,
    digest,
    pairs_hash,
    storable,
)

QUESTION = Prompt(
    messages=(Message("system", "Be brief."), Message("user", "Wie groß ist ein Leistenbruch? 🩺")),
    mode="exam",
    kind="mcq",
    context=("a passage",),
    reference="No.",
    options=("yes", "no"),
    answer="B",
    split="eval",
    topic="hernia",
)
MODEL = ModelVersion(
    "dpo-1",
    "dpo",
    "w",
    parent="0" * 32,
    pairs=pairs_hash(["b", "a"]),
    config={"beta": 0.1, "layers": ["q", "v"]},
    seed=7,
)
ANSWER = Candidate(QUESTION.id, MODEL.id, "No.", "because", 3, {"temperature": 0.9}, "length", 2, tokens=9)
COMPARED = Comparison(
    prompt=QUESTION.id,
    a="a",
    b="b",
    model_a=MODEL.id,
    model_b="surgeon:07",
    assessor="judge:x",
    verdict="both_bad",
    order="ba",
    rubric="surgical:1",
    axes={"safety": [1, 2]},
    flags=("harm_a",),
    rationale="why",
    reply="raw",
)
CALLED = Call("key", "judge:x", "raw", "cut", {"a_better": 0.75, "tie": 0.25}, "run", 9, 3, 0.01, 1.5, 2)
RATED = Rating(
    QUESTION.id,
    "a",
    MODEL.id,
    "judge:x",
    0.25,
    {"safe": True, "clear": False},
    "surgical:1",
    "why",
    "cause",
    "raw",
    "key",
)
PROBED = Probe(QUESTION.id, "safety", "safety", {"harm": ["stop it"], "refer": True}, set="safety")
READ = Likelihood(QUESTION.id, MODEL.id, "options", "chat", (-0.5, -1.25), (1, 1))
BY_RULES = Decision(
    "r",
    "m",
    "o",
    True,
    "better",
    0.7,
    0.6,
    0.8,
    10,
    outcome="hold",
    rules="0" * 32,
    forced="somebody said so",
    evidence={"harm": {"passed": False}},
)
OTHERS = {"int": 99, "float": 0.625, "bool": False, "tuple": ("other",), "Mapping": {"other": 1}}
# Written down once: ids stand in ledgers, so a change here is a change that no ledger survives.
GOLDEN: list[tuple[Record, str]] = [
    (Prompt((Message("user", "Why?"),)), "ec6e20008a822bdc64a0edbfbc1891da"),
    (QUESTION, "f207fcdd793f0bf073b6d7bf66f7c745"),
    (ANSWER, "98e63478993277338652e83c6001bcf5"),
    (CALLED, "a938ee82f98938b938b6e2c327f40d6a"),
    (RATED, "714a565b5ae97f9e021396314d71d190"),
    (COMPARED, "ac19f849afe2d34cd803be538f255825"),
    (Pair(QUESTION.id, "a", "b", 0.75, (COMPARED.id,)), "9e76b9241f519c7ade58f1bf82a905a9"),
    (MODEL, "b4f9db1caf334d204cb36b25a470f434"),
    (Round(1, MODEL.id, "ipo", {"n": 4}), "b2a8faae4b40285e3634850768c84805"),
    (Decision("r", "m", "o", True, "better", 0.7, 0.6, 0.8, 10), "a020f49e50fa0c4f2985eaf2ebc183f9"),
    (PROBED, "ba3b266c9b989aaaebc87b3dc05376f7"),
    (READ, "99486dc8f061a0b7cabbe64b106f2ce4"),
    (BY_RULES, "f48f8e18f5d0797d9f13b82725b788c5"),
    (LogEntry("sample", "finished", {"n": 4}, "0.1", "run"), "ebe45f2153307759a5973dff05710b88"),
]


@pytest.mark.parametrize(("record", "expected"), GOLDEN, ids=lambda value: type(value).__name__)
def test_ids_never_change(record: Record, expected: str) -> None:
    assert record.id == content_id(record) == expected


def test_hashes_never_change() -> None:
    assert pairs_hash(["b", "a"]) == pairs_hash(["a", "b"]) == "01994a597417496354b4ec08fd591270"
    assert pairs_hash([]) == ""
    assert digest({"b": 1, "a": [1.0, None]}) == "8075c44d7e50dec3f8149d7f772adea8"


@pytest.mark.parametrize("record", [record for record, _ in GOLDEN], ids=lambda record: type(record).__name__)
def test_a_field_added_later_at_its_default_leaves_ids_alone(record: Record) -> None:
    kind = type(record)
    later = make_dataclass(kind.__name__, [("added", str, field(default=""))], bases=(kind,), frozen=True)
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    assert later(**values).id == record.id
    assert later(**values, added="said").id != record.id


@pytest.mark.parametrize("record", [record for record, _ in GOLDEN], ids=lambda record: type(record).__name__)
def test_the_id_is_of_what_is_said_and_of_nothing_else(record: Record) -> None:
    for f in fields(record):
        value = next((other for start, other in OTHERS.items() if str(f.type).startswith(start)), "other")
        changed = replace(record, **{f.name: value})
        assert (changed.id == record.id) == bool(f.metadata.get("descriptive")), f.name


def test_descriptive_fields_can_be_told_from_the_type_alone() -> None:
    said = {f.name for f in fields(Comparison) if f.metadata == DESCRIPTIVE}
    assert said == {"selection_probability", "count", "tokens", "cost", "seconds"}
    billed = {f.name for f in fields(Call) if f.metadata == DESCRIPTIVE}
    assert billed == {"tokens_in", "tokens_out", "cost", "seconds", "attempts"}
    rated = {f.name for f in fields(Rating) if f.metadata == DESCRIPTIVE}
    assert rated == {"count", "tokens", "cost", "seconds"}
    read = {f.name for f in fields(Likelihood) if f.metadata == DESCRIPTIVE}
    assert read == {"logprobs", "tokens"}
    assert {f.name for f in fields(Probe) if f.metadata == DESCRIPTIVE} == {"set"}
    assert not any(f.metadata for f in fields(Decision))


def test_a_decision_made_before_there_were_rules_has_the_id_that_it_had() -> None:
    said = {"round": "r", "model": "m", "opponent": "o", "promoted": True, "reason": "better"}
    figures = {"win_rate": 0.7, "low": 0.6, "high": 0.8, "n_prompts": 10}
    before = Decision(**said, **figures)  # type: ignore[arg-type]
    text = json.dumps(["Decision", {**said, **figures}], sort_keys=True, separators=(",", ":"))
    assert before.id == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert replace(before, outcome=None, rules="", forced="", evidence={}).id == before.id


def test_what_was_computed_twice_is_one_likelihood() -> None:
    assert replace(READ, logprobs=(-0.5000001, -1.25), tokens=(2, 2)).id == READ.id
    assert replace(READ, of="reference").id != READ.id
    assert replace(READ, setting="another").id != READ.id


def test_two_types_that_say_the_same_have_two_ids() -> None:
    @dataclass(frozen=True)
    class Round(Record):  # the name is part of the id
        number: int

    @dataclass(frozen=True)
    class Other(Record):
        number: int

    assert Round(1).id != Other(1).id


def test_whole_floats_are_floats_and_zero_has_no_sign() -> None:
    whole: float = 1
    assert replace(COMPARED, strength=whole).id == replace(COMPARED, strength=1.0).id
    assert replace(COMPARED, strength=-0.0).id == replace(COMPARED, strength=0.0).id


def test_the_order_of_keys_says_nothing() -> None:
    one, other = (
        LogEntry("s", "e", {"a": 1, "b": {"c": 2, "d": 3}}),
        LogEntry("s", "e", {"b": {"d": 3, "c": 2}, "a": 1}),
    )
    assert one.id == other.id


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        QUESTION.mode = "clinical"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Comparison("p", "a", "b", "m", "m", "x", "a").axes["x"] = 1  # type: ignore[index]


def test_the_question_is_the_last_turn() -> None:
    assert QUESTION.question == "Wie groß ist ein Leistenbruch? 🩺"


def test_canonical_json() -> None:
    assert canonical_json({"b": (1, 2), "a": records.NOTHING, "é": None}) == '{"a":{},"b":[1,2],"é":null}'
    with pytest.raises(TypeError):
        canonical_json({"a": {1, 2}})
    with pytest.raises(TypeError):
        canonical_json("\ud800")


@given(st.text(st.characters()))
def test_what_is_storable_has_a_json_form(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    canonical_json(kept)
    assert len(kept) == len(text)
    assert storable(kept) == kept


def test_what_cannot_be_kept_is_shown_as_replaced() -> None:
    assert storable("a\x00b\ud800c🩺") == "a\ufffdb\ufffdc🩺"
