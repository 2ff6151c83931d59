from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.codec import intact
from ledger.errors import InputError, LedgerError
from ledger.migrations.upgrade import known_versions
from ledger.records import (
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
    ReviewItem,
    Round,
    content_id,
    pairs_hash,
)
from ledger.store import SCHEMA_VERSION, Ledger, open_ledger
from ledger.tables import NAMES, TABLES, metadata, prompts

EXAMPLES = count()


def questions(n: int) -> list[Prompt]:
    return [Prompt((Message("user", f"question {i}?"),), source="here") for i in range(n)]


def one_of_each() -> list[Record]:
    """A record of every type, in an order in which none refers to a later one."""
    prompt = Prompt((Message("system", "Be brief."), Message("user", "Why?")), context=("a passage",), answer="B")
    sft = ModelVersion("sft", "sft", "w", config={"epochs": 3}, libraries={"torch": "2"}, adapter=True)
    dpo = ModelVersion("dpo", "dpo", "v", parent=sft.id)
    a, b = sorted((Candidate(prompt.id, sft.id, text, logprob=-0.25) for text in "ab"), key=lambda each: each.id)
    called = Call("key", "judge:x", "raw", "cut", {"tie": 0.25}, "run", 9, 3, 0.01, 1.5, 2)
    rated = Rating(prompt.id, a.id, sft.id, "judge:x", 0.25, {"safe": True}, "surgical:1", "why", call="key", cost=0.01)
    compared = Comparison(
        prompt.id, a.id, b.id, sft.id, sft.id, "judge:x", "a", 1.0, axes={"x": [1, 2]}, flags=("harm_b",), call="key"
    )
    shown = ReviewItem(prompt.id, a.id, b.id, "ba", "routed", 1, 0.25, "judge flipped")
    pair = Pair(prompt.id, a.id, b.id, 1.0, (compared.id,))
    first = Round(1, sft.id, "dpo", {"beta": 0.1})
    decision = Decision(
        first.id, dpo.id, sft.id, True, "better", 0.7, 0.6, 0.8, 100, "promote", "r", evidence={"harm": {"n": 60}}
    )
    probe = Probe(prompt.id, "arithmetic", "number", {"number": 7}, "mine.jsonl")
    likely = Likelihood(prompt.id, sft.id, "options", "chat", (-0.5, -1.25), (1, 1))
    entry = LogEntry("sample", "started", {"n": 4}, "0.1", "run")
    return [prompt, probe, sft, dpo, a, b, called, rated, compared, shown, pair, first, decision, likely, entry]


def test_every_type_comes_back_as_it_was(ledger: Ledger) -> None:
    records = one_of_each()
    assert {type(each) for each in records} == set(NAMES)
    assert ledger.append(records) == len(records)
    for record in records:
        assert ledger.get(type(record), record.id) == record


def test_types_may_come_in_any_order(ledger: Ledger) -> None:
    records = one_of_each()
    by_type = sorted(records, key=lambda each: type(each).__name__)
    assert ledger.append(by_type) == len(records)


def test_appending_again_adds_nothing(ledger: Ledger) -> None:
    assert ledger.append(questions(3)) == 3
    assert ledger.append(questions(5)) == 2
    assert ledger.append(questions(5)) == 0
    assert ledger.append([*questions(6), *questions(6)]) == 1
    assert ledger.count(Prompt) == 6


def test_the_first_description_stays(ledger: Ledger) -> None:
    first = questions(1)[0]
    ledger.append([first])
    assert ledger.append([replace(first, source="elsewhere")]) == 0
    assert ledger.get(Prompt, first.id).source == "here"


def test_appending_nothing_is_fine(ledger: Ledger) -> None:
    assert ledger.append([]) == 0


def test_a_batch_with_a_dangling_reference_leaves_nothing(ledger: Ledger) -> None:
    good = questions(2)
    with pytest.raises(LedgerError, match="points at one that was never written"):
        ledger.append([*good, Candidate("0" * 32, "surgeon:1", "text")])
    assert ledger.count(Prompt) == 0
    assert ledger.append(good) == 2


def test_an_error_while_records_are_made_leaves_nothing(ledger: Ledger) -> None:
    def broken() -> list[Record]:
        raise RuntimeError("the stage failed")

    with pytest.raises(RuntimeError):
        ledger.append(record for make in (lambda: questions(1), broken) for record in make())
    assert ledger.count(Prompt) == 0


def test_a_number_that_is_none_is_refused(ledger: Ledger) -> None:
    records = one_of_each()
    ledger.append(records)
    compared = next(each for each in records if isinstance(each, Comparison))
    with pytest.raises(LedgerError):
        ledger.append([replace(compared, strength=float("nan"))])


def test_a_model_and_its_training_set_are_one(ledger: Ledger) -> None:
    records = one_of_each()
    ledger.append(records)
    pair = next(each for each in records if isinstance(each, Pair))
    model = ModelVersion("new", "dpo", "x", pairs=pairs_hash([pair.id]))
    with pytest.raises(LedgerError):
        ledger.append_trained(model, [pair.id, "0" * 32])
    assert ledger.count(ModelVersion, TABLES[ModelVersion].c.id == model.id) == 0
    ledger.append_trained(model, [pair.id])
    ledger.append_trained(model, [pair.id])
    assert ledger.trained_on(model.id) == [pair.id]
    assert list(ledger.training_set(model.id)) == [pair]


def test_records_are_read_in_the_order_of_appending(ledger: Ledger) -> None:
    asked = questions(20)
    random.Random(1).shuffle(asked)
    ledger.append(asked[:10])
    ledger.append(asked[10:])
    assert list(ledger.read(Prompt)) == asked
    assert list(ledger.read(Prompt, newest_first=True)) == asked[::-1]
    assert list(ledger.read(Prompt, prompts.c.id == asked[3].id)) == [asked[3]]


def test_many_are_read_in_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.store.BATCH", 7)
    asked = questions(30)
    ledger.append(asked)
    assert list(ledger.read(Prompt)) == asked


def test_getting_many_leaves_out_what_is_not_there(ledger: Ledger) -> None:
    asked = questions(1201)
    ledger.append(asked)
    ids = [each.id for each in asked]
    found = ledger.get_many(Prompt, [*ids, ids[0], "0" * 32])
    assert found == dict(zip(ids, asked, strict=True))


def test_an_unknown_id_is_named(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="no such record: nothing"):
        ledger.get(Prompt, "nothing")


def test_one_may_write_while_reading(ledger: Ledger) -> None:
    ledger.append(questions(10))
    reading = ledger.read(Prompt)
    next(reading)
    assert ledger.append(questions(12)) == 2
    assert len(list(reading)) == 9  # what was there when the reading began


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**63 - 1)
mappings = st.dictionaries(texts, json_values, max_size=3)


@dataclass(frozen=True)
class Anything:
    """Values of each kind that a record holds."""

    text: str
    number: float
    integer: int
    mapping: dict[str, object]
    several: tuple[str, ...]
    perhaps: str | None
    maybe: float | None
    yes: bool


anything = st.builds(
    Anything, texts, floats, whole, mappings, st.lists(texts, max_size=3).map(tuple),
    st.none() | texts, st.none() | floats, st.booleans(),
)  # fmt: skip


def records_of(given: Anything) -> list[Record]:
    number, integer, mapping, several = given.number, given.integer, given.mapping, given.several
    text = f"{next(EXAMPLES)} {given.text}"  # new records each time: the ledger keeps the first description
    prompt = Prompt((Message("user", text),), context=several, reference=given.perhaps, options=several, topic=text)
    model = ModelVersion(text, "sft", text, config=mapping, seed=integer, metrics=mapping, adapter=given.yes)
    a, b = (Candidate(prompt.id, model.id, text, seed=i, parameters=mapping, logprob=given.maybe) for i in range(2))
    called = Call(text, text, text, text, mapping, text, integer, integer, number, number, integer)
    rated = Rating(
        prompt.id, a.id, text, text, given.maybe, mapping, text, text, text, text, given.perhaps, integer, integer,
        number, number,
    )  # fmt: skip
    compared = Comparison(
        prompt.id, a.id, b.id, text, text, text, "tie", number, axes=mapping, flags=several, call=given.perhaps,
        cost=number, tokens=integer,
    )  # fmt: skip
    pair = Pair(prompt.id, a.id, b.id, number, several)
    begun = Round(integer, model.id, "dpo", mapping)
    decision = Decision(begun.id, model.id, model.id, given.yes, text, number, number, number, integer)
    entry = LogEntry(text, text, mapping)
    return [prompt, model, a, b, called, rated, compared, pair, begun, decision, entry]


@given(values=anything)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_it_holds_comes_back(ledger: Ledger, values: Anything) -> None:
    records = records_of(values)
    ledger.append(records)
    for record in records:
        read = ledger.get(type(record), record.id)
        assert read == record
        assert content_id(read) == record.id


def test_the_migrations_make_the_tables_that_the_code_reads(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with open_ledger(url) as ledger, ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == SCHEMA_VERSION
    assert SCHEMA_VERSION in known_versions()


def test_what_an_older_schema_holds_keeps_its_ids(url: str) -> None:
    prompt = questions(1)[0]
    old = Candidate(prompt.id, "m", "A hernia.", seed=3, tokens=2, logprob=-0.5)
    said = Comparison(prompt.id, old.id, old.id, "m", "m", "judge:x", "tie", count=2, tokens=7)
    model = ModelVersion("sft", "sft", "w")
    begun = Round(1, model.id, "dpo")
    decided = Decision(begun.id, model.id, model.id, True, "it won", 0.6, 0.55, 0.65, 40)
    with open_ledger(url) as ledger:
        ledger.append([prompt, old, said, model, begun, decided])
        with ledger.engine.begin() as connection:  # as the first schema had it
            connection.execute(sa.text("ALTER TABLE candidates DROP COLUMN passages"))
            connection.execute(sa.text("ALTER TABLE comparisons DROP COLUMN call"))
            for table in ("probes", "likelihoods"):
                connection.execute(sa.text(f"DROP TABLE {table}"))
            for column in ("outcome", "rules", "forced", "evidence", "follows"):
                connection.execute(sa.text(f"ALTER TABLE decisions DROP COLUMN {column}"))
            connection.execute(sa.text("DROP TABLE calls"))
            connection.execute(sa.text("DROP TABLE ratings"))
            connection.execute(sa.text("DROP TABLE review_items"))
            connection.execute(sa.text("DROP INDEX ix_comparisons_supersedes"))
            connection.execute(sa.text("ALTER TABLE comparisons DROP COLUMN item"))
            connection.execute(sa.text("ALTER TABLE comparisons DROP COLUMN supersedes"))
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with open_ledger(url) as ledger:
        assert ledger.get(Candidate, old.id) == old
        assert ledger.get(Comparison, said.id) == said
        assert all(intact(Comparison, row._mapping) for row in ledger.rows(sa.select(TABLES[Comparison])))
        assert ledger.get(Decision, decided.id) == decided
        assert all(intact(Decision, row._mapping) for row in ledger.rows(sa.select(TABLES[Decision])))
        assert ledger.append([old, said, decided]) == 0
        assert ledger.append([Probe(prompt.id, "safety", "safety"), Likelihood(prompt.id, model.id, "options")]) == 2
        cut, called = replace(old, passages=1), replace(said, call="key")
        rated = Rating(prompt.id, old.id, "m", "judge:x", 0.5)
        assert ledger.append([cut, called, rated, Call("key", "judge:x")]) == 4
        assert ledger.get(Rating, rated.id) == rated
        assert ledger.get(Candidate, cut.id).passages == 1
        assert ledger.get(Comparison, called.id).call == "key"


def test_opening_again_changes_nothing(url: str) -> None:
    with open_ledger(url) as ledger:
        ledger.append(questions(2))
    with open_ledger(url, create=False) as ledger:
        assert ledger.count(Prompt) == 2


def test_a_newer_schema_is_refused(url: str, ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match=r"newer Wardround \(schema 9999\)"):
        open_ledger(url)


def test_a_ledger_is_not_made_where_one_should_be(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger here"):
        open_ledger(f"sqlite:///{tmp_path / 'none.db'}", create=False)
    assert not list(tmp_path.iterdir())


def said_by(url: str) -> str:
    """What the ledger at this URL says of itself when it is opened and written: one line."""
    with pytest.raises(LedgerError) as caught, open_ledger(url) as ledger:
        ledger.append(questions(1))
    said = str(caught.value)
    assert "\n" not in said
    assert caught.value.advice in said
    return said


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are notes, not a database. " * 100)
    assert "not a database" in said_by(f"sqlite:///{path}")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(f"sqlite:///{path}").engine.dispose()
    assert "make the ledger's folder writable" in said_by(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert not Path("file:").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path) in said_by(f"sqlite:///{tmp_path}/file/ledger.db")


def test_a_full_disk(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.engine.dispose()
        sa.event.listen(ledger.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 1"))
        with pytest.raises(LedgerError, match=r"full.*free some disk space"):
            ledger.append([Prompt((Message("user", "why? " * 100_000),))])
        assert ledger.count(Prompt) == 0


@pytest.mark.parametrize("url", ["ledger.db", "mysql://host/name", "oracle+none://x", "", "sqlite://host/x"])
def test_something_that_is_no_url(url: str) -> None:
    assert "sqlite:///FILE" in said_by(url)


def test_a_server_that_does_not_answer() -> None:
    said = said_by("postgresql://somebody:secret@127.0.0.1:1/ledger")
    assert "check ledger.url and that the database server runs" in said
    assert "secret" not in said


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    assert "secret" not in said_by("mysql://somebody:secret@127.0.0.1:1/ledger")
