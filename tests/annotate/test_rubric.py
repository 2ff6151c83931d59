"""A rubric's version changes with its words, and with nothing else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from annotate.rubric import Rubric, bundled_rubrics, load_rubric
from ledger.errors import ConfigError

AXES = ("accuracy", "harm", "completeness", "instructions", "communication", "uncertainty", "referral")


def test_the_surgical_rubric_comes_along_and_names_its_axes(tmp_path: Path) -> None:
    rubric = load_rubric("surgical", tmp_path)
    assert "surgical" in bundled_rubrics()
    assert all(axis in rubric.text.lower() for axis in AXES)


def test_a_version_is_the_name_and_eight_digits_of_the_text(tmp_path: Path) -> None:
    name, _, digits = load_rubric("surgical", tmp_path).version.partition("@")
    assert name == "surgical"
    assert len(digits) == 8
    assert int(digits, 16) >= 0


def test_one_word_makes_another_version_and_line_ends_do_not(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes(b"# Mine\nJudge well.\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.md").write_bytes(b"\xef\xbb\xbf# Mine\r\nJudge well.\r\n\r\n")
    mine = load_rubric("mine.md", tmp_path)
    assert load_rubric("sub/mine.md", tmp_path) == mine
    assert mine.version.startswith("mine@")
    assert Rubric("mine", mine.text + "!").version != mine.version


def test_a_rubric_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Rubric("a", "b").text = "c"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "nosuch", "nosuch.md", ".", "../annotate"])
def test_an_unknown_rubric_is_named_with_what_there_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="surgical"):
        load_rubric(name, tmp_path)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\xfd"])
def test_a_file_that_is_no_rubric_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.md"):
        load_rubric("bad.md", tmp_path)
