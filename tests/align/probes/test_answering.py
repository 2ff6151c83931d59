"""Probes are answered once, by parameters of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from align.probes.answering import answer_probes, probe_answers, probing
from align.probes.plan import probe_plan
from ledger.config import parse_config
from ledger.queries import latest
from ledger.records import Candidate
from ledger.workspace import Workspace
from sampling.policies import sft_model
from tests.align.probes.probed import says, with_probes

pytestmark = pytest.mark.usefixtures("one_thread")


def test_each_probe_is_answered_once_by_the_parameters_of_probes(workspace: Workspace, tiny_policy: Path) -> None:
    own = with_probes(workspace, tiny_policy)
    model, plan = sft_model(own), probe_plan(own)
    answer_probes(own, model, plan.answered)
    drawn = list(own.ledger.read(Candidate))
    assert sorted(each.prompt for each in drawn) == sorted(plan.answered)
    assert {each.count for each in drawn} == {1}
    assert {each.parameters["temperature"] for each in drawn} == {0.05}
    assert {each.parameters["max_new_tokens"] for each in drawn} == {8}
    assert max(each.tokens for each in drawn) == 8
    assert probe_answers(own, model, plan.answered) == {each.prompt: each for each in drawn}


def test_what_is_answered_is_not_asked_again(workspace: Workspace, tiny_policy: Path) -> None:
    own = with_probes(workspace, tiny_policy)
    model, probes = sft_model(own), probe_plan(own).probes
    first, second = (each.prompt.id for each in probes[:2])
    own.ledger.append([says(own, model, probes[0].prompt, "42")])
    answer_probes(own, model, [first, second])
    assert [each.prompt for each in own.ledger.read(Candidate)] == [first, second]
    answer_probes(own, model, [first, second])
    answer_probes(own, model, [])
    assert [done.event for done in latest(own.ledger, 10, "sample")] == ["started", "finished"]
    assert own.ledger.count(Candidate) == 2


def test_answers_by_other_parameters_or_of_other_models_are_none(workspace: Workspace, tiny_policy: Path) -> None:
    own = with_probes(workspace, tiny_policy)
    model, prompt = sft_model(own), probe_plan(own).probes[0].prompt
    mine = says(own, model, prompt, "by [probes]")
    warm = replace(mine, text="by [sample]", parameters={**mine.parameters, "temperature": 0.9})
    own.ledger.append([warm, mine, replace(mine, text="another's", model="0" * 32)])
    assert probe_answers(own, model, [prompt.id]) == {prompt.id: mine}
    longer = replace(own, config=parse_config('[sample]\nengine = "transformers"\n[probes]\nmax_new_tokens = 9'))
    assert probe_answers(longer, model, [prompt.id]) == {}


def test_many_answers_are_read_in_parts(
    workspace: Workspace, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("align.probes.answering.ASKED_AT_ONCE", 3)
    own = with_probes(workspace, tiny_policy)
    model, probes = sft_model(own), probe_plan(own).probes
    own.ledger.append(says(own, model, each.prompt, "so") for each in probes)
    assert len(probe_answers(own, model, [each.prompt.id for each in probes])) == len(probes) > 6


def test_one_answer_whatever_is_drawn_for_training(workspace: Workspace) -> None:
    ladder = "[sample]\nn = 4\ntemperature = [0.5, 0.9]\nmax_new_tokens = 300\nbatch_size = 16\ntop_p = 0.9"
    found = probing(replace(workspace, config=parse_config(ladder))).config.sample
    assert (found.n, found.temperatures, found.max_new_tokens, found.batch_size) == (1, (0.05,), 300, 64)
    assert found.top_p == 0.9
    short = parse_config(f"{ladder}\n[probes]\ntemperature = 0.2\nmax_new_tokens = 20")
    told = probing(replace(workspace, config=short)).config.sample
    assert (told.temperatures, told.max_new_tokens) == ((0.2,), 20)
