"""Sampling draws what is missing, once, and the same whenever and however often it is interrupted."""

from __future__ import annotations

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ledger.cli import SOME_LEFT
from ledger.config import CONFIG_NAME, ChatConfig, Config, SampleConfig, parse_config
from ledger.errors import ConfigError, StageError
from ledger.queries import latest
from ledger.records import Candidate, Message, ModelVersion, Prompt, Record
from ledger.store import Ledger
from ledger.workspace import Workspace, open_workspace
from sampling import cli
from sampling.engines.protocol import Answer, Request, Sample
from sampling.policies import sft_model
from sampling.sample import (
    SampleReport,
    drawn_so_far,
    sample,
    sample_for,
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
    assert (report.model, report.split, report.engine) == ("sft", "train", "transformers")
    assert (report.prompts, report.known, report.candidates, report.unanimous) == (5, 0, 10, 0)
    assert report.truncated == sum(each.finish_reason == "length" for each in found) > 0
    for each in found:
        assert each.model == model.id
        numbers = {"temperature": 0.9, "top_p": 1.0, "max_new_tokens": 6, "seed": 0}
        loaded = {"engine": "transformers", "dtype": "auto", "quantization": "none"}
        assert each.parameters == {**loaded, **numbers, "chat": each.parameters["chat"]}
        assert each.seed in seeds_for(each.prompt, model.id, opened.config.sample, 0.9, 0)
        assert each.passages is None
        assert each.logprob is not None
        assert math.log(1e-4) < each.logprob < 0
        assert 0 <= each.tokens <= 6


def test_a_second_run_does_nothing(opened: Workspace) -> None:
    drawn(opened)
    before = candidates(opened)
    entries = len(latest(opened.ledger, 100))
    assert drawn(opened) == SampleReport("sft", "train", "transformers", 5, known=5, drawn=10)
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
        assert sorted(seeds) == list(
            seeds_for(prompt, model.id, configured(opened, tiny_policy, n=4).config.sample, 0.9, 0)
        )


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
    assert (again.known, again.candidates, again.unanimous) == (5, 0, 5)


def test_a_limit_takes_the_first_prompts(opened: Workspace) -> None:
    model = sft_model(opened)
    report = sample(opened, model, "train", 2)
    assert (report.prompts, report.known) == (2, 0)
    assert set(texts(candidates(opened))) == {prompt.id for prompt in asked()[:2]}
    some = texts(candidates(opened))
    whole = drawn(opened)
    assert (whole.prompts, whole.known) == (5, 2)
    assert {prompt: texts(candidates(opened))[prompt] for prompt in some} == some


def test_only_those_that_are_named_are_drawn(opened: Workspace) -> None:
    model, train = sft_model(opened), asked()[:5]
    chosen = {train[1].id, train[3].id}
    report = sample(opened, model, "train", only=chosen)
    assert (report.prompts, report.known, report.candidates) == (2, 0, 4)
    some = texts(candidates(opened))
    assert set(some) == chosen
    again = sample(opened, model, "train", only=frozenset(chosen))
    assert (again.prompts, again.known, again.drawn, again.candidates) == (2, 2, 4, 0)
    more = sample(opened, model, "train", only=[train[1].id, train[2].id])
    assert (more.prompts, more.known, more.drawn, more.candidates) == (2, 1, 2, 2)
    whole = drawn(opened)
    assert (whole.prompts, whole.known, whole.drawn) == (5, 3, 6)
    assert {prompt: texts(candidates(opened))[prompt] for prompt in some} == some


def test_drawn_alone_or_among_others_an_answer_has_the_same_seeds(
    opened: Workspace, tiny_policy: Path, tmp_path: Path
) -> None:
    from ledger.store import open_ledger

    named = asked()[3].id
    sample(opened, sft_model(opened), "train", only={named})
    with open_ledger(f"sqlite:///{tmp_path}/among_others.db") as ledger:
        ledger.append(asked())
        drawn(replace(opened, ledger=ledger))
        among_others = [each.seed for each in ledger.read(Candidate) if each.prompt == named]
    assert [each.seed for each in candidates(opened)] == among_others


@pytest.mark.parametrize("only", [[], ["0" * 32], [asked()[-1].id]])
def test_none_of_the_split_is_one_line(only: list[str], opened: Workspace) -> None:
    with pytest.raises(StageError, match="there are no train prompts"):
        sample(opened, sft_model(opened), "train", only=only)
    assert candidates(opened) == []


def test_a_stage_that_goes_on_is_told_of_what_fails(opened: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    failing = too_long(opened)
    sample_for(opened, sft_model(opened), "train", only={failing.id, asked()[0].id})
    assert set(texts(candidates(opened))) == {asked()[0].id}
    assert "1 prompts failed (too long: 1)" in capsys.readouterr().err


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


def test_seeds_depend_on_prompt_model_temperature_and_setting_and_on_nothing_else() -> None:
    config = SampleConfig(n=4)
    first = seeds_for("p", "m", config, 0.9, 0)
    assert first == tuple(range(first[0], first[0] + 4))  # sample i of n is the single sample of seed s + i
    assert seeds_for("p", "m", config, 0.9, 0) == first
    assert seeds_for("p", "m", config, 0.9, 3) == first[3:]
    assert seeds_for("p", "m", SampleConfig(n=6), 0.9, 0)[:4] == first
    assert seeds_for("p", "m", SampleConfig(n=4, batch_size=1), 0.9, 0) == first
    assert seeds_for("p", "m", config, 0.9, 4) == seeds_for("p", "m", config, 0.9, 9) == ()
    others = [
        *(seeds_for(prompt, model, config, 0.9, 0) for prompt in "pqr" for model in "mno"),
        seeds_for("p", "m", SampleConfig(n=4, seed=1), 0.9, 0),
        seeds_for("p", "m", SampleConfig(n=4, temperature=0.8), 0.8, 0),
    ]
    assert len({seed for seeds in others for seed in seeds}) == 4 * 11
    assert all(0 <= seed < 2**32 for seeds in others for seed in seeds)


def test_a_ladder_shares_the_answers_out() -> None:
    config = SampleConfig(n=5, temperature=(0.5, 0.9, 1.3))
    rungs = [seeds_for("p", "m", config, rung, 0) for rung in config.temperatures]
    assert [len(seeds) for seeds in rungs] == [2, 2, 1]
    assert len({seed for seeds in rungs for seed in seeds}) == 5
    assert seeds_for("p", "m", SampleConfig(n=8, temperature=(0.5, 0.9, 1.3)), 0.9, 0)[:2] == rungs[1]
    assert seeds_for("p", "m", config, 0.5, 1) == rungs[0][1:]


def test_every_rung_is_drawn_and_recorded(opened: Workspace, tiny_policy: Path) -> None:
    ladder = configured(opened, tiny_policy, n=3, temperature=[0.01, 4.0])
    report = drawn(ladder)
    found = candidates(opened)
    counts: dict[tuple[str, float], int] = defaultdict(int)
    for each in found:
        counts[each.prompt, each.parameters["temperature"]] += each.count
    assert {temperature: set() for _, temperature in counts} == {0.01: set(), 4.0: set()}
    assert sorted(counts.values()) == [1] * 5 + [2] * 5
    assert report.known == 0
    again = drawn(ladder)
    assert (again.known, again.candidates) == (5, 0)
    whole = drawn(configured(opened, tiny_policy, n=4, temperature=[0.01, 4.0]))
    assert (whole.known, whole.drawn, sum(each.count for each in candidates(opened))) == (0, 15, 20)


def test_a_changed_ladder_draws_the_rungs_that_are_missing(opened: Workspace, tiny_policy: Path) -> None:
    drawn(configured(opened, tiny_policy, n=2, temperature=0.9))
    report = drawn(configured(opened, tiny_policy, n=2, temperature=[0.5, 0.9]))
    assert (report.known, report.drawn) == (0, 5)
    counts: dict[float, int] = defaultdict(int)
    for each in candidates(opened):
        counts[each.parameters["temperature"]] += each.count
    assert counts == {0.9: 10, 0.5: 5}
    assert drawn(configured(opened, tiny_policy, n=2, temperature=[0.5, 0.9])).known == 5


def test_a_conversation_that_the_template_refuses_fails_alone(opened: Workspace, tiny_policy: Path) -> None:
    own = opened.root / "own"
    shutil.copytree(tiny_policy, own)
    template = own / "chat_template.jinja"
    refuses = "{% if 'REFUSED' in messages[-1]['content'] %}{{ raise_exception('not so') }}{% endif %}"
    template.write_text(refuses + template.read_text())
    opened.ledger.append([Prompt((Message("user", "REFUSED?"),))])
    report = drawn(configured(opened, own))
    assert report.candidates == 10
    assert report.failed == {"the chat template refuses a conversation": 1}


def an_answer(*samples: Sample, passages: int | None = None) -> Answer:
    prompt = Prompt((Message("user", "Why?"),), context=("Because.", "So."))
    seeds = tuple(sample.seed for sample in samples)
    return Answer(Request(prompt, ChatConfig(), 0.9, seeds, passages), samples)


def test_distinct_answers_become_candidates() -> None:
    answer = an_answer(
        Sample("Yes", 1, "stop", 2, -0.5),
        Sample("No\x00", 2, "length", 3, None),
        Sample("Yes", 3, "stop", 2, -0.5),
        Sample("Yes", 4, "stop", 2, -0.5, reasoning="because"),
        Sample("No\ufffd", 5, "length", 3, -0.9),
    )
    config, prompt = Config(), answer.request.prompt.id
    yes, no, thought = to_candidates(answer, "m", config)
    parameters = sampling_parameters(config, 0.9)
    assert yes == Candidate(prompt, "m", "Yes", "", 1, parameters, "stop", 2, tokens=2, logprob=-0.5)
    assert (no.text, no.seed, no.count, no.finish_reason, no.logprob) == ("No\ufffd", 2, 2, "length", None)
    assert (thought.text, thought.reasoning, thought.count) == ("Yes", "because", 1)
    assert to_candidates(an_answer(), "m", config) == []


def test_how_many_passages_were_shown_is_recorded() -> None:
    (whole,) = to_candidates(an_answer(Sample("Yes", 1, "stop", 2, None)), "m", Config())
    (cut,) = to_candidates(an_answer(Sample("Yes", 1, "stop", 2, None), passages=1), "m", Config())
    assert (whole.passages, cut.passages) == (None, 1)
    assert whole.id != cut.id


@pytest.mark.parametrize(
    "text", ['[chat]\nclinical = "Be brief."', '[model]\ndtype = "bfloat16"', "[sample]\ntop_p = 0.9"]
)
def test_answers_to_another_system_prompt_are_other_answers(text: str) -> None:
    assert sampling_parameters(parse_config(text), 0.9) != sampling_parameters(parse_config(""), 0.9)


def test_what_changes_answers_is_recorded_and_what_does_not_is_not() -> None:
    def parameters(text: str) -> dict[str, object]:
        return sampling_parameters(parse_config(text), 0.9)

    plain = parameters('[sample]\nengine = "vllm"')
    assert parameters('[sample]\nengine = "vllm"\n[sample.vllm]\ngpu_memory_utilization = 0.5') == plain
    assert parameters('[sample]\nengine = "vllm"\n[sample.vllm]\nquantization = "fp8"') != plain
    assert parameters('[sample.vllm]\nquantization = "fp8"') == parameters("")
    served = parameters('[sample]\nengine = "openai"\n[server]\nmodel = "sft"\nbase_url = "http://localhost/v1"')
    assert served["served"] == "sft"


def test_counts_are_by_model_and_parameters(ledger: Ledger) -> None:
    prompt, config = asked()[0], Config()
    same = sampling_parameters(config, 0.9)
    ledger.append(
        [
            prompt,
            Candidate(prompt.id, "m", "a", parameters=same, count=3),
            Candidate(prompt.id, "m", "b", parameters=same),
            Candidate(prompt.id, "m", "c", parameters={**same, "top_p": 0.5}),
            Candidate(prompt.id, "other", "d", parameters=same),
        ]
    )
    assert drawn_so_far(ledger, "m", config) == {(prompt.id, 0.9): 4}
    assert drawn_so_far(ledger, "nobody", config) == {}


def too_long(workspace: Workspace) -> Prompt:
    """A prompt that the tiny policy's window does not hold, entered into the ledger."""
    prompt = Prompt((Message("user", "hernia " * 3_000),))
    workspace.ledger.append([prompt])
    return prompt


def test_a_prompt_that_fails_is_listed_and_the_rest_goes_on(opened: Workspace) -> None:
    failing = too_long(opened)
    report = drawn(opened)
    assert report.candidates == 10
    assert report.failed == {"too long": 1}
    (line,) = (opened.root / report.failures).read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["prompt"] == failing.id
    assert json.loads(line)["cause"].startswith("too long: ")
    assert "1 prompts failed (too long: 1), as failed/sample-train-sft.jsonl lists" in report.text()
    assert "`wardround sample --split train --model sft` tries them again" in report.text()
    assert latest(opened.ledger, 1)[0].detail["failed"] == {"too long": 1}
    again = drawn(opened)
    assert (again.known, again.candidates, again.failed) == (5, 0, {"too long": 1})


def test_the_list_of_failures_goes_with_the_last_one(opened: Workspace, tiny_policy: Path) -> None:
    too_long(opened)
    place = opened.root / drawn(opened).failures
    assert place.exists()
    report = sample(opened, sft_model(opened), "train", 5)
    assert report.known == 5
    assert place.exists()  # nothing was tried, so nothing is known to be mended
    sample(configured(opened, tiny_policy, n=3), sft_model(opened), "train", 5)
    assert not place.exists()


def test_a_prompt_that_fails_on_every_rung_is_listed_once(opened: Workspace, tiny_policy: Path) -> None:
    too_long(opened)
    report = drawn(configured(opened, tiny_policy, temperature=[0.5, 0.9]))
    assert report.failed == {"too long": 1}
    assert len((opened.root / report.failures).read_text(encoding="utf-8").splitlines()) == 1


def test_a_run_that_never_began_leaves_the_list_of_failures(opened: Workspace, tiny_policy: Path) -> None:
    too_long(opened)
    place = opened.root / drawn(opened).failures
    with pytest.raises(ConfigError, match="the vllm engine cannot run"):
        drawn(configured(opened, tiny_policy, engine='"vllm"'))
    assert place.exists()


def test_cut_passages_are_counted_and_recorded(opened: Workspace, tiny_policy: Path) -> None:
    prompt = Prompt((Message("user", "What is a hernia?"),), context=("It bulges.", "hernia " * 3_000))
    opened.ledger.append([prompt])
    report = drawn(configured(opened, tiny_policy, overlong='"cut_context"'))
    assert report.shortened == 1
    assert "1 prompts were too long: passages were cut from their end" in report.text()
    assert {each.passages for each in candidates(opened) if each.prompt == prompt.id} == {1}
    assert {each.passages for each in candidates(opened) if each.prompt != prompt.id} == {None}
    assert drawn(configured(opened, tiny_policy, overlong='"cut_context"')).known == 6


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


def test_the_command_ends_with_3_where_prompts_failed(tmp_path: Path, url: str, tiny_policy: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text(
        f'[ledger]\nurl = {json.dumps(url)}\n[model]\npath = "{tiny_policy}"\n[sample]\nn = 1\nmax_new_tokens = 3'
    )
    with open_workspace(tmp_path) as opened:
        opened.ledger.append(asked(2))
        too_long(opened)
    app = typer.Typer()
    app.command()(cli.sample)
    result = CliRunner().invoke(app, ["-w", str(tmp_path)])
    assert result.exit_code == SOME_LEFT == 3
    assert "2 new answers" in result.stdout
    assert "tries them again" in result.stdout


def test_several_models_answer_in_turn(tmp_path: Path, url: str, tiny_policy: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text(
        f'[ledger]\nurl = {json.dumps(url)}\n[model]\npath = "{tiny_policy}"\n[sample]\nn = 1\nmax_new_tokens = 3'
    )
    with open_workspace(tmp_path) as opened:
        opened.ledger.append(asked(2))
        sft = sft_model(opened)
        twin = ModelVersion("twin", "sft", sft.weights, config={"which": 2}, path=str(tiny_policy))
        opened.ledger.append([twin])
    app = typer.Typer()
    app.command()(cli.sample)
    result = CliRunner().invoke(app, ["-w", str(tmp_path), "--model", "sft", "--model", "twin"])
    assert result.exit_code == 0, result.output
    with open_workspace(tmp_path) as opened:
        assert {each.model for each in opened.ledger.read(Candidate)} == {sft.id, twin.id}
