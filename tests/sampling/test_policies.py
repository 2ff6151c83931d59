"""Which model is meant, and what is said when there is none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.config import parse_config
from ledger.errors import InputError, ModelError, StageError
from ledger.records import Decision, ModelVersion, Round
from ledger.workspace import Workspace
from sampling.models import source_of
from sampling.policies import chosen_model, current_policy, newest_trained, promoted_policy, sft_model

HUB_ID = "ward/surgeon-0.1"


def configured(workspace: Workspace, **model: str) -> Workspace:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in model.items())
    return replace(workspace, config=parse_config(f"[model]\n{lines}"))


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's own store, empty, without a network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def downloaded(hub: Path, name: str, folder: Path) -> Path:
    """As the hub's client stores a model."""
    stored = hub / f"models--{name.replace('/', '--')}"
    snapshot = stored / "snapshots" / ("a" * 40)
    shutil.copytree(folder, snapshot)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("a" * 40)
    return snapshot


def some_adapter(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(content)
    return folder


def test_without_weights_the_sft_model_is_what_the_server_calls_so(workspace: Workspace) -> None:
    served = '[sample]\nengine = "openai"\n[server]\nbase_url = "http://localhost:1/v1"\n'
    opened = replace(workspace, config=parse_config(served))
    model = sft_model(opened)
    assert (model.name, model.weights) == ("sft", "served:sft")
    assert sft_model(opened) == model
    other = replace(workspace, config=parse_config(served + 'model = "large"\n'))
    assert sft_model(other).weights == "served:large"
    with pytest.raises(ModelError, match=r"model\.path: the weights of sft are known to a server alone"):
        source_of(opened, model)


def test_the_sft_model_is_entered_once(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    first, again = sft_model(opened), sft_model(opened)
    assert first == again == next(opened.ledger.read(ModelVersion))
    assert (first.name, first.method, first.parent, first.path) == ("sft", "sft", None, str(tiny_policy.resolve()))
    assert opened.ledger.count(ModelVersion) == 1


def test_a_model_within_the_workspace_has_a_relative_path(
    workspace: Workspace, tiny_policy: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_policy, tmp_path / "models" / "sft")
    inside = sft_model(configured(workspace, path="models/sft"))
    absolute = sft_model(configured(workspace, path=str(tmp_path / "models" / "sft")))
    assert inside.path == absolute.path == "models/sft"


def test_a_model_is_its_weights_wherever_they_lie(workspace: Workspace, tiny_policy: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_policy, tmp_path / "moved")
    before = sft_model(configured(workspace, path=str(tiny_policy)))
    after = sft_model(configured(workspace, path="moved"))
    assert before.id == after.id
    assert after.path == "moved"
    (tmp_path / "moved" / "chat_template.jinja").write_text("another")
    assert sft_model(configured(workspace, path="moved")).id != before.id


def test_an_adapter_makes_another_sft_model(workspace: Workspace, tiny_policy: Path, tmp_path: Path) -> None:
    some_adapter(tmp_path / "one", b"1")
    some_adapter(tmp_path / "two", b"2")
    plain = sft_model(configured(workspace, path=str(tiny_policy)))
    one = sft_model(configured(workspace, path=str(tiny_policy), adapter="one"))
    two = sft_model(configured(workspace, path=str(tiny_policy), adapter="two"))
    assert len({plain.id, one.id, two.id}) == 3
    assert plain.weights == one.weights == two.weights


def test_no_sft_model_is_one_line(workspace: Workspace) -> None:
    for ask in (sft_model, current_policy):
        with pytest.raises(ModelError, match=r"wardround.toml, model.path: no SFT model is named -> set it"):
            ask(workspace)


@pytest.mark.parametrize("path", ["/nowhere/model", "./nowhere", "~/nowhere/model", "nowhere", "no/such/place"])
@pytest.mark.usefixtures("offline")
def test_a_folder_that_is_not_there_is_one_line(path: str, workspace: Workspace, tiny_policy: Path) -> None:
    with pytest.raises(ModelError, match=f"^model.path {path}: there is no such folder"):
        sft_model(configured(workspace, path=path))
    with pytest.raises(ModelError, match=f"^model.adapter {path}: there is no such folder"):
        sft_model(configured(workspace, path=str(tiny_policy), adapter=path))


@pytest.mark.usefixtures("offline")
def test_a_hub_id_without_a_network_is_one_line(workspace: Workspace, tiny_policy: Path) -> None:
    with pytest.raises(ModelError, match=f"^model.path {HUB_ID}: neither a folder nor a model") as caught:
        sft_model(configured(workspace, path=HUB_ID))
    assert "\n" not in str(caught.value)
    assert "give the folder" in str(caught.value)
    with pytest.raises(ModelError, match=f"^model.adapter {HUB_ID}: neither"):
        sft_model(configured(workspace, path=str(tiny_policy), adapter=HUB_ID))


def test_a_hub_id_that_was_downloaded_before(offline: Path, workspace: Workspace, tiny_policy: Path) -> None:
    snapshot = downloaded(offline, HUB_ID, tiny_policy)
    here = sft_model(configured(workspace, path=str(tiny_policy)))
    from_hub = sft_model(configured(workspace, path=HUB_ID))
    assert from_hub.id == here.id
    assert (workspace.root / from_hub.path).resolve() == snapshot.resolve()


def test_an_adapter_from_the_hub(offline: Path, workspace: Workspace, tiny_policy: Path, tmp_path: Path) -> None:
    snapshot = downloaded(offline, HUB_ID, some_adapter(tmp_path / "adapter", b"1"))
    opened = configured(workspace, path=str(tiny_policy), adapter=HUB_ID)
    local = configured(workspace, path=str(tiny_policy), adapter="adapter")
    assert sft_model(opened).id == sft_model(local).id
    assert source_of(opened, sft_model(opened)).adapters == (snapshot,)


def trained(workspace: Workspace, parent: ModelVersion, number: int, *, promoted: bool) -> ModelVersion:
    model = ModelVersion(
        f"round-{number}", "dpo", f"w{number}", parent=parent.id, path=f"models/{number}", adapter=True
    )
    start = Round(number, parent.id, "dpo")
    end = Decision(start.id, model.id, parent.id, promoted, "because", 0.6, 0.55, 0.65, 20)
    workspace.ledger.append([model, start, end])
    return model


def test_the_policy_is_what_was_promoted_last(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    sft = sft_model(opened)
    assert current_policy(opened) == sft
    trained(opened, sft, 1, promoted=False)
    assert current_policy(opened) == sft
    second = trained(opened, sft, 2, promoted=True)
    assert current_policy(opened) == second
    third = trained(opened, second, 3, promoted=True)
    fourth = trained(opened, third, 4, promoted=False)
    assert current_policy(opened) == third
    assert newest_trained(opened) == fourth


def test_nothing_trained_is_one_line(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    sft_model(opened)
    with pytest.raises(StageError, match="no model was trained yet"):
        newest_trained(opened)


def test_a_model_is_chosen_by_name_or_id(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    assert chosen_model(opened, None) == chosen_model(opened, "sft")
    sft = sft_model(opened)
    first = trained(opened, sft, 1, promoted=True)
    assert chosen_model(opened, None) == first
    assert chosen_model(opened, "round-1") == chosen_model(opened, first.id) == first
    assert chosen_model(opened, "sft") == chosen_model(opened, sft.id[:12]) == sft
    with pytest.raises(InputError, match="no such model"):
        chosen_model(opened, "round-9")


def decided_again(workspace: Workspace, model: ModelVersion, *, promoted: bool) -> None:
    """A later decision on a model that was decided on before."""
    first = next(each for each in workspace.ledger.read(Decision) if each.model == model.id)
    workspace.ledger.append([replace(first, promoted=promoted, reason="on reflection", forced="somebody said so")])


def test_the_last_decision_on_a_model_holds(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    sft = sft_model(opened)
    first = trained(opened, sft, 1, promoted=True)
    second = trained(opened, first, 2, promoted=True)
    decided_again(opened, second, promoted=False)
    assert current_policy(opened) == promoted_policy(opened) == first
    decided_again(opened, first, promoted=False)
    assert promoted_policy(opened) is None
    assert current_policy(opened) == sft


def test_what_was_held_may_be_promoted_later(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    first = trained(opened, sft_model(opened), 1, promoted=False)
    assert promoted_policy(opened) is None
    decided_again(opened, first, promoted=True)
    assert current_policy(opened) == promoted_policy(opened) == first


def test_the_newest_goes_on_whatever_the_gate_says_where_that_is_configured(
    workspace: Workspace, tiny_policy: Path
) -> None:
    lines = f'[model]\npath = "{tiny_policy}"\n[gate]\nnext_policy = "newest"'
    opened = replace(workspace, config=parse_config(lines))
    sft = sft_model(opened)
    assert current_policy(opened) == sft
    first = trained(opened, sft, 1, promoted=True)
    assert current_policy(opened) == first
    second = trained(opened, first, 2, promoted=False)
    assert current_policy(opened) == second
    assert promoted_policy(opened) == first
