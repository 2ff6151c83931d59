"""A policy's pairs to a registered adapter, once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.run_log import RUN
from align.training import train, training_config, with_align, with_method
from align.watching.step_log import STEP_LOG, read_steps
from ledger.config import parse_config
from ledger.errors import ConfigError, StageError
from ledger.queries import latest
from ledger.records import Comparison, ModelVersion, Pair, digest, pairs_hash
from ledger.store import open_ledger
from ledger.trace import trace
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import load_policy, load_tokenizer, source_of
from sampling.policies import sft_model
from tests.annotate.answered import answers, question

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = """
[model]
path = "{model}"

[chat]
clinical = "You answer surgeons."

[align]
batch_size = 2
lora_rank = 4
learning_rate = 1e-3
trainer = {{ max_steps = 2, logging_steps = 1 }}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is trained does not depend on where the records are."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """A workspace with one comparison on each of four prompts."""
    own = replace(workspace, config=parse_config(CONFIG.format(model=tiny_policy)))
    fill(own, range(4))
    return own


def fill(workspace: Workspace, numbers: Any) -> None:
    """One comparison of two of the policy's answers for each number."""
    policy = sft_model(workspace)
    for number in numbers:
        prompt = question(number)
        one, other = sorted(answers(prompt, policy, ["A hernia.", "The wall."]), key=lambda each: each.id)
        said = Comparison(prompt.id, one.id, other.id, policy.id, policy.id, "judge:large", "a", 0.9)
        workspace.ledger.append([prompt, one, other, said])


def events(workspace: Workspace, stage: str) -> list[str]:
    return [done.event for done in latest(workspace.ledger, 100, stage)]


def test_the_trained_model_is_registered_with_its_exact_pairs(ready: Workspace) -> None:
    policy = sft_model(ready)
    model = train(ready, policy, "first")
    pairs = [pair.id for pair in ready.ledger.read(Pair)]
    assert ready.ledger.get(ModelVersion, model.id) == model
    assert (model.name, model.method, model.parent, model.adapter) == ("first", "dpo", policy.id, True)
    assert len(pairs) == 4
    assert model.pairs == pairs_hash(pairs)
    assert sorted(ready.ledger.trained_on(model.id)) == sorted(pairs)
    assert model.config == training_config(ready)
    assert model.metrics["step"] == 2
    assert model.libraries
    assert trace(ready.ledger, model.id) is not None


def test_the_adapter_lies_in_the_workspace_and_nothing_else_is_left(ready: Workspace) -> None:
    model = train(ready, sft_model(ready), "first")
    folder = ready.root / model.path
    assert folder.parent == ready.models
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
    assert model.weights == weights_hash(folder)
    assert not list(ready.models.glob("**/checkpoint-*"))
    assert not list(ready.models.glob("*.partial"))
    assert events(ready, "train") == ["started", "finished"]


def test_training_twice_returns_the_same_model_without_training(ready: Workspace) -> None:
    policy = sft_model(ready)
    first = train(ready, policy, "first")
    again = train(replace(ready, run="another"), policy, "first")
    assert first == again
    assert events(ready, "train") == ["started", "finished"]
    assert ready.ledger.count(ModelVersion) == 2


def test_what_is_trained_does_not_depend_on_when_or_where(ready: Workspace, tmp_path: Path, tiny_policy: Path) -> None:
    """Another folder, another ledger, the comparisons written the other way round: the same weights, the same id."""
    with open_ledger(f"sqlite:///{tmp_path / 'other.db'}") as ledger:
        other = Workspace(tmp_path / "elsewhere", ready.config, ledger)
        fill(other, reversed(range(4)))
        assert train(other, sft_model(other), "first").id == train(ready, sft_model(ready), "first").id


def test_a_lost_adapter_is_trained_again_to_the_same_id(ready: Workspace) -> None:
    model = train(ready, sft_model(ready), "first")
    shutil.rmtree(ready.root / model.path)
    assert train(replace(ready, run="another"), sft_model(ready), "first").id == model.id
    assert events(ready, "train") == ["started", "finished"] * 2
    assert (ready.root / model.path).is_dir()
    assert ready.ledger.count(ModelVersion) == 2


def test_another_setting_or_another_pair_is_another_model(ready: Workspace) -> None:
    policy = sft_model(ready)
    first = train(ready, policy, "first")
    seeded = train(with_align(ready, seed=1), policy, "first")
    fill(ready, [7])
    grown = train(ready, policy, "first")
    assert len({first.id, seeded.id, grown.id}) == 3
    assert len({first.path, seeded.path, grown.path}) == 3
    assert (seeded.pairs, seeded.seed) == (first.pairs, 1)
    assert grown.pairs != first.pairs
    assert len(ready.ledger.trained_on(grown.id)) == 5


def test_no_pairs_is_an_error(workspace: Workspace, tiny_policy: Path) -> None:
    own = replace(workspace, config=parse_config(CONFIG.format(model=tiny_policy)))
    policy = sft_model(own)
    with pytest.raises(StageError, match="no comparisons of sft's answers"):
        train(own, policy, "first")
    prompt = question(0)
    one, other = sorted(answers(prompt, policy, ["one", "other"]), key=lambda each: each.id)
    tie = Comparison(prompt.id, one.id, other.id, policy.id, policy.id, "judge:large", "tie")
    own.ledger.append([prompt, one, other, tie])
    with pytest.raises(StageError, match="no preference pairs of sft's answers"):
        train(own, policy, "first")
    assert events(own, "train") == []


def test_a_wrong_key_is_logged_and_leaves_no_model(ready: Workspace) -> None:
    wrong = with_align(ready, trainer={"no_such_key": 1})
    with pytest.raises(ConfigError, match="no_such_key"):
        train(wrong, sft_model(ready), "first")
    assert events(ready, "train") == ["started", "failed"]
    assert ready.ledger.count(ModelVersion) == 1


def test_kto_trains_on_the_same_pairs(ready: Workspace) -> None:
    policy = sft_model(ready)
    model = train(with_method(ready, "kto"), policy, "kto")
    assert model.method == "kto"
    assert model.pairs == pairs_hash([pair.id for pair in ready.ledger.read(Pair)])
    assert model.config["align"]["method"] == "kto"


class TestWithMethod:
    def test_none_is_as_configured(self, workspace: Workspace) -> None:
        assert with_method(workspace, None) is workspace

    def test_another_one_changes_nothing_else(self, workspace: Workspace) -> None:
        other = with_method(workspace, "orpo")
        assert other.config.align.method == "orpo"
        assert workspace.config.align.method == "dpo"
        assert with_method(other, "dpo").config == workspace.config
        assert (other.ledger, other.root, other.run) == (workspace.ledger, workspace.root, workspace.run)

    def test_an_unknown_one_is_refused(self, workspace: Workspace) -> None:
        with pytest.raises(StageError, match="no such method: ppo -> one of dpo, ipo, orpo, kto"):
            with_method(workspace, "ppo")


def test_the_configuration_of_a_model_has_its_defaults_filled_in(workspace: Workspace) -> None:
    said = training_config(workspace)["align"]
    assert (said["learning_rate"], said["beta"]) == (2e-5, 0.1)
    assert training_config(with_method(workspace, "orpo"))["align"]["learning_rate"] == 5e-5
    own = training_config(with_align(workspace, learning_rate=1.0, beta=0.3))["align"]
    assert (own["learning_rate"], own["beta"]) == (1.0, 0.3)


def test_the_steps_are_in_the_ledger_and_beside_the_weights(ready: Workspace) -> None:
    model = train(ready, sft_model(ready), "first")
    logged = [step for entry in logged_details(ready, "step") for step in entry["steps"]]
    steps = read_steps(ready.root / model.path / STEP_LOG)
    assert [step["step"] for step in steps] == [1, 2]
    assert [step["loss"] for step in logged] == [step["loss"] for step in steps]
    for name in ("margin", "accuracy", "chosen_logp", "rejected_logp", "kl", "tokens_per_second", "peak_mib"):
        assert all(step[name] is not None for step in steps), name


def logged_details(workspace: Workspace, event: str) -> list[Any]:
    return [done.detail for done in latest(workspace.ledger, 100, RUN) if done.event == event]


def test_all_weights_are_a_model_of_their_own(ready: Workspace) -> None:
    """It loads without its parent's weights, and is a policy to sample from and to train further."""
    import torch

    full = with_align(ready, tuning="full", learning_rate=1e-3)
    model = train(full, sft_model(full), "full")
    assert not model.adapter
    source = source_of(full, model)
    assert (source.base, source.adapters) == (str(ready.root / model.path), ())
    ours, theirs = (load_policy(source_of(full, each)).state_dict() for each in (model, sft_model(full)))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
    assert load_tokenizer(source).chat_template
    assert not list((ready.root / model.path).glob("training_args.bin"))


def test_a_held_out_pair_is_not_trained_on_and_stops_early(
    ready: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a rate that makes the loss on held-out pairs rise at once, two checkpoints without a better one end it."""
    fill(ready, range(4, 12))
    early = with_align(
        ready, holdout=0.4, patience=2, checkpoint_steps=1, learning_rate=1.0, epochs=9, trainer={"max_steps": 30}
    )
    model = train(early, sft_model(early), "early")
    assert "held out to stop early" in capsys.readouterr().err
    assert 3 <= len(read_steps(early.root / model.path / STEP_LOG)) < 30


def test_the_same_training_twice_at_once_is_refused_and_another_is_not(ready: Workspace) -> None:
    import fcntl

    policy = sft_model(ready)
    model = train(ready, policy, "first")
    shutil.rmtree(ready.root / model.path)
    key = digest([model.parent, model.pairs, model.config])
    lock = ready.models / ".checkpoints" / f"{key}.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StageError, match="the same training runs already"):
            train(ready, policy, "first")
        assert train(with_align(ready, seed=5), policy, "other").name == "other"
    assert train(ready, policy, "first").id == model.id


def test_an_alarm_stops_where_it_is_told_to(ready: Workspace) -> None:
    """Nothing is learnt at a rate of next to nothing: the loss does not fall."""
    still = with_align(ready, learning_rate=1e-12, on_alarm="stop", epochs=50, trainer={})
    with pytest.raises(StageError, match="stopped at step"):
        train(still, sft_model(still), "still")
    (alarm,) = logged_details(still, "alarm")
    assert alarm["kind"]
    assert still.ledger.count(ModelVersion) == 1


def test_tensorboards_files_outlive_the_checkpoints(ready: Workspace) -> None:
    watched = with_align(ready, trainer={"max_steps": 2, "report_to": ["tensorboard"]})
    train(watched, sft_model(watched), "watched")
    assert list((ready.models / ".tensorboard").rglob("events.out.tfevents.*"))


def test_a_reporter_that_is_not_installed_is_one_line(ready: Workspace) -> None:
    watched = with_align(ready, trainer={"max_steps": 2, "report_to": ["comet_ml"]})
    with pytest.raises(ConfigError, match="comet"):
        train(watched, sft_model(watched), "watched")


def test_what_is_watched_for_is_no_part_of_a_model(ready: Workspace) -> None:
    policy = sft_model(ready)
    assert train(with_align(ready, on_alarm="stop"), policy, "first").id == train(ready, policy, "first").id
