from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from ledger import provenance
from ledger.provenance import code_version, library_versions


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with one commit, which the package believes to be in."""
    file = tmp_path / "ledger" / "provenance.py"
    file.parent.mkdir()
    file.touch()
    monkeypatch.setattr(provenance, "__file__", str(file))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *command], check=True)
    code_version.cache_clear()
    yield tmp_path
    code_version.cache_clear()


def test_a_checkout_is_named_by_its_commit(checkout: Path) -> None:
    done = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert code_version() == f"{version('wardround')}+{done.stdout[:12]}"


def test_a_changed_checkout_says_so(checkout: Path) -> None:
    (checkout / "ledger" / "provenance.py").write_text("changed")
    assert code_version().endswith("+changes")


def test_a_broken_checkout_is_no_error(checkout: Path) -> None:
    (checkout / ".git" / "HEAD").unlink()
    assert code_version() == version("wardround")


def test_an_installed_package_is_named_by_its_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "ledger" / "provenance.py"))
    code_version.cache_clear()
    assert code_version() == version("wardround")
    code_version.cache_clear()


def test_the_libraries_that_weights_depend_on_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = library_versions()
    assert found["torch"] == version("torch")
    monkeypatch.setattr(provenance, "RECORDED", ("torch", "no-such-library"))
    assert set(library_versions()) == {"torch"}
