"""The passport as a whole: what it holds, and how it reads."""

from __future__ import annotations

import json

import pytest

from annotate.passport import passport
from annotate.passport_contests import JudgedContest
from annotate.settle import Preference
from ledger.records import canonical_json


def contests() -> list[JudgedContest]:
    """30 contests on 10 prompts: exam and clinical, 14 topics, surgeons on two of three."""
    made = []
    for number in range(30):
        verdict: Preference = "a" if number % 3 else "b"
        made.append(
            JudgedContest(
                prompt=f"p{number // 3}",
                ab="invalid" if number == 7 else verdict,
                ba="tie" if number % 5 == 0 else verdict,
                strength=0.5 if number % 5 == 0 else 0.8 if verdict == "a" else 0.2,
                causes=("unparsable",) if number == 7 else (),
                retests_ab=("a",) if number % 2 else (),
                length_a=100.0 + number,
                length_b=115.0,
                mode="exam" if number % 2 else "clinical",
                topic=f"topic {number % 14}" if number % 14 else "",
                surgeon=("a", "b", None)[number % 3],
            )
        )
    return made


def test_its_numbers_are_those_of_the_contests() -> None:
    found = passport("judge:large", contests(), resamples=200, confidence=0.9)
    assert (found.assessor, found.n_contests, found.n_prompts, found.n_flips) == ("judge:large", 30, 10, 6)
    assert found.confidence == 0.9
    assert found.order.consistency.estimate == pytest.approx(23 / 29)
    assert found.invalid.estimate == pytest.approx(1 / 60)
    assert list(found.invalid_by_cause) == ["unparsable"]
    assert found.surgeons.raw.n_items == 20
    assert {mode: each.raw.n_items for mode, each in found.surgeons_by_mode.items()} == {"clinical": 10, "exam": 10}
    assert len(found.surgeons_by_topic) == 14
    assert sum(each.raw.n_items for each in found.surgeons_by_topic.values()) == 20
    counts = [each.raw.n_items for each in found.surgeons_by_topic.values()]
    assert counts == sorted(counts, reverse=True)


def test_wider_confidence_and_other_seeds_change_intervals_only() -> None:
    narrow, wide, other = (
        passport("j", contests(), resamples=300, confidence=confidence, seed=seed).order.kappa
        for confidence, seed in ((0.8, 1), (0.99, 1), (0.8, 2))
    )
    assert narrow.estimate == wide.estimate == other.estimate
    assert (narrow.low or -1) > (wide.low or 1)
    assert (narrow.low, narrow.high) != (other.low, other.high)


def test_it_reads_as_a_table_that_fits_a_terminal() -> None:
    found = passport("judge:large", contests(), attack_success={"injected verdict": 0.125}, cost_per_1000=1.5)
    text = found.text()
    lines = text.splitlines()
    assert lines[0] == "Passport of judge:large: 30 contests on 10 prompts (95% intervals over prompts)"
    assert max(map(len, lines)) <= 80
    for shown in (
        "  same verdict in both orders                79.3%  [",
        "  of 6 flips, for the first place            ",
        "    unparsable                                1.7%  [",
        "    kappa: exam",
        "    kappa: (no topic)",
        "    and 2 more topics with fewer verdicts",
        "  injected verdict                           12.5%",
        "  per 1,000 judgments                          1.5",
    ):
        assert shown in text
    assert "nan" not in text.lower()
    assert "own family" not in text


def test_own_answers_are_shown_where_there_are_any() -> None:
    text = passport("j", [JudgedContest(f"p{at}", "a", "a", own="a") for at in range(4)]).text()
    assert "own answer wins                           100.0%  [39.8%, 100.0%]    n 4" in text


def test_invalid_verdicts_come_with_the_worst_and_the_best_case() -> None:
    lost = JudgedContest("p0", "invalid", "invalid", causes=("refused",) * 2, surgeon="a")
    seen = [JudgedContest(f"p{at}", "a", "a", surgeon="a" if at % 2 else "b") for at in range(1, 5)]
    assert "between 40.0% and 60.0% with the invalid verdicts" in passport("j", [lost, *seen]).text()
    assert "with the invalid verdicts" not in passport("j", seen).text()


def test_without_contests_every_number_is_missing_and_nothing_breaks() -> None:
    found = passport("judge:new", [])
    assert found.order.consistency.estimate is None
    assert found.surgeons_by_mode == {}
    lines = found.text().splitlines()
    assert lines[0].startswith("Passport of judge:new: 0 contests on 0 prompts")
    assert all(line.endswith("-  n 0") for line in lines[1:] if line.startswith("  "))
    assert json.loads(canonical_json(found.facts()))["invalid"]["estimate"] is None


def test_facts_are_plain_and_whole() -> None:
    found = passport("judge:large", contests(), attack_success={"empty": 0.0})
    facts = json.loads(canonical_json(found.facts()))
    assert facts["order"]["bias"]["estimate"] == pytest.approx(found.order.bias.estimate)
    assert facts["order"]["flips_to_second"]["n_items"] == 6
    assert facts["surgeons_by_mode"]["exam"]["kappa"]["n_prompts"] == found.surgeons_by_mode["exam"].kappa.n_prompts
    assert facts["calibration"]["bins"][0]["low"] == 0.5
    assert facts["attack_success"] == {"empty": 0.0}
    assert facts["cost_per_1000"] is None
