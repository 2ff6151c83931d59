"""Who is probed beside the two that are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from align.probes.report import probe_report
from align.probes.stage import probe
from align.probes.versions import base_model, probed_versions
from ledger.config import parse_config
from ledger.errors import ModelError
from ledger.records import ModelVersion
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import source_of
from sampling.policies import sft_model
from tests.align.probes.probed import ROWS, with_probes
from tests.lora_adapters import make_adapters

pytestmark = pytest.mark.usefixtures("one_thread")


def configured(workspace: Workspace, **tables: str) -> Workspace:
    text = "\n".join(f"[{name}]\n{lines}" for name, lines in tables.items())
    return replace(workspace, config=parse_config(text))


def other(name: str) -> ModelVersion:
    return ModelVersion(name, "dpo", f"weights of {name}")


def test_the_opponent_then_the_model_then_sft(workspace: Workspace, tiny_policy: Path) -> None:
    own = configured(workspace, model=f'path = "{tiny_policy}"')
    sft, ours, theirs = sft_model(own), other("ours"), other("theirs")
    assert probed_versions(own, ours, theirs) == [theirs, ours, sft]
    assert probed_versions(own, ours, sft) == [sft, ours]
    assert probed_versions(own, sft, ours) == [ours, sft]


def test_the_base_of_an_adapter_is_what_it_lies_on(workspace: Workspace, tiny_policy: Path, tmp_path: Path) -> None:
    (adapter,) = make_adapters(tiny_policy, tmp_path / "adapters", [2], 8)
    own = configured(workspace, model=f'path = "{tiny_policy}"\nadapter = "{adapter}"')
    sft, ours = sft_model(own), other("ours")
    base = base_model(own, sft)
    assert base is not None
    assert (base.name, base.method, base.weights) == ("base", "base", sft.weights)
    assert source_of(own, sft).adapters == (adapter,)
    assert source_of(own, base).adapters == ()
    assert probed_versions(own, ours, sft) == [sft, ours, base]
    assert own.ledger.get(ModelVersion, base.id) == base


def test_the_base_is_probed_and_what_was_forgotten_since_is_told(
    workspace: Workspace, tiny_policy: Path, tmp_path: Path
) -> None:
    (adapter,) = make_adapters(tiny_policy, tmp_path / "adapters", [4], 64)
    plain = with_probes(workspace, tiny_policy, rows=ROWS[:5])
    model = plain.config.model.model_copy(update={"adapter": str(adapter)})
    own = replace(plain, config=plain.config.model_copy(update={"model": model}))
    sft = sft_model(own)
    twin = replace(sft, name="twin")
    own.ledger.append([twin])
    versions = probed_versions(own, twin, sft)
    assert [each.name for each in versions] == ["sft", "twin", "base"]
    probed = probe(own, versions)
    answers = [probed.measures[each.id].answers for each in versions]
    assert all(each.keys() == set(probed.plan.answered) for each in answers)
    found = probe_report(probed, twin, sft, own.config.evaluate)
    assert found is not None
    assert list(found.against) == ["sft", "base"]
    assert "  since base, general abilities: " in found.text()


def test_the_base_that_is_named(workspace: Workspace, tiny_policy: Path) -> None:
    """Whether or not SFT is an adapter; its weights are its own."""
    own = configured(workspace, model=f'path = "{tiny_policy}"', probes=f'base = "{tiny_policy}"')
    base = base_model(own, sft_model(own))
    assert base is not None
    assert (base.name, base.weights, base.path) == ("base", weights_hash(tiny_policy), str(tiny_policy))
    assert source_of(own, base).base == str(tiny_policy)
    gone = configured(workspace, model=f'path = "{tiny_policy}"', probes='base = "./gone"')
    with pytest.raises(ModelError, match=r"probes\.base \./gone: there is no such folder"):
        base_model(gone, sft_model(gone))


def test_no_base_where_none_is_known(workspace: Workspace, tiny_policy: Path) -> None:
    own = configured(workspace, model=f'path = "{tiny_policy}"')
    assert base_model(own, sft_model(own)) is None
    served = configured(workspace, sample='engine = "openai"', probes=f'base = "{tiny_policy}"')
    assert base_model(served, sft_model(served)) is None
