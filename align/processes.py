"""One training run in several processes, as `accelerate launch` starts them: who writes, who waits, who speaks.

The main process alone writes to the ledger, to the screen and to the models' folder. What it finds in the ledger it
tells the others, so that all train on the same pairs; where it fails, all end.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from ledger.errors import ConfigError, InputError
from ledger.workspace import Workspace

T = TypeVar("T")

CONFIGS = Path(__file__).with_name("accelerate_configs")
FAILED = 2  # exit code of a launch


def world_size() -> int:
    """How many processes train together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Is this the process that writes? Said by the launcher's environment: torch is not loaded for it."""
    return int(os.environ.get("RANK", "0")) == 0


def share_of(batch: int) -> int:
    """How many rows of a batch each process takes, so that a step is the same however many processes share it.

    Raises:
        ConfigError: they cannot share it evenly.
    """
    size = world_size()
    if batch % size:
        raise ConfigError(
            f"{size} processes cannot share a batch of {batch}",
            where="align.batch_size",
            advice=f"make it a multiple of {size}",
        )
    return batch // size


def from_main(find: Callable[[], T]) -> T:
    """What ``find`` returns in the main process, in all of them; the others do not call it.

    Where it fails there, the main process raises and the others end without a word.
    """
    if world_size() == 1:
        return find()
    if not is_main():
        return cast(T, _heard())
    try:
        found = find()
    except BaseException:
        _broadcast([False, None])
        raise
    _broadcast([True, found])
    return found


def _heard() -> Any:
    well, found = _broadcast([False, None])
    if not well:
        raise SystemExit(0)  # another code would have the launcher kill the main process before it says why
    return found


def _broadcast(message: list[Any]) -> list[Any]:
    """Rank 0's message, in all processes."""
    from accelerate.utils import broadcast_object_list

    _connect()
    return list(broadcast_object_list(message, from_process=0))


@cache
def _connect() -> None:
    """Set up the processes' connection where nobody has yet, and the process's own GPU; end it with the process.

    Otherwise the threads of the connection may still run when the interpreter is gone, and abort the process.
    """
    from accelerate import PartialState

    state = PartialState(cpu=not _has_gpu())
    atexit.register(state.destroy_process_group)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block first, then all the others, who find there what it has written."""
    if world_size() == 1:
        yield
        return
    from accelerate import PartialState

    _connect()
    with PartialState().main_process_first():
        yield


def all_here() -> None:
    """Wait until every process has come here."""
    from_main(lambda: None)


@contextmanager
def main_stage(workspace: Workspace, name: str, **detail: Any) -> Iterator[dict[str, Any]]:
    """`Workspace.stage` in the main process; in the others nothing is logged."""
    if not is_main():
        yield {}
        return
    with workspace.stage(name, **detail) as outcome:
        yield outcome


@contextmanager
def only_main_speaks() -> Iterator[None]:
    """What the other processes would show is the same, so nobody sees it. Errors that leave the block still show."""
    with ExitStack() as stack:
        if not is_main():
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(nowhere))
            stack.enter_context(redirect_stderr(nowhere))
        yield


def launch_config(name: str) -> Path:
    """The accelerate configuration that goes by ``name``: one of ours, or a file.

    Raises:
        InputError: there is none.
    """
    ours = {path.stem: path for path in CONFIGS.glob("*.yaml")}
    found = ours.get(name, Path(name))
    if not found.is_file():
        raise InputError(
            f"no such accelerate configuration: {name}",
            where="--accelerate",
            advice=f"one of {', '.join(sorted(ours))}",
        )
    return found


def launch(config: str, arguments: Sequence[str]) -> int:
    """Run `wardround ARGUMENTS` in the processes that an accelerate configuration says; their exit code.

    Raises:
        InputError: there is no such configuration.
    """
    import subprocess

    program = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(launch_config(config))]
    done = subprocess.run([*program, "-m", "wardround", *arguments], check=False)
    return FAILED if done.returncode else 0
