"""A full disk is named, and the last whole checkpoint with it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from align.disk import ensure_space, full_disk_explained, is_disk_full
from ledger.errors import StageError

# Saves as a trainer does (safetensors, torch.save, text) under a limit of 100 kB a file: the kernel answers EFBIG.
FILLER = """
import resource, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from align.disk import full_disk_explained
from ledger.errors import StageError

SAVES = {
    "safetensors": lambda place: save_file(weights, place / "adapter_model.safetensors"),
    "torch": lambda place: torch.save(weights, place / "optimizer.pt"),
    "text": lambda place: (place / "vocab.json").write_text("x" * 200_000),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
folder = Path(sys.argv[1])
weights = {"weight": torch.zeros(200_000)}
for save in SAVES.values():
    partial = folder / "checkpoint-4"
    partial.mkdir()
    try:
        with full_disk_explained(folder):
            save(partial)
    except StageError as error:
        print(error)
"""


def checkpoint(folder: Path, step: int) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return made


def test_real_saves_without_room(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path, 2)
    done = subprocess.run([sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith(
            f"{tmp_path}: the disk is full while saving; the last whole checkpoint is kept at {kept}"
        )
        assert "-> free some space" in line
    assert kept.exists()
    assert not (tmp_path / "checkpoint-4").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_errors_of_a_full_disk(error: Exception) -> None:
    assert is_disk_full(error)
    outer = ValueError("saving failed")
    outer.__cause__ = error
    assert is_disk_full(outer)


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), ValueError("no"), RuntimeError("nan")])
def test_other_errors_pass_as_they_are(error: Exception, tmp_path: Path) -> None:
    assert not is_disk_full(error)
    with pytest.raises(type(error)) as caught, full_disk_explained(tmp_path):
        raise error
    assert caught.value is error


def test_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no checkpoint had been written"), full_disk_explained(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


class TestEnsureSpace:
    def test_enough(self, tmp_path: Path) -> None:
        ensure_space(tmp_path / "not" / "yet" / "there", 1_000, "A checkpoint")
        assert not (tmp_path / "not").exists()

    def test_too_little(self, tmp_path: Path) -> None:
        with pytest.raises(
            StageError, match=r"no room for two checkpoints: 1181116006.4 GiB needed, [\d.]+ [KMG]iB free"
        ):
            ensure_space(tmp_path / "there", 2**60, "two checkpoints")

    def test_a_relative_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        ensure_space(Path("models/checkpoints"), 10, "A checkpoint")
