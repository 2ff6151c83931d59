"""The ledger under several processes, and under those that die."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa

from ledger.codec import intact
from ledger.records import Candidate, Prompt
from ledger.store import Ledger, open_ledger
from ledger.tables import TABLES, candidates, prompts

WRITER = str(Path(__file__).with_name("writer.py"))
SIZE = 100
BATCHES = 30


@contextmanager
def writers(url: str, names: list[str], batches: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Writers that all stand before opening the ledger."""
    started = [
        subprocess.Popen(
            [sys.executable, WRITER, url, name, str(batches), str(SIZE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for each in started:
            assert stream(each.stdout).readline() == "ready\n"
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


def stream(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def go(writer: subprocess.Popen[str]) -> None:
    stream(writer.stdin).write("go\n")
    stream(writer.stdin).flush()


def batches_in(ledger: Ledger) -> dict[str, tuple[int, int]]:
    """How many prompts, and candidates, of each batch there are, seen at one moment."""
    drawn = sa.select(sa.func.count()).where(candidates.c.model == prompts.c.topic).scalar_subquery()
    query = sa.select(prompts.c.topic, sa.func.count(), drawn).group_by(prompts.c.topic)
    return {topic: (asked, answered) for topic, asked, answered in map(tuple, ledger.rows(query))}


def everything_in(url: str) -> list[str]:
    """All ids, each once for each row, after a look at every byte."""
    with open_ledger(url) as ledger:
        for kind in (Prompt, Candidate):
            assert all(intact(kind, row._mapping) for row in ledger.rows(sa.select(TABLES[kind])))
        return sorted(record.id for kind in (Prompt, Candidate) for record in ledger.read(kind))


def test_some_write_while_another_reads_whole_batches_only(url: str) -> None:
    names = ["one", "two", "three"]
    seen = set()
    with writers(url, names, batches=6) as started, open_ledger(url) as ledger:
        for each in started:
            go(each)
        while any(each.poll() is None for each in started):
            now = batches_in(ledger)
            assert set(now.values()) <= {(SIZE, SIZE)}
            seen.add(len(now))
        assert [each.returncode for each in started] == [0, 0, 0]
        assert len(batches_in(ledger)) == 18
        assert seen - {0, 18}, "the reader looked too late"


def test_some_open_a_new_ledger_at_once(url: str) -> None:
    with writers(url, ["one", "two", "three", "four"], batches=1) as started:
        for each in started:
            go(each)
        assert [each.wait() for each in started] == [0, 0, 0, 0]
    with open_ledger(url) as ledger:
        assert ledger.count(Prompt) == 4 * SIZE


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'ledger.db'}"
    with writers(url, ["lone"], batches=BATCHES) as (writer,):
        go(writer)
        assert writer.wait() == 0
    return everything_in(url)


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_writer_loses_and_doubles_nothing(url: str, undisturbed: list[str], seed: int) -> None:
    rng = random.Random(seed)
    durable = []
    with writers(url, ["lone"], batches=BATCHES) as (writer,):
        go(writer)
        durable += [int(stream(writer.stdout).readline()) for _ in range(rng.randrange(BATCHES - 8))]
        with suppress(subprocess.TimeoutExpired):
            writer.wait(timeout=rng.uniform(0, 0.01))
        writer.kill()
        durable += [int(line) for line in stream(writer.stdout).read().splitlines()]
        assert writer.wait() == -9
    with open_ledger(url) as ledger:
        found = batches_in(ledger)
    assert set(found) >= {f"writer:lone:{number}" for number in durable}
    assert set(found.values()) <= {(SIZE, SIZE)}
    with writers(url, ["lone"], batches=BATCHES) as (writer,):
        go(writer)
        assert writer.wait() == 0
    assert everything_in(url) == undisturbed
