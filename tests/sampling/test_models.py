"""Weights are known by their bytes, an adapter is merged onto what it was trained on, and failures are one line."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.config import ModelConfig, parse_config
from ledger.errors import ModelError
from ledger.records import ModelVersion
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.models import (
    PolicySource,
    is_hub_id,
    load_policy,
    load_tokenizer,
    located,
    merged,
    source_of,
)
from sampling.policies import sft_model
from tests.lora_adapters import make_adapters


def configured(workspace: Workspace, **model: object) -> Workspace:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in model.items())
    return replace(workspace, config=parse_config(f"[model]\n{lines}"))


def source(folder: Path, *adapters: Path, **config: Any) -> PolicySource:
    return PolicySource(str(folder), adapters, ModelConfig(**config))


@pytest.fixture(scope="module")
def adapters(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two LoRA adapters for the tiny policy that change what it says."""
    first, second = make_adapters(tiny_policy, tmp_path_factory.mktemp("adapters"), ranks=(2, 4), alpha=16)
    return first, second


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(torch.tensor([[5, 6, 7, 8]])).logits


def merged_by_hand(base: Path, adapters: tuple[Path, ...]) -> Any:
    """W + (alpha / r) B A, one adapter after the other, straight from the files (Hu et al., 2022)."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    weights = model.state_dict()
    for adapter in adapters:
        config = json.loads((adapter / "adapter_config.json").read_text())
        stored = load_file(adapter / "adapter_model.safetensors")
        for name in [name for name in stored if "lora_A" in name]:
            change = stored[name.replace("lora_A", "lora_B")] @ stored[name]
            target = name.removeprefix("base_model.model.").replace("lora_A.weight", "weight")
            weights[target] += config["lora_alpha"] / config["r"] * change
    model.load_state_dict(weights)
    return model.eval()


def test_a_chain_of_adapters_is_merged_one_after_the_other(
    workspace: Workspace, tiny_policy: Path, adapters: tuple[Path, Path]
) -> None:
    import torch

    opened = configured(workspace, path=str(tiny_policy))
    base = sft_model(opened)
    first = ModelVersion("round-1", "dpo", "w1", parent=base.id, path=str(adapters[0]), adapter=True)
    second = ModelVersion("round-2", "dpo", "w2", parent=first.id, path=str(adapters[1]), adapter=True)
    opened.ledger.append([first, second])
    assert source_of(opened, base).adapters == ()
    assert source_of(opened, second) == source(tiny_policy, *adapters, path=str(tiny_policy))

    loaded = {model.name: logits(load_policy(source_of(opened, model))) for model in (base, first, second)}
    for name, chain in {"sft": (), "round-1": adapters[:1], "round-2": adapters}.items():
        torch.testing.assert_close(loaded[name], logits(merged_by_hand(tiny_policy, chain)), atol=1e-4, rtol=1e-4)
    assert (loaded["sft"] - loaded["round-1"]).abs().max() > 0.01
    assert (loaded["round-1"] - loaded["round-2"]).abs().max() > 0.01


def test_a_merged_model_is_a_plain_model_in_evaluation_mode(tiny_policy: Path, adapters: tuple[Path, Path]) -> None:
    model = load_policy(source(tiny_policy, *adapters, device="cpu"))
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert not model.training
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_the_sft_models_own_adapter_comes_first(
    workspace: Workspace, tiny_policy: Path, adapters: tuple[Path, Path]
) -> None:
    opened = configured(workspace, path=str(tiny_policy), adapter=str(adapters[0]))
    sft = sft_model(opened)
    trained = ModelVersion("round-1", "dpo", "w1", parent=sft.id, path=str(adapters[1]), adapter=True)
    opened.ledger.append([trained])
    assert source_of(opened, sft).adapters == adapters[:1]
    assert source_of(opened, trained).adapters == adapters


def test_another_sft_adapter_is_never_put_under_a_model(
    workspace: Workspace, tiny_policy: Path, adapters: tuple[Path, Path]
) -> None:
    before = configured(workspace, path=str(tiny_policy), adapter=str(adapters[0]))
    adapted, plain = sft_model(before), sft_model(configured(workspace, path=str(tiny_policy)))
    for adapter in (str(adapters[1]), ""):
        with pytest.raises(ModelError, match=r"not the adapter that sft .* was entered with"):
            source_of(configured(workspace, path=str(tiny_policy), adapter=adapter), adapted)
    assert source_of(before, plain).adapters == ()


@pytest.mark.parametrize("said", ["\n\nwrong\nand more", ""])
def test_whatever_a_loader_says_is_one_line(said: str, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    def refuse(*_given: object, **_named: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(ModelError, match=f"the tokenizer does not load: {'wrong' if said else 'RuntimeError'} ->"):
        load_tokenizer(source(tiny_policy))


def test_an_adapter_without_a_parent_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^orphan: an adapter without a parent"):
        source_of(workspace, ModelVersion("orphan", "dpo", "w", path=str(tmp_path), adapter=True))


def test_a_base_model_that_moved_is_found_by_its_weights(
    workspace: Workspace, tiny_policy: Path, tmp_path: Path
) -> None:
    for place in ("here", "there", "another"):
        shutil.copytree(tiny_policy, tmp_path / place)
    flip(tmp_path / "another" / "model.safetensors")
    sft = sft_model(configured(workspace, path="here"))
    shutil.rmtree(tmp_path / "here")
    assert source_of(configured(workspace, path="there"), sft).base == str(tmp_path / "there")
    for path in ("another", ""):
        with pytest.raises(ModelError, match=f"the weights of sft {sft.id[:12]} are gone -> put them back"):
            source_of(configured(workspace, path=path), sft)


def test_what_is_gone_is_never_looked_up_on_the_hub(workspace: Workspace, tiny_policy: Path) -> None:
    opened = configured(workspace, path=str(tiny_policy))
    sft = sft_model(opened)
    trained = ModelVersion("round-1", "dpo", "w1", parent=sft.id, path="models/round-1", adapter=True)
    opened.ledger.append([trained])
    with pytest.raises(ModelError, match=r"^models/round-1: the weights of round-1 .* are gone"):
        source_of(opened, trained)


def test_paths_within_the_workspace_come_first(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert located(workspace, "models") == tmp_path / "models"
    assert located(workspace, "elsewhere") == Path("elsewhere")
    assert located(workspace, "/data/sft") == Path("/data/sft")
    assert located(workspace, "~/sft") == Path.home() / "sft"


def test_hub_ids_are_told_from_folders() -> None:
    assert is_hub_id("Qwen/Qwen3-0.6B")
    assert not any(is_hub_id(path) for path in ("gpt2", "./a", "../a", "/a", "~/a", "a/b/c", ""))


def flip(path: Path, at: int = -1) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        *("model.safetensors", "config.json", "generation_config.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    ],
)
def test_one_byte_changes_the_hash(name: str, tiny_policy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_policy, copy)
    assert weights_hash(copy) == weights_hash(tiny_policy)
    for at in (0, -1):
        flip(copy / name, at)
        assert weights_hash(copy) != weights_hash(tiny_policy)
        flip(copy / name, at)
    assert weights_hash(copy) == weights_hash(tiny_policy)


def test_what_does_not_change_a_model_does_not_change_its_hash(tiny_policy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_policy, copy)
    (copy / "README.md").write_text("a card")
    assert weights_hash(copy) == weights_hash(tiny_policy)
    (copy / "model.safetensors").rename(copy / "other.safetensors")
    assert weights_hash(copy) != weights_hash(tiny_policy)


def test_an_adapter_is_hashed_by_its_own_weights(
    adapters: tuple[Path, Path], tiny_policy: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(adapters[0], copy)
    shutil.copy(tiny_policy / "tokenizer.json", copy)
    assert weights_hash(copy) == weights_hash(adapters[0]) != weights_hash(adapters[1])
    flip(copy / "adapter_model.safetensors")
    assert weights_hash(copy) != weights_hash(adapters[0])


def test_no_weights_are_one_line(tiny_policy: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_policy / "config.json", tmp_path)
    with pytest.raises(ModelError, match="no weights here"):
        weights_hash(tmp_path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


BREAKAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights cut short": ("the model does not load", lambda copy: cut(copy / "model.safetensors")),
    "no weights": ("the model does not load", lambda copy: (copy / "model.safetensors").unlink()),
    "weights of zero bytes": ("the model does not load", lambda copy: (copy / "model.safetensors").write_bytes(b"")),
    "no configuration": ("does not load", lambda copy: (copy / "config.json").unlink()),
    "configuration no JSON": ("does not load", lambda copy: (copy / "config.json").write_text("{")),
    "unknown architecture": (
        "the model does not load",
        lambda copy: (copy / "config.json").write_text('{"model_type": "of the future"}'),
    ),
    "tokenizer no JSON": ("the tokenizer does not load", lambda copy: (copy / "tokenizer.json").write_text("{")),
    "tokenizer of another format": (
        "the tokenizer does not load",
        lambda copy: (copy / "tokenizer.json").write_text('{"version": "9", "added_tokens": [], "model": {}}'),
    ),
    "no chat template": ("the tokenizer has no chat template", lambda copy: (copy / "chat_template.jinja").unlink()),
    "no end token": (
        "neither an end nor a padding token",
        lambda copy: (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}'),
    ),
    "everything": ("does not load", shutil.rmtree),
}


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_broken_folder_is_one_line(how: str, tiny_policy: Path, tmp_path: Path) -> None:
    said, broken = BREAKAGES[how]
    copy = tmp_path / "copy"
    shutil.copytree(tiny_policy, copy)
    broken(copy)
    with pytest.raises(ModelError, match=said) as caught:
        (load_tokenizer(source(copy)), load_policy(source(copy)))
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.advice


def test_a_broken_adapter_is_one_line(tiny_policy: Path, adapters: tuple[Path, Path], tmp_path: Path) -> None:
    model = load_policy(source(tiny_policy))
    broken = {name: tmp_path / name for name in ("short", "garbled", "other", "absent")}
    for name in ("short", "garbled", "other"):
        shutil.copytree(adapters[0], broken[name])
    cut(broken["short"] / "adapter_model.safetensors")
    (broken["garbled"] / "adapter_config.json").write_text("{")
    config = json.loads((broken["other"] / "adapter_config.json").read_text())
    (broken["other"] / "adapter_config.json").write_text(json.dumps({**config, "r": 3}))
    for place in broken.values():
        with pytest.raises(ModelError, match="the adapter does not load") as caught:
            merged(model, [place])
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_tokenizer_pads_on_the_left(tiny_policy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_policy, copy)
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": "right"}))
    tokenizer = load_tokenizer(source(copy))
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token == "<|im_end|>"
    assert load_tokenizer(source(tiny_policy)).pad_token == "<|pad|>"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_weights_are_of_the_type_that_is_asked_for(dtype: str, tiny_policy: Path) -> None:
    import torch

    assert load_policy(source(tiny_policy, dtype=dtype, device="cpu")).dtype == getattr(torch, dtype)


def test_without_a_gpu_weights_are_whole(tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = load_policy(source(tiny_policy))
    assert (model.dtype, model.device.type) == (torch.float32, "cpu")


def test_a_device_that_is_not_there_is_one_line(tiny_policy: Path) -> None:
    with pytest.raises(ModelError, match="the model does not load"):
        load_policy(source(tiny_policy, device="nonsense:7"))


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_quantised_loading_without_bitsandbytes_is_one_line(
    quantization: str, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match=f"{quantization} loading needs bitsandbytes") as caught:
        load_policy(source(tiny_policy, quantization=quantization))
    assert "pip install 'wardround[quantization]'" in str(caught.value)
