"""Train questions to the SFT model that the rounds start from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.sft_stage import FACTS, SftOptions, answer_of, fine_tune, sft_material
from annotate.mcq import stated_option
from ledger.config import CONFIG_NAME, parse_config
from ledger.errors import ConfigError, ModelError, StageError
from ledger.queries import latest
from ledger.records import Message, ModelVersion, Prompt
from ledger.trace import trace
from ledger.weights import weights_hash
from ledger.workspace import Workspace, open_workspace
from sampling.models import load_policy, source_of
from sampling.policies import sft_model
from tests.annotate.answered import question

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = SftOptions(epochs=2, batch_size=2, learning_rate=1e-3)
CONFIG = """
[model]
path = "{model}"

[chat]
clinical = "You answer surgeons."
exam = "Choose one."

[align]
lora_rank = 4
max_length = 200
"""
TALK = (Message("user", "What is it?"), Message("assistant", "A hernia."), Message("user", "How is it treated?"))
CHOICES = ("The bowel.", "The bladder.", "The liver.")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is trained does not depend on where the records are."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """A workspace with train questions of several kinds, and held-out ones."""
    own = replace(workspace, config=parse_config(CONFIG.format(model=tiny_policy)))
    own.ledger.append(
        [
            *map(question, range(3)),
            Prompt(TALK, reference="By surgery."),
            a_choice("Which organ moves?", reference="It is on a mesentery."),
            Prompt((Message("user", "Without a reference?"),)),
            Prompt((Message("user", "How long is this answer?"),), reference="long " * 200),
            Prompt((Message("user", "When does an umbilical cord hernia need mesh?"),), reference="Held", split="eval"),
            Prompt((Message("user", "When does an umbilical cord hernia need a mesh?"),), reference="Near"),
            Prompt((Message("user", "Is a scalpel a toy for children?"),), reference="Probe", split="probe"),
        ]
    )
    return own


def a_choice(asked: str, **said: Any) -> Prompt:
    return Prompt((Message("user", asked),), mode="exam", kind="mcq", options=CHOICES, answer="A", **said)


def configured(workspace: Workspace, setting: str) -> Workspace:
    """The workspace with the [model] table that a report tells the user to write."""
    own = parse_config(setting).model
    return replace(workspace, config=workspace.config.model_copy(update={"model": own}))


def events(workspace: Workspace) -> list[str]:
    return [done.event for done in latest(workspace.ledger, 100, "sft")]


class TestMaterial:
    def test_each_kind_of_question_as_sampling_shows_it(self, ready: Workspace, tiny_policy: Path) -> None:
        found = sft_material(ready, tiny_policy)
        by_last_turn = {row["prompt"][-1]["content"]: row for row in found.rows}
        talk = by_last_turn["How is it treated?"]
        assert [turn["role"] for turn in talk["prompt"]] == ["system", "user", "assistant", "user"]
        assert talk["completion"] == [{"role": "assistant", "content": "By surgery."}]
        choice = by_last_turn["Which organ moves?\nA. The bowel.\nB. The bladder.\nC. The liver."]
        assert choice["prompt"][0] == {"role": "system", "content": "Choose one."}
        assert choice["completion"][0]["content"] == "The answer is A, The bowel. It is on a mesentery."

    def test_held_out_questions_and_their_near_duplicates_are_not_in_it(
        self, ready: Workspace, tiny_policy: Path
    ) -> None:
        found = sft_material(ready, tiny_policy)
        assert len(found.rows) == len(found.prompts) == 5
        assert (found.without_reference, found.near_held_out, found.too_long) == (1, 1, 1)
        assert not any(
            word in str(found.rows) for word in ("umbilical", "scalpel", "Held", "Near", "Probe", "long long")
        )

    def test_the_order_is_that_of_the_ids(self, ready: Workspace, tiny_policy: Path) -> None:
        assert list(sft_material(ready, tiny_policy).prompts) == sorted(sft_material(ready, tiny_policy).prompts)

    def test_what_the_template_is_told_goes_along(self, ready: Workspace, tiny_policy: Path) -> None:
        chat = ready.config.chat.model_copy(update={"template": {"enable_thinking": False}})
        told = replace(ready, config=ready.config.model_copy(update={"chat": chat}))
        assert all(
            row["chat_template_kwargs"] == {"enable_thinking": False} for row in sft_material(told, tiny_policy).rows
        )

    def test_nothing_to_learn_from_is_an_error(self, workspace: Workspace, tiny_policy: Path) -> None:
        workspace.ledger.append([question(1, reference=None), question(2, split="eval")])
        with pytest.raises(StageError, match="no train question to learn from: 1 without a reference"):
            sft_material(workspace, tiny_policy)


class TestAnswer:
    @pytest.mark.parametrize("reference", [None, "", "It is on a mesentery.", "The liver does not move."])
    def test_the_right_option_is_always_stated(self, reference: str | None) -> None:
        said = answer_of(a_choice("Which organ moves?", reference=reference))
        assert stated_option(said, CHOICES) == "A"
        assert said.endswith(reference or "The bowel.")

    def test_a_reference_that_states_it_stays_as_it_is(self) -> None:
        reference = "The answer is A, The bowel. It is on a mesentery."
        assert answer_of(a_choice("Which organ moves?", reference=reference)) == reference

    def test_an_open_question_has_its_reference_or_nothing(self) -> None:
        assert answer_of(question(1, reference=" Surgery. ")) == "Surgery."
        assert answer_of(question(1, reference=None)) == ""


class TestAdapter:
    def test_it_becomes_the_sft_model_by_what_the_report_says(self, ready: Workspace, tiny_policy: Path) -> None:
        """The record, the weights that it stands for, and the settings are those that the rounds will meet."""
        report = fine_tune(ready, None, OPTIONS)
        folder = ready.root / report.folder
        assert (report.rows, report.full, report.base) == (5, False, str(tiny_policy))
        assert report.setting == f'[model]\npath = "{tiny_policy}"\nadapter = "{report.folder}"'
        names = {path.name for path in folder.iterdir()}
        assert {"adapter_model.safetensors", "adapter_config.json", "README.md", FACTS, "tokenizer.json"} <= names
        assert folder.parent == ready.models
        assert [path.name for path in ready.models.iterdir()] == [folder.name]
        own = configured(ready, report.setting)
        assert sft_model(own).id == report.model.id
        assert source_of(own, report.model).adapters == (folder,)
        (entered,) = ready.ledger.read(ModelVersion)
        assert (entered.name, entered.method, entered.parent) == ("sft", "sft", None)
        assert entered.metrics["made"]["prompts"] == 5
        assert entered.libraries
        assert trace(ready.ledger, entered.id) is not None
        load_policy(source_of(own, entered))

    def test_it_has_learned_the_references(self, ready: Workspace, tiny_policy: Path) -> None:
        report = fine_tune(ready, None, replace(OPTIONS, epochs=8, learning_rate=1e-2))
        untrained = replace(ready, config=parse_config(CONFIG.format(model=tiny_policy)))
        row = next(each for each in sft_material(ready, tiny_policy).rows if "case 1" in str(each))
        after = loss(configured(ready, report.setting), report.model, row)
        assert after < 0.9 * loss(untrained, sft_model(untrained), row)

    def test_asked_again_it_is_not_trained_again(self, ready: Workspace) -> None:
        first = fine_tune(ready, None, OPTIONS)
        again = fine_tune(replace(configured(ready, first.setting), run="another"), None, OPTIONS)
        assert again.model == first.model
        assert events(ready) == ["started", "finished"]
        other = fine_tune(ready, None, replace(OPTIONS, epochs=1))
        assert other.folder != first.folder
        assert other.model.id != first.model.id

    def test_the_card_says_what_it_is_and_is_not(self, ready: Workspace) -> None:
        report = fine_tune(ready, None, replace(OPTIONS, epochs=1))
        card = (ready.root / report.folder / "README.md").read_text(encoding="utf-8")
        assert "LoRA adapter of rank 4" in card
        assert "no clinical advice" in card
        assert "| Questions | 5 |" in card
        text = report.text()
        assert "1 left out: near-duplicates of held-out questions" in text
        assert text.endswith(report.setting)


class TestAllWeights:
    def test_the_model_is_whole_and_becomes_the_sft_model(self, ready: Workspace, tiny_policy: Path) -> None:
        report = fine_tune(ready, str(tiny_policy), replace(OPTIONS, epochs=1, full=True))
        folder = ready.root / report.folder
        assert report.setting == f'[model]\npath = "{report.folder}"'
        assert (folder / "model.safetensors").exists()
        assert not (folder / "adapter_config.json").exists()
        own = configured(ready, report.setting)
        assert sft_model(own).id == report.model.id
        assert source_of(own, report.model).adapters == ()
        assert report.model.weights == weights_hash(folder) != weights_hash(tiny_policy)

    def test_quantised_weights_cannot_all_be_trained(self, ready: Workspace) -> None:
        model = ready.config.model.model_copy(update={"quantization": "4bit"})
        quantised = replace(ready, config=ready.config.model_copy(update={"model": model}))
        with pytest.raises(ConfigError, match="quantised weights cannot all be trained"):
            fine_tune(quantised, None, replace(OPTIONS, full=True))


def test_a_base_model_must_be_named(workspace: Workspace) -> None:
    with pytest.raises(ModelError, match="no model to begin with"):
        fine_tune(workspace, None, OPTIONS)
    with pytest.raises(ModelError, match="there is no such folder"):
        fine_tune(workspace, "./nowhere", OPTIONS)


def test_several_processes_are_refused(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(StageError, match="one process"):
        fine_tune(ready, None, OPTIONS)


def loss(workspace: Workspace, model: ModelVersion, row: Mapping[str, Any]) -> float:
    """Mean loss over the row's answer."""
    import torch

    from sampling.models import load_tokenizer

    source = source_of(workspace, model)
    tokenizer, policy = load_tokenizer(source), load_policy(source)
    whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], return_dict=True)["input_ids"]
    shown = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
    with torch.inference_mode():
        said = policy(torch.tensor([whole])).logits[0, :-1].log_softmax(-1)
    return -float(said[torch.arange(len(whole) - 1), torch.tensor(whole[1:])][len(shown) - 1 :].mean())


# `wardround sft`, which kills itself as soon as its first checkpoint is whole.
KILLED = """
import os, signal
from transformers import Trainer
import wardround

whole = Trainer._save_checkpoint

def killed(*given, **named):
    whole(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

Trainer._save_checkpoint = killed
wardround.main(["sft", "-w", ".", "--epochs", "2", "--batch-size", "2", "--learning-rate", "1e-3"])
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_weights(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disturbed and the undisturbed run in workspaces of their own; the killed one by the command line."""
    ended = []
    for name in ("disturbed", "undisturbed"):
        root = tmp_path / name
        root.mkdir()
        (root / CONFIG_NAME).write_text(CONFIG.format(model=tiny_policy), encoding="utf-8")
        with open_workspace(root) as workspace:
            workspace.ledger.append(list(map(question, range(4))))
            if name == "disturbed":
                killed(root)
                assert len(list(root.glob("models/*.checkpoints/*/checkpoint-2"))) == 1
            report = fine_tune(workspace, None, OPTIONS)
        assert [path.name for path in (root / "models").iterdir()] == [Path(report.folder).name]
        ended.append(report)
    assert (ended[0].folder, ended[0].model.id) == (ended[1].folder, ended[1].model.id)
    assert "Supervised fine-tuning: 2/4" in capsys.readouterr().err


def killed(root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-c", KILLED]
    ended = subprocess.run(program, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
