"""Weights on disk against the hash in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import ModelError, TamperError
from ledger.records import ModelVersion
from ledger.store import Ledger
from ledger.weights import check_weights, weights_hash


@pytest.fixture
def model(ledger: Ledger, tmp_path: Path) -> ModelVersion:
    """A recorded adapter whose weights lie in the workspace."""
    folder = tmp_path / "models" / "adapter"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)))
    recorded = ModelVersion(name="dpo", method="dpo", weights=weights_hash(folder), path="models/adapter")
    ledger.append([recorded])
    return recorded


def test_weights_that_are_those_recorded_pass(ledger: Ledger, model: ModelVersion, tmp_path: Path) -> None:
    assert check_weights(ledger, tmp_path, [model.id]) == []


def test_one_changed_byte_names_the_model(ledger: Ledger, model: ModelVersion, tmp_path: Path) -> None:
    file = tmp_path / model.path / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(TamperError) as found:
        check_weights(ledger, tmp_path, [model.id])
    assert found.value.record_id == model.id


def test_weights_that_are_gone_are_named(ledger: Ledger, model: ModelVersion, tmp_path: Path) -> None:
    assert check_weights(ledger, tmp_path / "elsewhere", [model.id]) == ["dpo"]


def test_a_folder_without_weights_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights here"):
        weights_hash(tmp_path)
