"""A trainer's run: with progress, from its last whole checkpoint on, and its result in its place as a whole."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from align.disk import full_disk_explained
from align.processes import is_main
from ledger.errors import StageError
from ledger.screen import Advance, progress

CHECKPOINT_STATE = "trainer_state.json"  # the last file of a checkpoint that is written


def run_trainer(trainer: Any, folder: Path, label: str) -> dict[str, float]:
    """Run any TRL trainer with progress, from its last whole checkpoint; return the last logged figures.

    Raises:
        StageError: the loss is not a number, or the disk is full.
    """
    from transformers import PrinterCallback

    checkpoint = last_checkpoint(folder)
    done = step_of_checkpoint(checkpoint)
    trainer.remove_callback(PrinterCallback)
    with full_disk_explained(folder), progress(label, _steps(trainer), done) as advance:
        trainer.add_callback(_progress_callback(advance))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history = trainer.state.log_history
    losses = [entry[name] for entry in history for name in ("loss", "train_loss") if name in entry]
    if not all(map(math.isfinite, losses)):
        raise StageError("the loss is not a number any more", where=label, advice="lower align.learning_rate")
    return last_figures(history)


def _steps(trainer: Any) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    per_epoch = -(-len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps)
    return int(per_epoch * args.num_train_epochs)


def _progress_callback(advance: Advance) -> Any:
    from transformers import TrainerCallback

    class ShowProgress(TrainerCallback):  # type: ignore[misc]
        """Advances the bar by one a step."""

        def on_step_end(self, *_arguments: Any, **_settings: Any) -> None:
            """One optimiser step is done."""
            advance(1)

    return ShowProgress()


def last_figures(history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The figures of the last step that was logged."""
    steps = [entry for entry in history if "loss" in entry]
    return {name: float(value) for name, value in steps[-1].items()} if steps else {}


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; those cut off by a kill are removed."""
    whole: list[Path] = []
    for path in folder.glob("checkpoint-*"):
        if _is_whole(path):
            whole.append(path)
        elif is_main():
            shutil.rmtree(path)
    return max(whole, key=step_of_checkpoint, default=None)


def step_of_checkpoint(checkpoint: Path | None) -> int:
    """After which step it was written; 0 where there is none."""
    return int(checkpoint.name.split("-")[1]) if checkpoint else 0


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / CHECKPOINT_STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def in_place_of(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a new folder, and give it its name only when it is whole."""
    partial = partial_of(folder)
    partial.mkdir(parents=True)
    write(partial)
    put_in_place(partial, folder)


def partial_of(folder: Path) -> Path:
    """Where a folder is written to before it has its name; what was left there is swept away."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    return partial


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a whole folder its name; the one that had it goes."""
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
