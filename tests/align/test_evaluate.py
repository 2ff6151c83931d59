"""A model against another on the held-out prompts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.cli import evaluation_facts
from align.evaluate import counted, evaluate, held_out
from annotate.mcq import ASSESSOR as KEY_ASSESSOR
from annotate.reference import ASSESSOR as REFERENCE_ASSESSOR
from ledger.config import parse_config
from ledger.errors import StageError
from ledger.queries import latest
from ledger.records import Candidate, Comparison, Decision, ModelVersion, Prompt, Round, Verdict, canonical_json
from ledger.workspace import Workspace
from sampling.policies import sft_model
from tests.annotate.answered import OURS, THEIRS, answers, question

OTHER = ModelVersion(name="other", method="sft", weights="2")


def judged(
    workspace: Workspace,
    prompt: Prompt,
    winner: ModelVersion | None,
    *,
    assessor: str = REFERENCE_ASSESSOR,
    count: int = 1,
    models: tuple[ModelVersion, ModelVersion] = (OURS, THEIRS),
    verdict: Verdict = "tie",
    text: str = "",
    longer: str = "",
    **said_of_it: Any,
) -> None:
    """One comparison of the two models' answers; without a winner it ends with ``verdict``."""
    both = [
        answers(prompt, model, [f"{model.name} {text}" + " and so on" * (model.name == longer)])[0] for model in models
    ]
    one, other = sorted(both, key=lambda each: each.id)
    said: Verdict = ("a" if winner.id == one.model else "b") if winner else verdict
    comparison = Comparison(
        prompt.id, one.id, other.id, one.model, other.model, assessor, said, count=count, **said_of_it
    )
    workspace.ledger.append([prompt, *models, *both, comparison])


def held(number: int, **said: object) -> Prompt:
    return question(number, split="eval", **said)


def test_counted_by_mode_kind_and_topic(workspace: Workspace) -> None:
    mcq = {"kind": "mcq", "options": ("A thing", "B thing"), "answer": "A"}
    judged(workspace, held(0, topic="hernia"), OURS)
    judged(workspace, held(1, topic="hernia", mode="exam"), THEIRS)
    judged(workspace, held(2, topic="trauma", mode="exam", **mcq), OURS)
    judged(workspace, held(3), None)
    found = counted(workspace, OURS, THEIRS)
    assert (found.overall.win_rate, found.overall.n_prompts) == (0.625, 4)
    assert (found.model, found.opponent, found.assessor) == (OURS.id, THEIRS.id, REFERENCE_ASSESSOR)
    by = {name: (rate.win_rate, rate.n_prompts) for name, rate in found.by_mode.items()}
    assert by == {"clinical": (0.75, 2), "exam": (0.5, 2)}
    assert {name: rate.win_rate for name, rate in found.by_kind.items()} == {"mcq": 1.0, "open": 0.5}
    assert {name: rate.win_rate for name, rate in found.by_topic.items()} == {"": 0.5, "hernia": 0.5, "trauma": 1.0}
    assert found.text() == f"{found.overall.text()}, by {REFERENCE_ASSESSOR}"


def test_the_other_way_round_is_the_complement(workspace: Workspace) -> None:
    judged(workspace, held(0), OURS)
    judged(workspace, held(1), OURS)
    judged(workspace, held(2), None)
    ours, theirs = counted(workspace, OURS, THEIRS).overall, counted(workspace, THEIRS, OURS).overall
    assert ours.win_rate == pytest.approx(5 / 6)
    assert theirs.win_rate == pytest.approx(1 / 6)


def test_a_comparison_weighs_as_many_pairs_of_samples_as_it_stands_for(workspace: Workspace) -> None:
    judged(workspace, held(0), OURS, count=3)
    judged(workspace, held(0), THEIRS, count=1, text="again")
    found = counted(workspace, OURS, THEIRS).overall
    assert (found.win_rate, found.n_prompts, found.n_comparisons) == (0.75, 1, 4)


def test_train_prompts_other_models_and_other_assessors_do_not_count(workspace: Workspace) -> None:
    judged(workspace, held(0), OURS)
    judged(workspace, question(1), THEIRS)
    judged(workspace, question(2, split="probe"), THEIRS)
    judged(workspace, held(3), THEIRS, assessor="surgeon:07")
    judged(workspace, held(4), OTHER, models=(OURS, OTHER))
    found = counted(workspace, OURS, THEIRS)
    assert (found.overall.win_rate, found.overall.n_prompts) == (1.0, 1)
    assert set(held_out(workspace.ledger)) == {held(0).id, held(3).id, held(4).id}


def test_what_the_key_decided_counts_beside_the_judge(workspace: Workspace) -> None:
    settings = '[judge]\nmodel = "large"\nbase_url = "http://localhost:1/v1"'
    judging = replace(workspace, config=parse_config(settings))
    judged(judging, held(0), OURS, assessor="judge:large")
    judged(judging, held(1), THEIRS, assessor=KEY_ASSESSOR)
    judged(judging, held(2), THEIRS, assessor=REFERENCE_ASSESSOR)
    found = counted(judging, OURS, THEIRS)
    assert (found.overall.win_rate, found.overall.n_prompts, found.assessor) == (0.5, 2, "judge:large")


def test_invalid_verdicts_are_shown_and_a_group_of_nothing_else_is_left_out(workspace: Workspace) -> None:
    judged(workspace, held(0, topic="hernia"), OURS)
    judged(workspace, held(1, topic="trauma"), None, verdict="invalid")
    found = counted(workspace, OURS, THEIRS)
    assert (found.overall.win_rate, found.overall.worst, found.overall.best) == (1.0, 0.5, 1.0)
    assert set(found.by_topic) == {"hernia"}


def test_a_contest_by_the_key_weighs_as_much_as_one_judged_in_both_orders(workspace: Workspace) -> None:
    judging = replace(workspace, config=parse_config('[judge]\nmodel = "large"\nbase_url = "http://localhost:1/v1"'))
    judged(judging, held(0), OURS, assessor="judge:large")
    judged(judging, held(0), OURS, assessor="judge:large", order="ba")
    judged(judging, held(0), THEIRS, assessor=KEY_ASSESSOR, text="another answer")
    found = counted(judging, OURS, THEIRS).overall
    assert (found.win_rate, found.n_comparisons) == (0.5, 2)


def test_the_newest_rubric_version_alone_counts(workspace: Workspace) -> None:
    judged(workspace, held(0), OURS, rubric="r@1")
    judged(workspace, held(0), OURS, rubric="r@1", order="ba")
    judged(workspace, held(0), THEIRS, rubric="r@2")
    assert counted(workspace, OURS, THEIRS).overall.win_rate == 0


def test_length_is_taken_off_where_there_are_prompts_enough(workspace: Workspace) -> None:
    """Ours wins where it is longer, and nowhere else."""
    for number in range(40):
        longer = number % 4 > 0
        judged(workspace, held(number), OURS if longer else THEIRS, longer="ours" if longer else "")
    found = counted(workspace, OURS, THEIRS)
    assert found.length_controlled is not None
    assert found.overall.win_rate == 0.75
    assert found.length_controlled.win_rate < 0.5
    assert found.length_controlled.length_effect_low > 0
    assert "length-controlled: " in found.text()
    few = replace(workspace, run="few")
    judged(few, held(50), OURS, models=(OTHER, THEIRS), verdict="tie")
    assert counted(few, OTHER, THEIRS).length_controlled is None


def test_the_round_before_is_compared_on_the_same_prompts(workspace: Workspace) -> None:
    sft, first, second = (ModelVersion(name=name, method="dpo", weights=name) for name in ("sft", "first", "second"))
    for number in range(6):
        judged(workspace, held(number), first if number < 2 else sft, models=(first, sft))
        judged(workspace, held(number + 1), second if number < 3 else sft, models=(second, sft))
    assert counted(workspace, second, sft).earlier is None
    for number, model in enumerate((first, second), 1):
        begun = Round(number, sft.id, "dpo")
        workspace.ledger.append([begun])
        workspace.ledger.append([Decision(begun.id, model.id, sft.id, True, "because", 0.6, 0.5, 0.7, 6)])
    earlier = counted(workspace, second, sft).earlier
    assert earlier is not None
    assert (earlier.model, earlier.name) == (first.id, "first")
    assert (earlier.paired.n_prompts, earlier.paired.later, earlier.paired.earlier) == (5, 0.6, 0.2)
    assert "ahead of first, the round before: +40.0 points" in counted(workspace, second, sft).text()
    assert counted(workspace, first, sft).earlier is None


def test_the_facts_hold_all_of_it(workspace: Workspace) -> None:
    for number in range(12):
        judged(workspace, held(number, topic="hernia"), OURS if number % 3 else THEIRS)
    facts = json.loads(canonical_json(evaluation_facts(counted(workspace, OURS, THEIRS), 1.0)))
    assert {"win_rate", "low", "high", "worst", "best", "worst_low", "best_high", "standard_error"} <= set(facts)
    assert {"low", "high", "worst_low"} <= set(facts["by_topic"]["hernia"])
    assert {"win_rate", "low", "high", "length_effect"} <= set(facts["length_controlled"])
    assert facts["earlier"] is None


def test_nothing_valid_is_an_error(workspace: Workspace) -> None:
    judged(workspace, held(0), None, verdict="invalid")
    with pytest.raises(StageError, match="no valid comparison of ours with theirs on held-out prompts"):
        counted(workspace, OURS, THEIRS)


def test_the_interval_is_as_configured(workspace: Workspace) -> None:
    for number in range(10):
        judged(workspace, held(number), OURS if number < 7 else THEIRS)
    narrow = replace(workspace, config=parse_config("[evaluate]\nconfidence = 0.5\nresamples = 2000"))
    wide, half = counted(workspace, OURS, THEIRS).overall, counted(narrow, OURS, THEIRS).overall
    assert (wide.confidence, half.confidence) == (0.95, 0.5)
    assert wide.low < half.low < 0.7 < half.high < wide.high


def test_no_held_out_prompts_is_an_error(workspace: Workspace, tiny_policy: Path) -> None:
    own = replace(workspace, config=parse_config(f'[model]\npath = "{tiny_policy}"'))
    workspace.ledger.append([question(0)])
    sft = sft_model(own)
    with pytest.raises(StageError, match="there are no eval prompts"):
        evaluate(own, OTHER, sft)


def test_evaluating_samples_compares_and_counts_and_does_nothing_twice(workspace: Workspace, tiny_policy: Path) -> None:
    config = parse_config(
        f'[model]\npath = "{tiny_policy}"\n[sample]\nn = 2\nmax_new_tokens = 8\n[probes]\nsets = ["format"]'
    )
    own = replace(workspace, config=config)
    sft = sft_model(own)
    twin = replace(sft, name="twin")
    own.ledger.append([twin, *(held(number) for number in range(4)), question(9)])
    first = evaluate(own, twin, sft)
    assert first.overall.n_prompts == 4
    assert first.overall.n_comparisons == 8
    assert {each.model for each in own.ledger.read(Candidate)} == {sft.id, twin.id}
    again = evaluate(replace(own, run="another"), twin, sft)
    assert again == first
    samplings = [done.detail["split"] for done in latest(own.ledger, 100, "sample") if done.event == "started"]
    assert samplings == ["eval", "eval", "probe", "probe"]
