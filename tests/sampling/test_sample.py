"""Sampling draws what is missing, once, and the same whenever and however often it is interrupted."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ledger.config import CONFIG_NAME, Config, SampleConfig, parse_config
from ledger.errors import StageError
from ledger.queries import latest
from ledger.records import Candidate, Message, ModelVersion, Prompt, Record
from ledger.store import Ledger
from ledger.workspace import Workspace, open_workspace
from sampling import cli
from sampling.engines.protocol import Request, Sample
from sampling.policies import sft_model
from sampling.sample import (
    SampleReport,
    batches,
    drawn_so_far,
    sample,
    sampling_parameters,
    seeds_for,
    to_candidates,
)

WORDS = ["What", "is", "a", "hernia", "and", "which", "wall", "contains", "it"]


def asked(number: int = 5) -> list[Prompt]:
    """Questions of different lengths, to train on, and one held out."""
    train = [Prompt((Message("user", " ".join(WORDS[: 2 + each]) + "?"),)) for each in range(number)]
    return [*train, Prompt((Message("user", "Why?"),), split="eval")]


def configured(workspace: Workspace, policy: Path, **changed: object) -> Workspace:
    settings = {"n": 2, "max_new_tokens": 6, "batch_size": 2, **changed}
    lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
    return replace(workspace, config=parse_config(f'[model]\npath = "{policy}"\n[sample]\n{lines}'))


@pytest.fixture
def opened(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """Five train prompts, one eval prompt, two samples each, two prompts a batch."""
    workspace.ledger.append(asked())
    return configured(workspace, tiny_policy)


def drawn(workspace: Workspace, split: str = "train") -> SampleReport:
    return sample(workspace, sft_model(workspace), split)  # type: ignore[arg-type]


def candidates(workspace: Workspace) -> list[Candidate]:
    return list(workspace.ledger.read(Candidate))


def texts(found: Iterable[Candidate]) -> dict[str, list[str]]:
    """The texts drawn for each prompt, as often as they were."""
    by_prompt = defaultdict(list)
    for each in found:
        by_prompt[each.prompt].extend([each.text] * each.count)
    return {prompt: sorted(said) for prompt, said in by_prompt.items()}


def test_every_prompt_of_the_split_gets_n_answers(opened: Workspace) -> None:
    report = drawn(opened)
    model = sft_model(opened)
    found = candidates(opened)
    train = [prompt for prompt in asked() if prompt.split == "train"]
    assert {prompt: len(said) for prompt, said in texts(found).items()} == {prompt.id: 2 for prompt in train}
    assert report == SampleReport("sft", "train", 5, 0, 10, report.truncated, 0)
    assert report.truncated == sum(each.finish_reason == "length" for each in found) > 0
    for each in found:
        assert each.model == model.id
        numbers = {"temperature": 0.9, "top_p": 1.0, "max_new_tokens": 6, "seed": 0}
        loaded = {"engine": "transformers", "dtype": "auto", "quantization": "none"}
        assert each.parameters == {**loaded, **numbers, "chat": each.parameters["chat"]}
        assert each.seed in seeds_for(each.prompt, model.id, opened.config.sample, 0)
        assert each.logprob is not None
        assert math.log(1e-4) < each.logprob < 0
        assert 0 <= each.tokens <= 6


def test_a_second_run_does_nothing(opened: Workspace) -> None:
    drawn(opened)
    before = candidates(opened)
    entries = len(latest(opened.ledger, 100))
    assert drawn(opened) == SampleReport("sft", "train", 5, 5, 0, 0, 0)
    assert candidates(opened) == before
    assert len(latest(opened.ledger, 100)) == entries


def test_a_larger_n_draws_only_what_is_missing(opened: Workspace, tiny_policy: Path) -> None:
    drawn(opened)
    before = candidates(opened)
    report = drawn(configured(opened, tiny_policy, n=4))
    after = candidates(opened)
    assert after[: len(before)] == before
    assert (report.known, report.candidates) == (0, 10)
    model = sft_model(opened)
    for prompt in texts(after):
        seeds = [each.seed for each in after if each.prompt == prompt]
        assert sorted(seeds) == list(seeds_for(prompt, model.id, configured(opened, tiny_policy, n=4).config.sample, 0))


def test_raised_or_drawn_at_once_the_answers_are_the_same(
    workspace: Workspace, tiny_policy: Path, tmp_path: Path
) -> None:
    from ledger.store import open_ledger

    results = []
    for steps in ((4,), (1, 3, 4)):
        with open_ledger(f"sqlite:///{tmp_path}/{len(steps)}.db") as ledger:
            ledger.append(asked(3))
            for n in steps:
                drawn(replace(configured(workspace, tiny_policy, n=n), ledger=ledger))
            results.append(texts(ledger.read(Candidate)))
    assert results[0] == results[1]
    assert all(len(said) == 4 for said in results[0].values())


def test_other_parameters_are_other_answers(opened: Workspace, tiny_policy: Path) -> None:
    drawn(opened)
    for changed in ({"temperature": 1.1}, {"seed": 1}, {"top_p": 0.9}, {"max_new_tokens": 7}):
        before = opened.ledger.count(Candidate)
        again = configured(opened, tiny_policy, **changed)
        assert drawn(again).known == 0
        assert opened.ledger.count(Candidate) > before
        assert drawn(again).known == 5
    assert drawn(configured(opened, tiny_policy, batch_size=5)).known == 5


def test_repeated_answers_are_recorded_once(opened: Workspace, tiny_policy: Path) -> None:
    report = drawn(configured(opened, tiny_policy, n=3, top_p=1e-9))
    found = candidates(opened)
    assert [each.count for each in found] == [3] * 5
    assert (report.candidates, report.unanimous) == (5, 5)
    assert "5 prompts got the same answer every time" in report.text()
    again = drawn(configured(opened, tiny_policy, n=3, top_p=1e-9))
    assert (again.known, again.candidates) == (5, 0)


def test_a_limit_takes_the_first_prompts(opened: Workspace) -> None:
    model = sft_model(opened)
    report = sample(opened, model, "train", 2)
    assert (report.prompts, report.known) == (2, 0)
    assert set(texts(candidates(opened))) == {prompt.id for prompt in asked()[:2]}
    some = texts(candidates(opened))
    whole = drawn(opened)
    assert (whole.prompts, whole.known) == (5, 2)
    assert {prompt: texts(candidates(opened))[prompt] for prompt in some} == some


def test_splits_are_apart(opened: Workspace) -> None:
    drawn(opened, "eval")
    assert set(texts(candidates(opened))) == {asked()[-1].id}


def test_no_prompts_are_one_line(workspace: Workspace, opened: Workspace) -> None:
    with pytest.raises(StageError, match="there are no probe prompts -> `wardround import FILE`"):
        drawn(opened, "probe")
    assert not [done for done in latest(workspace.ledger, 100) if done.stage == "sample"]


class Interrupted(Ledger):
    """A ledger whose user gives up before the given number of batches of candidates is written."""

    def __init__(self, ledger: Ledger, batches: int) -> None:
        super().__init__(ledger.engine)
        self.left = batches

    def append(self, records: Iterable[Record]) -> int:
        new = list(records)
        if any(isinstance(record, Candidate) for record in new):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
        return super().append(new)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_interrupted_between_batches_nothing_is_lost_or_doubled(
    written: int, opened: Workspace, tmp_path: Path
) -> None:
    from ledger.store import open_ledger

    with open_ledger(f"sqlite:///{tmp_path}/undisturbed.db") as ledger:
        ledger.append(asked())
        drawn(replace(opened, ledger=ledger))
        undisturbed = list(ledger.read(Candidate))

    with pytest.raises(KeyboardInterrupt):
        drawn(replace(opened, ledger=Interrupted(opened.ledger, written)))
    assert len(texts(candidates(opened))) == 2 * written
    assert [done.event for done in latest(opened.ledger, 2)] == ["started", "interrupted"]
    report = drawn(replace(opened, run="the second"))
    assert report.known == 2 * written
    assert candidates(opened) == undisturbed
    assert len({each.id for each in undisturbed}) == len(undisturbed)
    assert [done.event for done in latest(opened.ledger, 2)] == ["started", "finished"]


def test_the_log_says_what_was_drawn(opened: Workspace) -> None:
    report = drawn(opened)
    started, finished = latest(opened.ledger, 2)
    chat = opened.config.chat.model_dump()
    assert (started.stage, started.detail) == (
        "sample",
        {"model": sft_model(opened).id, "split": "train", "chat": chat},
    )
    assert finished.detail["candidates"] == report.candidates == 10
    assert (finished.detail["prompts"], finished.detail["known"]) == (5, 0)


def test_seeds_depend_on_prompt_model_and_setting_and_on_nothing_else() -> None:
    config = SampleConfig(n=4)
    first = seeds_for("p", "m", config, 0)
    assert len(first) == 4
    assert seeds_for("p", "m", config, 0) == first
    assert seeds_for("p", "m", config, 3) == first[3:]
    assert seeds_for("p", "m", SampleConfig(n=6), 0)[:4] == first
    assert seeds_for("p", "m", SampleConfig(n=4, batch_size=1), 0) == first
    assert seeds_for("p", "m", config, 4) == seeds_for("p", "m", config, 9) == ()
    others = [
        *(seeds_for(prompt, model, config, 0) for prompt in "pqr" for model in "mno"),
        seeds_for("p", "m", SampleConfig(n=4, seed=1), 0),
    ]
    assert len({seed for seeds in others for seed in seeds}) == 4 * 10
    assert all(0 <= seed < 2**32 for seeds in others for seed in seeds)


def test_distinct_answers_become_candidates() -> None:
    request = Request("p", (), (1, 2, 3, 4, 5))
    samples = [
        Sample("Yes", 1, "stop", 2, -0.5),
        Sample("No\x00", 2, "length", 3, None),
        Sample("Yes", 3, "stop", 2, -0.5),
        Sample("Yes", 4, "stop", 2, -0.5, reasoning="because"),
        Sample("No\ufffd", 5, "length", 3, -0.9),
    ]
    config = Config()
    yes, no, thought = to_candidates(request, samples, "m", config)
    assert yes == Candidate("p", "m", "Yes", "", 1, sampling_parameters(config), "stop", 2, 2, -0.5)
    assert (no.text, no.seed, no.count, no.finish_reason, no.logprob) == ("No\ufffd", 2, 2, "length", None)
    assert (thought.text, thought.reasoning, thought.count) == ("Yes", "because", 1)
    assert to_candidates(request, [], "m", config) == []


@pytest.mark.parametrize(
    "text", ['[chat]\nclinical = "Be brief."', '[model]\ndtype = "bfloat16"', "[sample]\ntop_p = 0.9"]
)
def test_answers_to_another_system_prompt_are_other_answers(text: str) -> None:
    assert sampling_parameters(parse_config(text)) != sampling_parameters(parse_config(""))


class Measured:
    """An engine that only measures: a prompt is as long as its id says."""

    name = "measured"

    def length(self, request: Request) -> int:
        return int(request.prompt.split("-")[0])

    def sample(self, requests: Any) -> Any:
        raise NotImplementedError


def test_batches_hold_every_prompt_and_begin_with_the_longest() -> None:
    requests = [
        Request(f"{length}-{name}", (), ()) for length, name in [(1, "a"), (9, "b"), (5, "d"), (5, "c"), (2, "e")]
    ]
    found = [[request.prompt for request in batch] for batch in batches(requests, Measured(), 2)]
    assert found == [["9-b", "5-c"], ["5-d", "2-e"], ["1-a"]]
    assert [[request.prompt for request in batch] for batch in batches(requests[::-1], Measured(), 2)] == found


def test_counts_are_by_model_and_parameters(ledger: Ledger) -> None:
    prompt, config = asked()[0], Config()
    same = sampling_parameters(config)
    ledger.append(
        [
            prompt,
            Candidate(prompt.id, "m", "a", parameters=same, count=3),
            Candidate(prompt.id, "m", "b", parameters=same),
            Candidate(prompt.id, "m", "c", parameters={**same, "top_p": 0.5}),
            Candidate(prompt.id, "other", "d", parameters=same),
        ]
    )
    assert drawn_so_far(ledger, "m", config) == {prompt.id: 4}
    assert drawn_so_far(ledger, "nobody", config) == {}


def test_the_command(tmp_path: Path, url: str, tiny_policy: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text(
        f'[ledger]\nurl = {json.dumps(url)}\n[model]\npath = "{tiny_policy}"\n[sample]\nn = 1\nmax_new_tokens = 3'
    )
    with open_workspace(tmp_path) as opened:
        opened.ledger.append(asked(2))
    app = typer.Typer()
    app.command()(cli.sample)
    result = CliRunner().invoke(app, ["-w", str(tmp_path), "--limit", "1", "--json"])
    facts = json.loads(result.stdout.splitlines()[-1])
    assert (facts["model"], facts["split"], facts["prompts"], facts["candidates"]) == ("sft", "train", 1, 1)
    told = CliRunner().invoke(app, ["-w", str(tmp_path), "--model", "sft"])
    assert "sft: 1 new answers to 2 train prompts (1 had theirs)" in told.stdout
    with open_workspace(tmp_path) as opened:
        assert [model.name for model in opened.ledger.read(ModelVersion)] == ["sft"]
