"""A full disk, before a run and in the middle of a save, in one line."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import StageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What libraries written in other languages say: safetensors (Rust: the system's text and number), torch.save (C++).
SIGNS = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "os error 28",
    "os error 122",
    "os error 27",
    "pytorchstreamwriter failed",
    "inline_container.cc",
    "database or disk is full",
)
MARGIN = 1.1  # a file system keeps some blocks for itself
ADVICE = "free some space, or set align.trainer.save_total_limit = 1, and run `wardround train` again"


def ensure_space(folder: Path, needed: float, what: str) -> None:
    """See that ``needed`` bytes fit where ``folder`` is or will be made; ``what`` reads "two checkpoints".

    Raises:
        StageError: they do not.
    """
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < needed * MARGIN:
        raise StageError(
            f"no room for {what}: {_size(needed * MARGIN)} needed, {_size(free)} free",
            where=folder,
            advice="free some space, or move the workspace to another disk",
        )


def is_disk_full(error: BaseException) -> bool:
    """Is this error, or one that it was raised from, that of a full disk?"""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, OSError) and current.errno in FULL:
            return True
        if isinstance(current, Exception) and any(sign in str(current).lower() for sign in SIGNS):
            return True
        current = current.__cause__ or current.__context__
    return False


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Run something that saves checkpoints into ``folder``.

    What is half written stays for the next run, which removes it (`align.running.last_checkpoint`).

    Raises:
        StageError: the disk is full; it names the last whole checkpoint.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise StageError(f"the disk is full while saving; {_kept(folder)}", where=folder, advice=ADVICE) from error


def _kept(folder: Path) -> str:
    from align.running import last_checkpoint

    checkpoint = last_checkpoint(folder)
    if checkpoint is None:
        return "no checkpoint had been written before"
    return f"the last whole checkpoint is kept at {checkpoint}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
