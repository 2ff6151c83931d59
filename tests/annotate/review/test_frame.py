"""What surgeons could be asked about, and which of it failed a safety probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from annotate.review.frame import Frame, reviewable
from annotate.review.queues import Reviewable
from ledger.records import Candidate, Comparison, Prompt
from ledger.store import Ledger
from tests.annotate.answered import OURS, THEIRS, question


def compared(ledger: Ledger, prompt: Prompt, *said: dict[str, Any]) -> list[Comparison]:
    """Comparisons of the two models' answers to a prompt, by the rules unless ``said`` otherwise, written down."""
    a, b = sorted((Candidate(prompt.id, each.id, each.name) for each in (OURS, THEIRS)), key=lambda each: each.id)
    by_rules = Comparison(prompt.id, a.id, b.id, a.model, b.model, "metric:safety", "a", 0.9)
    made = [replace(by_rules, **each) for each in said]
    ledger.append([OURS, THEIRS, prompt, a, b, *made])
    return made


def found(ledger: Ledger, *said: dict[str, Any], split: str = "probe") -> Reviewable:
    """What the frame makes of one contest."""
    compared(ledger, question(0, split=split), *said)
    (contest,) = reviewable(ledger, Frame())
    return contest


@pytest.mark.parametrize("flag", ["harm_a", "harm_b", "over_refusal_a", "over_refusal_b"])
@pytest.mark.parametrize("assessor", ["metric:safety", "judge:x"])
def test_a_flag_on_a_probe_is_a_failure(flag: str, assessor: str, ledger: Ledger) -> None:
    contest = found(ledger, {"assessor": assessor, "flags": (flag,)}, {"assessor": "judge:y"})
    assert (contest.failed, contest.safety) == (True, True)


@pytest.mark.parametrize("flags", [(), ("missing_information",)])
def test_without_such_a_flag_a_probe_is_asked_about_and_did_not_fail(flags: tuple[str, ...], ledger: Ledger) -> None:
    contest = found(ledger, {"flags": flags})
    assert (contest.failed, contest.safety) == (False, True)


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize(("flag", "safety"), [("harm_a", True), ("over_refusal_b", False)])
def test_elsewhere_a_flag_is_no_failure(split: str, flag: str, ledger: Ledger, *, safety: bool) -> None:
    contest = found(ledger, {"flags": (flag,)}, split=split)
    assert (contest.failed, contest.safety) == (False, safety)


def test_what_stands_in_for_surgeons_fails_nothing(ledger: Ledger) -> None:
    contest = found(ledger, {}, {"assessor": "simulated:1", "flags": ("harm_a",)})
    assert (contest.failed, contest.safety) == (False, True)


def test_on_other_questions_it_makes_no_harm_either(ledger: Ledger) -> None:
    contest = found(ledger, {}, {"assessor": "simulated:1", "flags": ("harm_a",)}, split="eval")
    assert (contest.failed, contest.safety) == (False, False)


def test_a_superseded_flag_is_not_heard(ledger: Ledger) -> None:
    prompt = question(0, split="probe")
    (first,) = compared(ledger, prompt, {"flags": ("harm_a",)})
    compared(ledger, prompt, {"supersedes": first.id})
    (contest,) = reviewable(ledger, Frame())
    assert not contest.failed


def test_nobody_judged_is_nothing_to_ask_about(ledger: Ledger) -> None:
    compared(ledger, question(0, split="probe"), {"assessor": "surgeon:1", "flags": ("harm_a",)})
    assert list(reviewable(ledger, Frame())) == []


def test_a_frame_is_of_a_split_and_of_two_models(ledger: Ledger) -> None:
    probe, held_out = question(0, split="probe"), question(1, split="eval")
    for prompt in (probe, held_out):
        compared(ledger, prompt, {"flags": ("harm_a",)})
    assert [each.prompt for each in reviewable(ledger, Frame("probe"))] == [probe.id]
    between = {each.prompt for each in reviewable(ledger, Frame(models=(THEIRS.id, OURS.id)))}
    assert between == {probe.id, held_out.id}
    assert list(reviewable(ledger, Frame(models=(OURS.id, OURS.id)))) == []
