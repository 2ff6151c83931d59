"""Watches a trainer: its logs become steps for sinks and alarms, and an alarm is said or stops it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from align.watching.alarms import Alarm, Alarms
from align.watching.step_log import Record, Sink
from align.watching.steps import Step, step_of
from ledger.errors import StageError
from ledger.memory import peak_rss_mib
from ledger.screen import say

OnAlarm = Literal["warn", "stop"]


class Watch:
    """What is seen of one training run. Give `callback` to the trainer, and ask `stopped` after ``train()``.

    Every process of a distributed run sees the same figures, hence decides the same; the first alone writes and speaks.
    """

    def __init__(
        self,
        sinks: Sequence[Sink] = (),
        *,
        beta: float | None = None,
        on_alarm: OnAlarm = "warn",
        heard: Callable[[Alarm], None] | None = None,
    ) -> None:
        """``beta`` is the method's (None for ORPO); ``heard`` is told of each alarm, to write it into the ledger."""
        self.sinks, self.beta, self.on_alarm = tuple(sinks), beta, on_alarm
        self.alarms = Alarms()
        self.stopped: Alarm | None = None
        self._heard = heard
        self._clock = _Clock()

    def restore(self, records: Iterable[Record]) -> None:
        """Take in the steps before the checkpoint that a run goes on from; what they set off was said then."""
        names = Step.__dataclass_fields__
        self.alarms.restore(
            Step(**{name: value for name, value in record.items() if name in names and value is not None})
            for record in records
        )

    def callback(self) -> Any:
        """The ``transformers.TrainerCallback`` for `trainer.add_callback`; it must come after the trainer's own."""
        return _callback(self)

    def raise_if_stopped(self, where: str) -> None:
        """After ``trainer.train()``.

        Raises:
            StageError: an alarm stopped the run.
        """
        if self.stopped:
            raise StageError(
                f"stopped at step {self.stopped.step}: {self.stopped.what}", where=where, advice=self.stopped.advice
            )

    @property
    def spoilt(self) -> bool:
        """Are the weights no numbers any more? Then nothing must be saved."""
        return self.stopped is not None and self.stopped.kind == "not_a_number"

    def log(self, logs: Mapping[str, Any], step: int, *, first_process: bool = True, fp16: bool = False) -> None:
        """Take in what the trainer logged at ``step``."""
        seen = step_of(logs, step, self.beta)
        if fp16 and "grad_norm" in seen.spoilt:
            seen = replace(seen, grad_norm=None)  # the loss scaler skips such steps, which is its work
        if first_process:
            record = {**seen.facts(), **self._clock.read(step, seen.tokens)}
            for sink in self.sinks:
                sink(record)
        for alarm in self.alarms.see(seen):
            self._raise(alarm, first_process=first_process)

    def spoilt_weights(self, step: int) -> None:
        """The weights hold NaN or infinities, though no figure has said so yet."""
        if not self.spoilt:
            alarm = Alarm("not_a_number", step, "weights are not numbers any more", "lower align.learning_rate")
            self.alarms.raised.append(alarm)
            self._raise(alarm, first_process=True)

    def _raise(self, alarm: Alarm, *, first_process: bool) -> None:
        stops = alarm.kind == "not_a_number" or self.on_alarm == "stop"
        if stops and (self.stopped is None or alarm.kind == "not_a_number"):
            self.stopped = alarm
        if first_process:
            if self._heard:
                self._heard(alarm)
            if not stops:
                say(f"Warning, {alarm.text()}")


class _Clock:
    """Seconds, tokens a second and peak memory between two logs."""

    def __init__(self) -> None:
        self.start(0)

    def start(self, step: int) -> None:
        self.at, self.step, self.tokens = time.perf_counter(), step, 0.0

    def read(self, step: int, tokens: float | None) -> dict[str, float]:
        now = time.perf_counter()
        seconds = now - self.at
        read = {"seconds": seconds / max(1, step - self.step), "peak_mib": peak_mib()}
        if tokens is not None and seconds > 0:
            read["tokens_per_second"] = max(0.0, tokens - self.tokens) / seconds
        self.at, self.step, self.tokens = now, step, tokens or 0.0
        return read


def peak_mib() -> float:
    """The most memory held so far, in MiB: of the GPU where there is one, else this process's resident memory."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 1024**2
    return peak_rss_mib()


def _callback(watch: Watch) -> Any:
    from transformers import TrainerCallback

    class WatchCallback(TrainerCallback):  # type: ignore[misc]
        """Hands a trainer's events to a `Watch`, and its decisions to the trainer."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
            """The clock starts."""
            watch._clock.start(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """What is about to be saved must be numbers."""
            if control.should_save and args.world_size == 1 and not finite(more["model"]):
                watch.spoilt_weights(state.global_step)
            _decide(watch, control)

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_more: Any) -> None:
            """A step's figures; evaluations and the summary at the end have none."""
            if "loss" in logs:
                before = watch.stopped
                watch.log(logs, state.global_step, first_process=state.is_world_process_zero, fp16=args.fp16)
                if watch.stopped and not before:
                    control.should_save = True  # where it can be looked at, and gone on from
                _decide(watch, control)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:
            """Comes once more after a stop."""
            _decide(watch, control)

    return WatchCallback()


def _decide(watch: Watch, control: Any) -> None:
    """End a run that an alarm stopped; spoilt weights must not take the place of a good checkpoint."""
    if watch.stopped:
        control.should_training_stop = True
    if watch.spoilt:
        control.should_save = control.should_evaluate = False


def finite(model: Any) -> bool:
    """Is every trainable weight a number?"""
    import torch

    return all(bool(torch.isfinite(weight).all()) for weight in model.parameters() if weight.requires_grad)
