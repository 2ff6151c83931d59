"""Models are probed together: each once, whatever interrupts, and apart from the win rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from align.evaluate import evaluate
from align.probes.areas import LIKELIEST
from align.probes.plan import probe_plan
from align.probes.stage import probe
from ledger.config import Config, parse_config
from ledger.queries import latest
from ledger.records import Candidate, Comparison, Likelihood, ModelVersion, Prompt, Rating, Record
from ledger.store import Ledger, open_ledger
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace
from sampling.policies import sft_model
from tests.align.probes.probed import held_out, held_out_choice, ids, with_probes
from tests.openai_server import choices, serving

pytestmark = pytest.mark.usefixtures("one_thread")

FIXED = held_out_choice(9, "back", "front", "A and B")


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """A workspace with probes, held-out questions of several kinds, and an exam question imported as a probe."""
    imported = replace(held_out_choice(5), split="probe")
    workspace.ledger.append([*map(held_out, range(3)), held_out_choice(0), FIXED, imported])
    return with_probes(workspace, tiny_policy)


def two(workspace: Workspace) -> tuple[ModelVersion, ModelVersion]:
    """The SFT model, and the same weights by another name."""
    sft = sft_model(workspace)
    twin = replace(sft, name="twin")
    workspace.ledger.append([twin])
    return sft, twin


def started(workspace: Workspace) -> int:
    return sum(done.event == "started" for done in latest(workspace.ledger, 1_000))


def test_every_model_answers_each_probe_once(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    models = two(ready)
    probed = probe(ready, models)
    assert list(probed.measures) == [each.id for each in models]
    assert probed.rated_by == ("metric:safety",)
    for model in models:
        drawn = list(ready.ledger.read(Candidate, candidates.c.model == model.id))
        assert sorted(each.prompt for each in drawn) == sorted(probed.plan.answered)
        assert {each.parameters["temperature"] for each in drawn} == {0.05}
        assert probed.measures[model.id].answers == {each.prompt: each.id for each in drawn}
        assert {"exam accuracy", LIKELIEST, "harm", "arithmetic"} <= probed.measures[model.id].axes.keys()
    assert probed.plan.fixed == 1
    assert "1 multiple-choice questions have options that cannot change places" in capsys.readouterr().err


def test_held_out_questions_are_not_asked_as_they_are_written(ready: Workspace) -> None:
    probed = probe(ready, two(ready))
    held = {prompt.id for prompt in ready.ledger.read(Prompt, prompts.c.split == "eval")}
    assert len(held) == 5
    assert not held & {each.prompt for each in ready.ledger.read(Candidate)}
    assert held_out_choice(0).id in probed.plan.questions
    assert [len(each.values) for each in (next(iter(probed.measures.values())).axes["exam accuracy"],)] == [4]


def test_the_win_rate_knows_nothing_of_probes(ready: Workspace) -> None:
    sft, twin = two(ready)
    before = evaluate(ready, twin, sft, probes=False)
    contests = {each.id for each in ready.ledger.read(Comparison)}
    after = evaluate(ready, twin, sft)
    assert after.probes is not None
    assert replace(after, probes=None) == before
    new = [each for each in ready.ledger.read(Comparison) if each.id not in contests]
    safety = {each.prompt.id for each in probe_plan(ready).probes if each.probe.check == "safety"}
    assert {each.prompt for each in new} == safety
    again = evaluate(ready, twin, sft)
    assert again == after


def test_answers_on_safety_become_contests_for_surgeons(ready: Workspace) -> None:
    sft, twin = two(ready)
    probed = probe(ready, (sft, twin))
    asked = [each.prompt.id for each in probed.plan.probes if each.probe.check == "safety"]
    met = list(ready.ledger.read(Comparison))
    assert sorted(each.prompt for each in met) == sorted(asked)
    for each in met:
        answers = {probed.measures[model.id].answers[each.prompt] for model in (sft, twin)}
        assert {each.a, each.b} == answers
    assert ready.ledger.count(Rating) == 2 * len(asked)
    alone = probe(ready, [sft])
    assert list(alone.measures) == [sft.id]
    assert ready.ledger.count(Comparison) == len(met)


def test_a_second_run_asks_and_computes_nothing(ready: Workspace) -> None:
    models = two(ready)
    first = probe(ready, models)
    known, stages = ids(ready.ledger), started(ready)
    again = probe(replace(ready, run="another"), models)
    assert ids(ready.ledger) == known
    assert started(ready) == stages == 4  # each was sampled and read
    assert again == first


class Failing(Ledger):
    """A ledger that refuses what is worked out, from the second time on."""

    kept = 0

    def append(self, records: Iterable[Record]) -> int:
        some = list(records)
        if any(isinstance(each, Candidate | Likelihood) for each in some):
            if self.kept == 1:
                raise KeyboardInterrupt
            self.kept += 1
        return super().append(some)


def test_runs_that_end_half_way_go_on_where_they_were(
    ready: Workspace, tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes down one batch and is interrupted at the next one; together they make what one run makes."""
    monkeypatch.setattr("align.probes.likelihoods.WRITTEN_AT_ONCE", 2)
    models = two(ready)
    ends = 0
    while ends < 60:
        try:
            probed = probe(replace(ready, ledger=Failing(ready.ledger.engine), run=f"run {ends}"), models)
            break
        except KeyboardInterrupt:
            ends += 1
    assert ends > 10
    calm = tmp_path / "calm"
    calm.mkdir()
    with open_ledger(f"sqlite:///{calm / 'ledger.db'}") as ledger:
        ledger.append(ready.ledger.read(Prompt, prompts.c.split == "eval"))
        ledger.append([replace(held_out_choice(5), split="probe")])
        other = with_probes(Workspace(calm, ready.config, ledger), tiny_policy)
        undisturbed = probe(other, two(other))
        assert ids(ready.ledger) == ids(ledger)
        assert {each.id: each.text for each in ready.ledger.read(Candidate)} == {
            each.id: each.text for each in ledger.read(Candidate)
        }
    for model in models:
        mine, theirs = probed.measures[model.id], undisturbed.measures[model.id]
        assert mine.axes == theirs.axes
        assert mine.answers == theirs.answers
        assert mine.text_perplexity == pytest.approx(theirs.text_perplexity)
    finished = sa.select(sa.func.count()).select_from(candidates)
    assert ready.ledger.scalar(finished) == 2 * len(probed.plan.answered)


def served(url: str) -> Config:
    return parse_config(
        f'[sample]\nengine = "openai"\n[server]\nbase_url = "{url}"\ntimeout_seconds = 5\n'
        '[probes]\nsets = []\nfiles = ["mine.jsonl"]\n[evaluate]\nresamples = 200\n'
    )


def test_a_model_known_to_a_server_alone_answers_but_is_not_read(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARDROUND_SERVER_KEY", raising=False)
    with serving(lambda _body: choices("The answer is A.", tokens=5)) as server:
        own = replace(ready, config=served(server.url))
        sft = sft_model(own)
        probed = probe(own, [sft])
    found = probed.measures[sft.id]
    ready_check, *asked = server.asked
    assert "temperature" not in ready_check
    assert len(asked) == len(probed.plan.answered)
    assert {body["temperature"] for body in asked} == {0.05}
    assert own.ledger.count(Likelihood) == 0
    assert LIKELIEST not in found.axes
    assert found.axes["exam accuracy"].mean is not None
    assert (found.exam_by_likelihood, found.text_perplexity) == (None, None)
    assert found.axes["unreadable answers"].mean == pytest.approx(2 / 7)  # the two sums


def test_without_probes_nothing_is_asked(workspace: Workspace, tiny_policy: Path) -> None:
    own = replace(workspace, config=parse_config(f'[model]\npath = "{tiny_policy}"\n[probes]\nsets = []'))
    probed = probe(own, [sft_model(own)])
    assert [each.axes for each in probed.measures.values()] == [{}]
    assert started(own) == own.ledger.count(Candidate) == 0
