"""Each method trains; a run that was cut off goes on as if it had not been."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest

from align.preference.methods import DEFAULTS
from align.preference.runs import TrainingRun, common_settings, train_preferences
from align.rendering.answer_tokens import RenderSettings
from align.rendering.pairs import Answered, Labelled, TokenRow, rendered_answers, rendered_pairs
from align.running import in_place_of, last_checkpoint
from align.watching.step_log import read_steps
from ledger.config import AlignConfig, ModelConfig
from ledger.errors import ConfigError, StageError
from sampling.models import PolicySource, load_policy, load_tokenizer
from sampling.reasoning import Spoken

Method = Literal["dpo", "ipo", "orpo", "kto"]
METHODS: tuple[Method, ...] = ("dpo", "ipo", "orpo", "kto")
ASKED = [({"role": "user", "content": f"{number}. What is a hernia?" + " Why?" * number},) for number in range(6)]

pytestmark = pytest.mark.usefixtures("one_thread")


def a_run(policy: Path, folder: Path, method: Method = "dpo", **settings: Any) -> TrainingRun:
    """Six preferences in batches of two."""
    trainer = settings.pop("trainer", {})
    small: dict[str, Any] = {"batch_size": 2, "lora_rank": 4, "checkpoint_steps": 2, "learning_rate": 1e-3}
    source = PolicySource(str(policy), (), ModelConfig())
    tokenizer = load_tokenizer(source)
    return TrainingRun(
        model=load_policy(source),
        tokenizer=tokenizer,
        rows=rows_for(tokenizer, method),
        config=AlignConfig(method=method, trainer=trainer, **{**small, **settings}),
        folder=folder,
    )


def rows_for(tokenizer: Any, method: Method) -> tuple[TokenRow, ...]:
    """The preferences as tokens."""
    good = [Spoken(f"A protrusion {number}.") for number in range(len(ASKED))]
    poor = Spoken("The wall.")
    if method != "kto":
        pairs = [Answered(f"p{i}", turns, good[i], poor) for i, turns in enumerate(ASKED)]
        return rendered_pairs(tokenizer, pairs, RenderSettings()).rows
    answers = [
        Labelled(f"a{i}", turns, said, label=said is not poor)
        for i, turns in enumerate(ASKED)
        for said in (good[i], poor)
    ]
    return rendered_answers(tokenizer, answers, RenderSettings()).rows


def adapter_of(model: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items() if "lora_" in name}


@pytest.mark.parametrize("method", METHODS)
def test_each_method_begins_where_it_must_and_changes_the_adapter(
    method: Method, tiny_policy: Path, tmp_path: Path
) -> None:
    """Before the first step the policy is its own reference: every log-ratio is 0, which fixes the first loss."""
    import torch

    before = adapter_of_fresh(tiny_policy)
    trained = train_preferences(a_run(tiny_policy, tmp_path, method, trainer={"max_steps": 1}), "Training")
    figures = trained.figures
    beta = DEFAULTS[method][1]
    expected = {
        "dpo": math.log(2),
        "ipo": (1 / (2 * beta)) ** 2,
        "kto": 0.5,
        "orpo": figures.get("nll_loss", 0.0) - beta * figures.get("log_odds_ratio", 0.0),
    }
    assert figures["loss"] == pytest.approx(expected[method], rel=1e-5)
    assert figures["step"] == 1
    if method != "orpo":  # it has no reference
        assert figures["rewards/margins"] == pytest.approx(0, abs=1e-5)
    after = adapter_of(trained.model)
    ups = [name for name in after if "lora_B" in name]
    assert set(after) == set(before)
    assert ups
    assert all(torch.any(after[name] != 0) for name in ups)
    assert all(torch.all(before[name] == 0) for name in ups)


def adapter_of_fresh(policy: Path) -> dict[str, Any]:
    from peft import get_peft_model

    from align.preference.runs import lora

    source = PolicySource(str(policy), (), ModelConfig())
    return adapter_of(get_peft_model(load_policy(source), lora(AlignConfig(lora_rank=4))))


@pytest.mark.parametrize(
    ("method", "tuning"), [("dpo", "lora"), ("orpo", "lora"), ("kto", "lora"), ("dpo", "full"), ("kto", "full")]
)
def test_a_run_that_was_cut_off_ends_with_the_same_adapter_bit_by_bit(
    method: Method, tuning: str, tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six steps, checkpoints after the fourth (in the middle of an epoch) and the sixth; the last one is cut off."""
    import torch

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    undisturbed = train_preferences(
        a_run(tiny_policy, whole, method, tuning=tuning, trainer={"max_steps": 6}), "Undisturbed"
    )
    assert {path.name for path in whole.iterdir()} >= {"checkpoint-4", "checkpoint-6"}
    shutil.copytree(whole, cut)
    (cut / "checkpoint-6" / "trainer_state.json").unlink()
    (cut / "checkpoint-6" / "left.over").touch()
    torch.manual_seed(12345)
    resumed = train_preferences(a_run(tiny_policy, cut, method, tuning=tuning, trainer={"max_steps": 6}), "Resumed")
    ours, theirs = (dict(trained.model.named_parameters()) for trained in (resumed, undisturbed))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert resumed.figures["loss"] == undisturbed.figures["loss"]
    assert [step["step"] for step in read_steps(resumed.steps)] == [1, 2, 3, 4, 5, 6]
    shown = capsys.readouterr().err
    assert "Undisturbed: 0/6" in shown
    assert "Resumed: 4/6" in shown
    assert not (cut / "checkpoint-6" / "left.over").exists()


def test_it_shows_how_many_steps_there_are(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = a_run(tiny_policy, tmp_path, epochs=1.0, batch_size=4, gradient_accumulation=2, lora_rank=2)
    train_preferences(run, "Training")
    assert "Training: 0/1 " in capsys.readouterr().err
    states = [json.loads(path.read_text()) for path in tmp_path.glob("checkpoint-*/trainer_state.json")]
    assert {state["max_steps"] for state in states} == {1}


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("dpo", {"trainer": {"no_such_key": 1}}, "no_such_key"),
        ("orpo", {"trainer": {"no_such_key": 1}}, "no_such_key"),
        ("dpo", {"trainer": {"lr_scheduler_type": "sideways"}}, "sideways"),
        ("kto", {"batch_size": 1}, "batch size must be > 1"),
    ],
)
def test_what_trl_refuses_is_one_line(
    method: Method, settings: dict[str, Any], said: str, tiny_policy: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        train_preferences(a_run(tiny_policy, tmp_path, method, **settings), "Training")
    line = str(caught.value)
    assert said in line
    assert "align.trainer" in line
    assert "\n" not in line


def test_a_setting_goes_to_trl_under_trls_name(tiny_policy: Path, tmp_path: Path) -> None:
    trainer = {"max_steps": 1, "loss_type": ["hinge"]}
    trained = train_preferences(a_run(tiny_policy, tmp_path, trainer=trainer), "Training")
    assert trained.figures["loss"] == pytest.approx(1.0)


def test_a_loss_that_is_no_number_is_an_error(tiny_policy: Path, tmp_path: Path) -> None:
    run = a_run(tiny_policy, tmp_path, learning_rate=1e30, trainer={"max_steps": 3, "logging_steps": 100})
    with pytest.raises(StageError, match="Training: the loss is not a number any more"):
        train_preferences(run, "Training")


def test_the_seed_is_the_configured_one(tmp_path: Path) -> None:
    settings = common_settings(AlignConfig(seed=7, max_length=99, checkpoint_steps=3), tmp_path)
    assert (settings["seed"], settings["max_length"], settings["save_steps"]) == (7, 99, 3)


class TestLastCheckpoint:
    def checkpoint(self, folder: Path, step: int, state: str = "{}") -> Path:
        path = folder / f"checkpoint-{step}"
        path.mkdir()
        (path / "trainer_state.json").write_text(state, encoding="utf-8")
        return path

    def test_none_where_nothing_was_written(self, tmp_path: Path) -> None:
        assert last_checkpoint(tmp_path) is None
        assert last_checkpoint(tmp_path / "nowhere") is None

    def test_the_newest_by_its_step(self, tmp_path: Path) -> None:
        self.checkpoint(tmp_path, 9)
        assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
        self.checkpoint(tmp_path, 10)
        assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"

    @pytest.mark.parametrize("state", [None, "", '{"global_step": 1', "\x00"])
    def test_a_cut_off_one_is_removed(self, tmp_path: Path, state: str | None) -> None:
        self.checkpoint(tmp_path, 2)
        cut = self.checkpoint(tmp_path, 4, state or "")
        if state is None:
            (cut / "trainer_state.json").unlink()
        assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
        assert not cut.exists()


class TestInPlaceOf:
    def test_it_is_there_when_it_is_whole(self, tmp_path: Path) -> None:
        folder = tmp_path / "models" / "adapter"
        in_place_of(folder, lambda place: (place / "weights").touch())
        assert [path.name for path in folder.parent.iterdir()] == ["adapter"]
        assert (folder / "weights").exists()

    def test_an_older_one_is_replaced_as_a_whole(self, tmp_path: Path) -> None:
        folder = tmp_path / "adapter"
        in_place_of(folder, lambda place: (place / "old").touch())
        in_place_of(folder, lambda place: (place / "new").touch())
        assert [path.name for path in folder.iterdir()] == ["new"]

    def test_a_failure_leaves_the_older_one_and_what_it_left_is_swept_away(self, tmp_path: Path) -> None:
        folder = tmp_path / "adapter"
        in_place_of(folder, lambda place: (place / "old").touch())

        def fails(place: Path) -> None:
            (place / "half").touch()
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            in_place_of(folder, fails)
        assert [path.name for path in folder.iterdir()] == ["old"]
        in_place_of(folder, lambda place: (place / "new").touch())
        assert [path.name for path in folder.iterdir()] == ["new"]
        assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
