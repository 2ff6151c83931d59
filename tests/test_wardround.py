"""The front door, as a user meets it: real processes, exit codes and one line where something is wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import wardround
from ledger.errors import ConfigError, WardroundError

COMMANDS = (
    "demo init import sample judge pairs train evaluate plan round dashboard report log trace doctor".split()  # noqa: SIM905
)
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "pandas", "streamlit", "openai", "alembic", "sqlalchemy"}
PROGRAM = Path(sys.executable).with_name("wardround")


def run(*arguments: str, cwd: Path | None = None, before: Callable[[], None] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(PROGRAM), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, preexec_fn=before, check=False
    )
    return done.returncode, done.stdout, done.stderr


def one_line(stderr: str) -> str:
    """The only line of an error."""
    lines = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh workspace."""
    assert run("init", str(tmp_path))[0] == 0
    return tmp_path


def test_help_names_every_command_and_says_that_it_is_no_clinical_advice() -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "no clinical advice" in " ".join(out.split())
    for command in COMMANDS:
        assert f"\n  {command} " in out
        assert run(command, "--help")[0] == 0


def test_help_takes_less_than_half_a_second() -> None:
    # as a user has it: with the bytecode of the run before, and without a tracer of the tests' coverage
    traced = ("COVERAGE_", "PYTHONDONTWRITEBYTECODE")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(traced)}

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(PROGRAM), "--help"], env=bare, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5


def test_help_imports_nothing_heavy() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, wardround; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(told.stdout.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sample]\nn = 0", "sample.n"),
        ("[sampel]\nn = 4", "unknown key"),
        ("[sample", "is not TOML"),
    ],
)
def test_a_wrong_configuration_is_one_line_that_names_the_key(project: Path, text: str, said: str) -> None:
    (project / "wardround.toml").write_text(text, encoding="utf-8")
    code, _, err = run("sample", cwd=project)
    assert code == 2
    assert said in one_line(err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample"], "no SFT model is named"),
        (["import", "nothing-here.jsonl"], "nothing-here.jsonl"),
        (["trace", "nobody"], "no such model"),
        (["sample", "-w", "elsewhere"], "no such folder"),
        (["nonsense"], "nonsense"),
        (["sample", "--limit", "many"], "--limit"),
        (["judge", "--model", "nobody"], "no such model"),
    ],
)
def test_what_is_not_there_is_one_line_with_exit_code_2(project: Path, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments, cwd=project)
    assert (code, out) == (2, "")
    line = one_line(err)
    assert said in line
    assert " -> " in line  # what to do


def test_a_model_that_does_not_load_is_one_line(project: Path) -> None:
    (project / "broken").mkdir()
    (project / "broken" / "config.json").write_text("{}", encoding="utf-8")
    (project / "broken" / "model.safetensors").write_bytes(b"nothing")
    (project / "wardround.toml").write_text('[model]\npath = "broken"', encoding="utf-8")
    (project / "questions.jsonl").write_text('{"question": "What is a hernia?"}', encoding="utf-8")
    assert run("import", "questions.jsonl", "--split", "train", cwd=project)[0] == 0
    code, _, err = run("sample", cwd=project)
    assert code == 2
    assert "does not load" in one_line(err)


def test_a_disk_that_takes_no_more_is_one_line_and_loses_nothing(project: Path) -> None:
    rows = [json.dumps({"question": f"What is condition number {number}, in long?" * 20}) for number in range(500)]
    (project / "questions.jsonl").write_text("\n".join(rows), encoding="utf-8")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    code, _, err = run("import", "questions.jsonl", cwd=project, before=small_files_only)
    assert code == 2
    one_line(err)
    code, out, _ = run("import", "questions.jsonl", "--json", cwd=project)
    assert code == 0
    assert json.loads(out)["new"] == 500


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = run("init", str(tmp_path / "file" / "project"))
    assert code == 2
    assert "file" in one_line(err)


def test_debug_shows_the_traceback_wherever_it_stands(project: Path) -> None:
    for arguments in (["--debug", "sample"], ["sample", "--debug"]):
        code, _, err = run(*arguments, cwd=project)
        assert code == 1
        assert "Traceback" in err
        assert "no SFT model is named" in err


def test_an_error_in_the_program_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(wardround, "app", breaks)
    with pytest.raises(SystemExit) as ended:
        wardround.main(["doctor"])
    assert ended.value.code == 2
    assert "unexpected ZeroDivisionError: surprise" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("error", [KeyboardInterrupt()])
def test_an_interruption_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def stops(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(wardround, "app", stops)
    with pytest.raises(SystemExit) as ended:
        wardround.main(["doctor"])
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


def test_ctrl_c_within_a_command_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sampling.doctor.examine", stops)
    with pytest.raises(SystemExit) as ended:
        wardround.main(["doctor"])
    assert ended.value.code == 130
    assert "interrupted; run the same command again to go on" in capsys.readouterr().err


def test_errors_are_one_line_whatever_they_hold() -> None:
    error: WardroundError = ConfigError("two\nlines", where="a\nplace", advice="do\nthis")
    assert str(error) == "a place: two lines -> do this"


def test_reading_commands_print_json(project: Path) -> None:
    for command in ("doctor", "log"):
        _, out, _ = run(command, "--json", cwd=project)
        json.loads(out)
