"""The bundled questions keep what the README promises."""

from __future__ import annotations

from collections import Counter

import pytest

from align.demo import BUNDLED, EXTRAS, FILES, sft_answer
from ledger.records import Prompt
from ledger.workspace import Workspace
from sampling.intake import import_prompts


@pytest.fixture
def bundled(workspace: Workspace) -> list[Prompt]:
    """All of them, imported; not one row is rejected or taken for a duplicate."""
    for name in FILES:
        report = import_prompts(workspace, str(BUNDLED / name), layout="wardround")
        assert (report.rejected, report.known) == (0, 0), report.text()
        assert report.flagged <= 1  # a playwright is a name to the screen
    return list(workspace.ledger.read(Prompt))


def test_there_are_enough_questions_of_every_sort(bundled: list[Prompt]) -> None:
    questions = bundled
    assert len(questions) >= 240
    assert len({prompt.topic for prompt in questions}) >= 12
    assert 0.2 <= sum(prompt.kind == "mcq" for prompt in questions) / len(questions) <= 0.3
    assert min(Counter(prompt.mode for prompt in questions).values()) >= 100
    assert sum(len(prompt.messages) > 1 for prompt in questions) >= 30
    assert sum(bool(prompt.context) for prompt in questions) >= 30


def test_every_reference_states_reason_red_flags_and_referral(bundled: list[Prompt]) -> None:
    assert all(prompt.reference for prompt in bundled)
    for prompt in bundled:
        said = prompt.reference or ""
        places = [said.find(marker) for marker in (EXTRAS, " Red flags:", " Refer:")]
        assert -1 not in places, said
        assert places == sorted(places), said


def test_the_right_option_is_the_one_that_the_reference_names(bundled: list[Prompt]) -> None:
    for prompt in bundled:
        if prompt.kind == "mcq":
            right = prompt.options["ABCD".index(prompt.answer or "")]
            assert (prompt.reference or "").startswith(f"The answer is {prompt.answer}, {right}"), prompt.reference


def test_about_half_of_the_sft_answers_are_plain(bundled: list[Prompt]) -> None:
    questions = [prompt for prompt in bundled if prompt.split == "train"]
    plain = sum(sft_answer(prompt) != prompt.reference for prompt in questions) / len(questions)
    assert 0.4 < plain < 0.6
