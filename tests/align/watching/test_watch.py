"""A trainer that is watched: its steps are written, its alarms are said or stop it, and what is spoilt is not saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from align.export.rows import Preference, paired_rows
from align.preference.runs import TrainingRun, make_trainer
from align.running import last_checkpoint
from align.watching.alarms import Alarm
from align.watching.step_log import STEP_LOG, StepLog, read_steps
from align.watching.watch import Watch, finite, peak_mib
from ledger.config import AlignConfig, ModelConfig
from ledger.errors import StageError
from sampling.models import PolicySource, load_policy, load_tokenizer
from sampling.quiet import quiet

pytestmark = pytest.mark.usefixtures("one_thread")

PREFERENCES = [
    Preference(({"role": "user", "content": f"{number}. What is a hernia?"},), f"A protrusion {number}.", "The wall.")
    for number in range(8)
]
LEAK = {"loss": 0.1, "rewards/accuracies": 1.0, "grad_norm": 1.0, "rewards/chosen": 0.2, "rewards/rejected": -0.3}


def trainer_of(policy: Path, folder: Path, method: Any = "dpo", rate: float = 1e-3, **settings: Any) -> Any:
    source = PolicySource(str(policy), (), ModelConfig())
    own = {"logging_steps": 1, "max_steps": 4, "save_steps": 1, "save_total_limit": 2, **settings}
    config = AlignConfig(method=method, batch_size=2, lora_rank=4, learning_rate=rate, trainer=own)
    with quiet():
        return make_trainer(
            TrainingRun(load_policy(source), load_tokenizer(source), paired_rows(PREFERENCES), config, folder)
        )


def train(trainer: Any, watch: Watch, resume: Path | None = None) -> None:
    trainer.add_callback(watch.callback())
    with quiet():
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)


@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_each_step_is_written(method: str, tiny_policy: Path, tmp_path: Path) -> None:
    trainer = trainer_of(tiny_policy, tmp_path, method, save_strategy="no")
    with StepLog(tmp_path / STEP_LOG) as log:
        watch = Watch([log], beta=0.1 if method == "dpo" else None)
        train(trainer, watch)
    records = read_steps(tmp_path / STEP_LOG)
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    common = {"loss", "margin", "accuracy", "chosen_logp", "rejected_logp", "grad_norm", "learning_rate"}
    told = common | {"seconds", "peak_mib", "epoch"}
    own = {"kl", "chosen_ratio", "tokens_per_second"} if method == "dpo" else {"odds"}
    assert all(told | own <= record.keys() for record in records)
    assert records[0]["loss"] == pytest.approx(trainer.state.log_history[0]["loss"])
    assert all(0 < record["seconds"] < 60 and 50 < record["peak_mib"] < 100_000 for record in records)
    if method == "dpo":
        assert (records[0]["kl"], records[0]["chosen_ratio"]) == (pytest.approx(0, abs=1e-5),) * 2
        steps = zip(records, [0, *(record["tokens"] for record in records)], strict=False)
        for record, before in steps:
            rate = (record["tokens"] - before) / record["seconds"]
            assert record["tokens_per_second"] == pytest.approx(rate, rel=1e-6)
    watch.raise_if_stopped("Training")


def test_nan_stops_and_is_not_saved(tiny_policy: Path, tmp_path: Path) -> None:
    """The third step's loss is NaN: checkpoint 2 stays the last one, though each step would be saved."""
    trainer = trainer_of(tiny_policy, tmp_path, max_steps=6)
    spoil(trainer, at=3)
    watch = Watch(beta=0.1)
    train(trainer, watch)
    assert trainer.state.global_step == 3
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-1", "checkpoint-2"}
    with pytest.raises(StageError, match=r"Training: stopped at step 3: weights are not numbers any more -> lower"):
        watch.raise_if_stopped("Training")


def test_weights_that_no_log_has_spoken_of_are_not_saved(tiny_policy: Path, tmp_path: Path) -> None:
    """Nothing is logged before the end; the epoch's end would save as well."""
    trainer = trainer_of(tiny_policy, tmp_path, logging_steps=100, save_steps=2, max_steps=6)
    spoil(trainer, at=3)
    watch = Watch()
    train(trainer, watch)
    assert trainer.state.global_step == 4
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-2"}
    assert watch.stopped is not None
    assert (watch.stopped.kind, watch.stopped.step) == ("not_a_number", 4)


def spoil(trainer: Any, at: int) -> None:
    """Give the weights NaN before a step."""
    from transformers import TrainerCallback

    class Spoil(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == at - 1:
                next(weight for weight in more["model"].parameters() if weight.requires_grad).data.fill_(float("nan"))

    trainer.add_callback(Spoil())


def nothing_moves(trainer: Any) -> None:
    """No gradient reaches the weights."""
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.register_hook(lambda gradient: gradient * 0)


def test_an_alarm_stops_with_a_checkpoint(tiny_policy: Path, tmp_path: Path) -> None:
    heard: list[Alarm] = []
    trainer = trainer_of(tiny_policy, tmp_path, save_steps=100, max_steps=8)
    nothing_moves(trainer)
    watch = Watch(beta=0.1, on_alarm="stop", heard=heard.append)
    train(trainer, watch)
    assert trainer.state.global_step == 3
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-3"
    assert [alarm.kind for alarm in heard] == ["no_gradient"]
    with pytest.raises(StageError, match="stopped at step 3: the gradient has been 0 for 3 steps"):
        watch.raise_if_stopped("Training")


def test_a_warning_is_said_once_and_training_goes_on(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Alarm] = []
    trainer = trainer_of(tiny_policy, tmp_path, max_steps=6, save_strategy="no")
    nothing_moves(trainer)
    watch = Watch(beta=0.1, heard=heard.append)
    train(trainer, watch)
    assert trainer.state.global_step == 6
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning")]
    assert warnings == [f"Warning, {heard[0].text()}"]
    watch.raise_if_stopped("Training")


def test_a_resumed_run_does_not_say_it_again(tiny_policy: Path, tmp_path: Path) -> None:
    """It stopped for an alarm; who starts it again has read that, and wants it to go on."""

    def once(after: int) -> Watch:
        with StepLog(tmp_path / STEP_LOG, after=after) as log:
            trainer = trainer_of(tiny_policy, tmp_path, max_steps=6)
            nothing_moves(trainer)
            watch = Watch([log], beta=0.1, on_alarm="stop")
            watch.restore(log.kept)
            train(trainer, watch, tmp_path / f"checkpoint-{after}" if after else None)
        return watch

    assert once(0).stopped is not None
    assert once(3).stopped is None
    assert [record["step"] for record in read_steps(tmp_path / STEP_LOG)] == [1, 2, 3, 4, 5, 6]


class TestLog:
    def watched(self, see: Callable[[Watch, int], None], **settings: Any) -> tuple[Watch, list[Mapping[str, Any]]]:
        records: list[Mapping[str, Any]] = []
        watch = Watch([records.append], beta=0.1, **settings)
        for step in range(1, 8):
            see(watch, step)
        return watch, records

    def test_other_processes_decide_but_do_not_write_or_speak(self, capsys: pytest.CaptureFixture[str]) -> None:
        heard: list[Alarm] = []
        watch, records = self.watched(lambda one, step: one.log(LEAK, step, first_process=False), heard=heard.append)
        assert [alarm.kind for alarm in watch.alarms.raised] == ["leak"]
        assert (records, heard, capsys.readouterr().err) == ([], [], "")
        other, _ = self.watched(lambda one, step: one.log(LEAK, step, first_process=False), on_alarm="stop")
        assert other.stopped is not None

    def test_fp16_skips_steps_with_infinite_gradients(self) -> None:
        infinite = {"loss": 0.5, "grad_norm": float("inf")}
        watch, records = self.watched(lambda one, step: one.log(infinite, step, fp16=True))
        assert watch.stopped is None
        assert "grad_norm" not in records[0]
        other, _ = self.watched(lambda one, step: one.log(infinite, step))
        assert other.spoilt

    def test_no_number_outranks_what_stopped_it(self) -> None:
        def see(watch: Watch, step: int) -> None:
            watch.log({**LEAK, "loss": float("nan") if step == 7 else 0.1}, step)

        watch, _ = self.watched(see, on_alarm="stop")
        assert watch.stopped is not None
        assert watch.stopped.kind == "not_a_number"


def test_finite_looks_at_what_is_trained() -> None:
    import torch

    model = torch.nn.Linear(2, 2)
    assert finite(model)
    model.bias.data[0] = float("inf")
    assert not finite(model)
    model.bias.requires_grad_(False)
    assert finite(model)


@pytest.mark.parametrize(("loss", "saved"), [(float("nan"), False), (0.5, True)])
def test_a_loss_that_is_no_number_saves_nothing(loss: float, saved: bool) -> None:
    """Also where the weights were numbers still."""
    state = SimpleNamespace(global_step=3, is_world_process_zero=True)
    control = SimpleNamespace(should_training_stop=False, should_save=True, should_evaluate=True)
    Watch().callback().on_log(SimpleNamespace(fp16=False), state, control, logs={"loss": loss})
    assert (control.should_save, control.should_training_stop) == (saved, not saved)


def test_evaluations_are_no_steps() -> None:
    records: list[Mapping[str, Any]] = []
    callback = Watch([records.append]).callback()
    state = SimpleNamespace(global_step=3, is_world_process_zero=True)
    control = SimpleNamespace(should_training_stop=False, should_save=True, should_evaluate=True)
    for logs in ({"eval_loss": float("nan")}, {"train_loss": 0.5}):
        callback.on_log(SimpleNamespace(fp16=False), state, control, logs=logs)
    assert records == []
    assert not control.should_training_stop
    assert peak_mib() > 10
