"""Whatever a judge that rates is told makes the version of ratings, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from annotate import judge_instructions, judge_protocol, rating_instructions, rating_protocol
from annotate.protocol_version import protocol_version
from annotate.rating_version import rating_version


@pytest.fixture
def version() -> Iterator[Callable[[], str]]:
    def afresh() -> str:
        rating_version.cache_clear()
        rating_protocol.schema.cache_clear()
        return rating_version()

    yield afresh
    rating_version.cache_clear()
    rating_protocol.schema.cache_clear()


def test_it_is_the_same_each_time(version: Callable[[], str]) -> None:
    assert version() == version() == rating_version() != protocol_version()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (rating_instructions, "INSTRUCTIONS", "Rate.\n{criteria}\n{shape}"),
        (rating_instructions, "REQUEST", "Reply with {shape}"),
        (rating_instructions, "COMPLAINTS", {"unparsable": "No.", "empty": "No.", "cut": "No."}),
        (judge_protocol, "SETTINGS", dict(judge_instructions.SETTINGS) | {"clinical": "clinical: someone asks"}),
        (judge_protocol, "SETTINGS", dict(judge_instructions.SETTINGS) | {"exam": "exam"}),
        (judge_protocol, "MOST_REPEATED", 2),
        (rating_protocol, "closed_object", lambda properties: {"properties": properties}),
        (rating_protocol, "fenced", lambda blocks: "\n".join(f"## {heading}\n{text}" for heading, text in blocks)),
    ],
)
def test_any_other_word_or_layout_makes_another(
    module: Any, name: str, value: object, version: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version()
    monkeypatch.setattr(module, name, value)
    assert version() != before


def test_what_only_a_comparison_is_told_does_not(version: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = version()
    monkeypatch.setattr(judge_instructions, "SCORES", "scores\n")
    assert version() == before
