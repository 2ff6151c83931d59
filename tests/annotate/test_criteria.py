"""Criteria are a list with points, and their version changes with every word that a judge is told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from annotate import criteria as criteria_module
from annotate.criteria import Criteria, CriteriaByMode, Criterion, bundled_criteria, load_criteria
from annotate.rubric import load_rubric
from ledger.errors import ConfigError
from ledger.records import Mode

TEXT = """# Mine

Judge well, 5 of 5.

1. **Red flags** (+6): Names the signs
   of an emergency.

   Also met where there are none.
2) **Clear (and brief).** (2) In plain words: no jargon.
 10. **Dangerous dose:** (\u22128). A dose that harms.

Go by the answer alone.
"""
MINE = Criteria("mine", TEXT)


@pytest.mark.parametrize("name", ["surgical", "clinical", "exam"])
def test_the_bundled_criteria_can_be_rated_by(name: str, tmp_path: Path) -> None:
    criteria = load_criteria(name, tmp_path)
    assert name in bundled_criteria()
    assert isinstance(criteria, Criteria)
    assert 8 <= len(criteria.criteria) <= 12
    assert criteria.best >= 40
    bad = [each for each in criteria.criteria if each.points < 0]
    assert len(bad) == 4
    assert {"dangerous_dose", "wrong_or_invented_fact"} < {each.name for each in bad}
    assert all("Not met" in each.text for each in bad)
    assert all(-10 <= each.points <= 10 for each in criteria.criteria)
    assert criteria.score({each.name: each.points > 0 for each in criteria.criteria}) == 1
    assert criteria.score({each.name: each.points < 0 for each in criteria.criteria}) == 0


def test_the_numbered_items_are_the_criteria() -> None:
    assert MINE.criteria == (
        Criterion("red_flags", 6, "Names the signs of an emergency. Also met where there are none."),
        Criterion("clear_and_brief", 2, "In plain words: no jargon."),
        Criterion("dangerous_dose", -8, "A dose that harms."),
    )
    assert MINE.names == ("red_flags", "clear_and_brief", "dangerous_dose")
    assert MINE.best == 8


@pytest.mark.parametrize(
    ("met", "score"),
    [
        ((True, True, False), 1.0),
        ((True, False, False), 0.75),
        ((False, True, False), 0.25),
        ((False, False, False), 0.0),
        ((True, True, True), 0.0),
        ((False, False, True), 0.0),
    ],
)
def test_the_score_is_the_share_of_the_points_that_can_be_had(met: tuple[bool, ...], score: float) -> None:
    assert MINE.score(dict(zip(MINE.names, met, strict=True))) == score


def test_points_against_an_answer_are_taken_off() -> None:
    criteria = Criteria("x", "1. **A** (+6): a\n2. **B** (+4): b\n3. **C** (-3): c")
    assert criteria.score({"a": True, "b": False, "c": True}) == pytest.approx(0.3)
    assert criteria.score({"a": True, "b": True, "c": True}) == pytest.approx(0.7)


def test_a_score_is_never_of_some_criteria_alone() -> None:
    with pytest.raises(KeyError):
        MINE.score({"red_flags": True, "clear_and_brief": True})


@pytest.mark.parametrize("mode", ["clinical", "exam"])
def test_auto_goes_by_the_mode_of_the_question(mode: Mode, tmp_path: Path) -> None:
    auto, one = load_criteria("auto", tmp_path), load_criteria(mode, tmp_path)
    assert isinstance(auto, CriteriaByMode)
    assert auto.of(mode) == one
    assert one.version in auto.version
    assert MINE.of(mode) == MINE


def test_a_version_is_the_name_and_eight_digits_of_all_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, digits = MINE.version.partition("@")
    assert name == "mine"
    assert len(digits) == 8
    assert Criteria("mine", TEXT).version == MINE.version
    assert Criteria("mine", TEXT.replace("alone", "only")).version != MINE.version
    assert Criteria("mine", TEXT.replace("+6", "+7")).version != MINE.version
    monkeypatch.setattr(criteria_module, "rating_version", lambda: "another")
    assert Criteria("mine", TEXT).version != MINE.version
    assert load_criteria("exam", tmp_path).version != load_rubric("exam", tmp_path).version


def test_line_ends_are_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_bytes(b"\xef\xbb\xbf" + TEXT.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n")
    mine = load_criteria("mine.md", tmp_path)
    assert mine == Criteria("mine", TEXT.strip())
    assert mine.version == Criteria("mine", TEXT.strip()).version


def test_criteria_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        MINE.text = "c"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        MINE.criteria[0].points = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "nosuch", "nosuch.md", "."])
def test_unknown_criteria_are_named_with_what_there_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such criteria: .*auto, clinical, exam, safety, surgical") as caught:
        load_criteria(name, tmp_path)
    assert caught.value.where == "judge.criteria"


GOOD = "1. **Good** (+5): is good.\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no criterion"),
        (b" \n", "holds no criterion"),
        (b"# Mine\n\n- **Good** (+5): no number\n", "holds no criterion"),
        (b"\xff\xfe\xfd", "cannot be read"),
        (GOOD.encode() + b"2. **good:** (-3): a\n", "names the criterion good twice"),
        (GOOD.encode() + b"2. **None** (0): a\n", "the criterion none has no points"),
        (GOOD.encode() + b"2. **None** (-0): a\n", "the criterion none has no points"),
        (b"1. **Bad** (-5): is bad.\n", "no criterion has positive points"),
        (GOOD.encode() + b"2. **Bare**: has no points.\n", "item 2 of the list is no criterion"),
        (GOOD.encode() + b"2. Bare (+3): has no bold name.\n", "item 2 of the list is no criterion"),
        (GOOD.encode() + b"7) **Half** (+1.5): has half a point.\n", "item 7 of the list is no criterion"),
        (GOOD.encode() + b"2. **Silent** (+3):\n", "item 2 of the list is no criterion"),
        (GOOD.encode() + b"2. **Silent** (+3):\n\nText after the list.\n", "item 2 of the list is no criterion"),
        (GOOD.encode() + b"2. **!** (+3): has no name.\n", "item 2 of the list is no criterion"),
        (GOOD.encode() + b"2. **Huge** (+99999): x\n", "item 2 of the list is no criterion"),
    ],
)
def test_a_file_that_nothing_can_be_rated_by_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        load_criteria("mine.md", tmp_path)
    assert caught.value.where == str(path)
    assert caught.value.advice
    assert "\n" not in str(caught.value)


def test_text_that_nothing_can_be_rated_by_makes_no_criteria() -> None:
    with pytest.raises(ConfigError, match="mine: holds no criterion"):
        Criteria("mine", "Be good.")
