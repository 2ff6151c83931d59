"""What a model's weights hash to, and whether those on disk are still the ones that were recorded."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ledger.errors import ModelError, TamperError
from ledger.records import ModelVersion, digest
from ledger.store import Ledger

WEIGHT_FILES = (
    *("*.safetensors", "*.bin", "config.json", "generation_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja"),
)
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")


def weights_hash(folder: Path) -> str:
    """A hash over the weight files of a model or adapter (and a model's configuration and tokenizer).

    Raises:
        ModelError: there are none.
    """
    adapters = [folder / name for name in ADAPTER_FILES if (folder / name).exists()]
    files = adapters or sorted({path for pattern in WEIGHT_FILES for path in folder.glob(pattern)})
    if not any(path.suffix in {".safetensors", ".bin"} for path in files):
        raise ModelError("no weights here (*.safetensors, *.bin)", where=folder, advice="check the path")
    return digest([[path.name, _file_hash(path)] for path in files])


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_weights(ledger: Ledger, root: Path, model_ids: list[str]) -> list[str]:
    """Hash the weights of these models anew; return the names of those whose weights are no longer there.

    Raises:
        TamperError: weights are not those that the ledger recorded.
    """
    gone: list[str] = []
    known = ledger.get_many(ModelVersion, model_ids)
    for model in (known[model_id] for model_id in model_ids):
        folder = root / model.path
        if not model.path or not folder.is_dir():
            gone.append(model.name)
        elif weights_hash(folder) != model.weights:
            raise TamperError(model.id, f"the weights in {folder} are not those that were recorded")
    return gone
