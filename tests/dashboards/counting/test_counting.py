"""Tests of dashboards/counting/: with sections of their own, a real ledger and real files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dashboards.counting.count import count
from dashboards.counting.counter import counted, in_order
from dashboards.counting.kept import (
    FOLDER,
    Kept,
    Source,
    Stamp,
    forget_drafts,
    forget_unreadable,
    keep,
    kept_file,
    made_folder,
    read_kept,
    read_stamp,
    source_of,
)
from dashboards.counting.section import Section
from dashboards.counting.sections import SECTIONS
from dashboards.counting.tries import note_fatal, resting, take_back, tries
from ledger.errors import InputError, StageError
from ledger.records import LogEntry, Message, ModelVersion, Prompt
from ledger.store import Ledger
from ledger.workspace import Workspace, open_workspace
from tests.waiting import eventually


@dataclass(frozen=True)
class Asked:
    questions: tuple[str, ...]
    share: float | None = None


def find(workspace: Workspace) -> Asked:
    return Asked(tuple(prompt.question for prompt in workspace.ledger.read(Prompt)))


ASKED = Section("asked", Asked, find, (Prompt,))


def asking(text: str) -> Prompt:
    return Prompt((Message("user", text),))


@pytest.fixture
def place(folder: Path, ledger: Ledger) -> Path:
    ledger.append([asking("One?")])
    return made_folder(folder / FOLDER)


def recounted(folder: Path, section: Section[Asked] = ASKED) -> float:
    with open_workspace(folder, create=False) as workspace:
        return count(workspace, folder / FOLDER, section)


def found(place: Path, section: Section[Asked] = ASKED) -> Kept[Asked]:
    kept = read_kept(place, section)
    assert kept is not None
    return kept


def test_what_was_counted_is_read_back(folder: Path, place: Path) -> None:
    assert read_kept(place, ASKED) is None
    assert recounted(folder) > 0
    kept = found(place)
    assert kept.findings == Asked(("One?",))
    assert abs(kept.stamp.at - time.time()) < 60
    assert not kept.stamp.problem


def test_only_a_ledger_that_has_grown_is_counted_again(folder: Path, place: Path, ledger: Ledger) -> None:
    recounted(folder)
    assert recounted(folder) == 0
    ledger.append([ModelVersion("sft", "sft", "w")])  # the section is not counted from models
    assert recounted(folder) == 0
    ledger.append([asking("Two?")])
    assert recounted(folder) > 0
    assert found(place).findings == Asked(("One?", "Two?"))


def test_a_changed_configuration_is_counted_again(folder: Path, place: Path) -> None:
    recounted(folder)
    with (folder / "wardround.toml").open("a") as file:
        file.write("[evaluate]\nresamples = 77\n")
    assert recounted(folder) > 0


def test_a_problem_is_kept_with_its_reason(folder: Path, place: Path) -> None:
    def refuse(_: Workspace) -> Asked:
        raise StageError("nothing to count", where="ledger", advice="run `wardround judge`")

    recounted(folder, Section("asked", Asked, refuse, (Prompt,)))
    kept = found(place)
    assert kept.findings is None
    assert "wardround judge" in kept.stamp.problem


def test_a_bug_in_one_section_is_told_and_stays_there(
    folder: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Workspace) -> Asked:
        raise ZeroDivisionError("no answers")

    recounted(folder, Section("broken", Asked, broken, (Prompt,)))
    assert "ZeroDivisionError" in found(place, Section("broken", Asked, broken, (Prompt,))).stamp.problem
    assert "broken could not be counted" in capsys.readouterr().err
    assert recounted(folder) > 0


@pytest.mark.parametrize("damage", [b"", b"{}\n{}", b"not json", b'{"source":{"rows":[1]'])
def test_a_damaged_file_is_counted_again(folder: Path, place: Path, damage: bytes) -> None:
    recounted(folder)
    kept_file(place, ASKED).write_bytes(damage)
    assert read_stamp(place, ASKED) is None
    assert read_kept(place, ASKED) is None
    assert recounted(folder) > 0
    assert found(place).findings == Asked(("One?",))


def test_only_old_drafts_are_removed(place: Path) -> None:
    old, new = place / "asked.1.draft", place / "asked.2.draft"
    for draft in (old, new):
        draft.write_bytes(b"{")
    os.utime(old, (0, 0))
    forget_drafts(place)
    assert [file.name for file in place.iterdir()] == [new.name]


def test_findings_that_cannot_be_read_are_forgotten(folder: Path, place: Path) -> None:
    recounted(folder)
    forget_unreadable(place, ASKED)
    assert read_kept(place, ASKED) is not None
    stamp = kept_file(place, ASKED).read_bytes().splitlines()[0]
    kept_file(place, ASKED).write_bytes(stamp + b'\n{"questions":')
    assert recounted(folder) == 0
    forget_unreadable(place, ASKED)
    assert recounted(folder) > 0


def test_what_another_form_of_the_findings_left_is_not_read(folder: Path, place: Path) -> None:
    recounted(folder)

    @dataclass(frozen=True)
    class Otherwise:
        questions: int

    assert read_kept(place, Section("asked", Otherwise, lambda _: Otherwise(1), (Prompt,))) is None


def test_a_reader_sees_the_old_or_the_new_and_never_half(folder: Path, place: Path) -> None:
    recounted(folder)
    stamp = found(place).stamp
    long = Asked(tuple("word " * 50 for _ in range(2_000)))
    with kept_file(place, ASKED).open("rb") as reading:  # it has the old one open
        keep(place, ASKED, Kept(stamp, long))
        assert len(reading.read()) < 1_000
    assert found(place).findings == long
    assert [file.name for file in place.iterdir()] == ["asked.json"]


def test_only_the_owner_may_read_them(place: Path) -> None:
    assert place.stat().st_mode & 0o077 == 0


def test_another_users_folder_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a folder whose mode that user alone may change."""
    place = tmp_path / "dashboard"
    place.mkdir(mode=0o755)
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    assert made_folder(place) == place
    assert place.stat().st_mode & 0o777 == 0o755
    monkeypatch.undo()
    made_folder(place)
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="cache"):
        made_folder(tmp_path / "cache" / "dashboard")


def test_a_stamp_tells_its_moment_to_people() -> None:
    assert Stamp(Source((1,), "c", "d"), at=1_795_000_000.0, seconds=1.0).moment == "2026-11-18 11:06:40"


def test_a_source_names_the_rows_it_was_counted_from(folder: Path, place: Path, ledger: Ledger) -> None:
    with open_workspace(folder, create=False) as workspace:
        before = source_of(workspace, ASKED)
        ledger.append([asking("Two?")])
        assert source_of(workspace, ASKED).rows == (before.rows[0] + 1,)


def test_only_the_stages_asked_for_count_of_the_log(folder: Path, place: Path, ledger: Ledger) -> None:
    section = Section("asked", Asked, find, (Prompt, LogEntry), stages=("attack",))
    recounted(folder, section)
    ledger.append([LogEntry("training run", "step", run="1")])
    assert recounted(folder, section) == 0
    ledger.append([LogEntry("attack", "finished", run="1")])
    assert recounted(folder, section) > 0


def test_sections_have_names_of_their_own() -> None:
    assert len({section.name for section in SECTIONS}) == len(SECTIONS) == 8


def test_every_section_counts_an_empty_ledger(folder: Path, ledger: Ledger) -> None:
    place = made_folder(folder / FOLDER)
    for section in SECTIONS:
        assert counted(folder, place, section) > 0
        kept = read_kept(place, section)
        assert kept is not None, section.name
        assert not kept.stamp.problem, section.name


def test_a_ledger_that_does_not_answer_is_told_and_tried_again(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "wardround.toml").write_text('[ledger]\nurl = "sqlite:///nowhere.db"\n')
    assert counted(folder, made_folder(folder / FOLDER), ASKED) > 0
    assert "there is no ledger here" in capsys.readouterr().err


FATAL = """
import os, signal, sys
from pathlib import Path
from dashboards.counting.count import count
from dashboards.counting.section import Section
from ledger.records import Prompt
from ledger.workspace import open_workspace
def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)
with open_workspace(Path(sys.argv[1]), create=False) as workspace:
    count(workspace, Path(sys.argv[2]), Section(sys.argv[3], dict, killed, (Prompt,)))
"""


def killed_counting(folder: Path, place: Path, section: Section[Asked], times: int) -> None:
    """Processes that are killed while they count a section."""
    for _ in range(times):
        line = [sys.executable, "-c", FATAL, str(folder), str(place), section.name]
        assert subprocess.run(line, check=False).returncode == -signal.SIGKILL


def test_one_death_accuses_no_section(folder: Path, place: Path) -> None:
    killed_counting(folder, place, ASKED, 1)
    note_fatal(place, ASKED)
    assert read_kept(place, ASKED) is None
    assert not resting(place, ASKED)
    assert recounted(folder) > 0
    assert tries(place, ASKED) == 0


def test_a_section_that_kills_who_counts_it_keeps_its_findings_and_says_so(
    folder: Path, place: Path, ledger: Ledger
) -> None:
    recounted(folder)
    before = found(place).stamp
    ledger.append([asking("Two?")])
    killed_counting(folder, place, ASKED, 2)
    note_fatal(place, ASKED)
    kept = found(place)
    assert kept.findings == Asked(("One?",))
    assert kept.stamp.at == before.at
    assert "asked: counting it was killed 2 times in a row, perhaps for lack of memory ->" in kept.stamp.problem
    assert recounted(folder) > 0  # it can still be counted, and is well again
    assert found(place).findings == Asked(("One?", "Two?"))
    assert not found(place).stamp.problem
    assert tries(place, ASKED) == 0


def test_a_fatal_section_that_was_never_counted_says_so(folder: Path, place: Path) -> None:
    killed_counting(folder, place, ASKED, 2)
    note_fatal(place, ASKED)
    assert found(place).findings is None
    assert "killed 2 times" in found(place).stamp.problem
    assert recounted(folder) > 0
    assert found(place).findings == Asked(("One?",))


def test_a_fatal_section_waits_and_comes_last(place: Path) -> None:
    fatal, died_once = SECTIONS[0], SECTIONS[1]
    file = place / f"{fatal.name}.tries"
    file.write_text("3 1")
    (place / f"{died_once.name}.tries").write_text("1 1")
    assert in_order(place) == [*SECTIONS[2:], died_once]
    for ago, due in ((1_700, False), (1_900, True)):  # after the third, half an hour
        os.utime(file, (time.time() - ago,) * 2)
        assert resting(place, fatal) is not due
    assert in_order(place) == [*SECTIONS[2:], died_once, fatal]


def test_who_is_told_to_end_accuses_no_section(folder: Path, place: Path) -> None:
    """Neither the one that it counts, nor the one of another process."""

    def ended(_: Workspace) -> Asked:
        (place / "other.tries").write_text(f"1 {os.getpid() + 1}")
        take_back(place)
        n.append(tries(place, ASKED))
        return Asked(())

    n: list[int] = []
    killed_counting(folder, place, ASKED, 1)
    recounted(folder, Section("asked", Asked, ended, (Prompt,)))
    assert n == [1]  # as before
    assert (place / "other.tries").exists()


def test_damaged_tries_count_as_none(place: Path) -> None:
    for damage in ("", "x 1", "2"):
        (place / "asked.tries").write_text(damage)
        assert tries(place, ASKED) == 0


@pytest.mark.slow
def test_the_process_follows_the_ledger_and_a_second_one_takes_over(folder: Path, place: Path, ledger: Ledger) -> None:
    lineage = SECTIONS[-1]
    with ExitStack() as running:
        first = running.enter_context(counting(folder, place))
        eventually(lambda: all(read_stamp(place, section) for section in SECTIONS))
        running.enter_context(counting(folder, place))
        before = read_stamp(place, lineage)
        ledger.append([ModelVersion("sft", "sft", "w")])
        eventually(lambda: read_stamp(place, lineage) != before)
        first.kill()
        first.wait()
        before = read_stamp(place, lineage)
        ledger.append([ModelVersion("other", "sft", "w2")])
        eventually(lambda: read_stamp(place, lineage) != before)


@contextmanager
def counting(folder: Path, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    line = [sys.executable, "-m", "dashboards.counting.counter", str(folder), str(place)]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()
