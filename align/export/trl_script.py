"""The plain TRL script that trains as `wardround train` does: from the same settings, for all to read and change."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from align.preference.methods import OWN, beta, learning_rate
from align.preference.runs import common_settings, lora
from ledger.config import AlignConfig

TRAINED = "trained"
# The settings that depend on the machine that trains, as the script finds them out there.
MACHINE: Mapping[str, str] = {
    "bf16": "cuda and torch.cuda.is_bf16_supported()",
    "fp16": "cuda and not torch.cuda.is_bf16_supported()",
    "gradient_checkpointing": "cuda",
    "use_cpu": "not cuda",
    "dataloader_pin_memory": "cuda",
}
TRAINERS: Mapping[str, tuple[str, str, str]] = {  # trainer, its configuration, where they are
    "dpo": ("DPOTrainer", "DPOConfig", "trl"),
    "ipo": ("DPOTrainer", "DPOConfig", "trl"),
    "orpo": ("ORPOTrainer", "ORPOConfig", "trl.experimental.orpo"),
    "kto": ("KTOTrainer", "KTOConfig", "trl"),
}

SCRIPT = '''\
"""{method} with plain TRL: what `wardround train` does, but for its pair weights, on the pairs in {data}."""

import torch
from datasets import load_dataset
from peft import {peft}
from transformers import AutoModelForCausalLM, AutoTokenizer
{trl}

cuda = torch.cuda.is_available()
tokenizer = AutoTokenizer.from_pretrained({model})
tokenizer.padding_side = "left"
if tokenizer.pad_token_id is None:
    tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(
    {model}, dtype="auto" if cuda else torch.float32, device_map="cuda" if cuda else "cpu"
)
{merges}trainer = {trainer}(
    model=model,
    args={config}(
{settings}
    ),
    train_dataset=load_dataset("json", data_files={data}, split="train"),
    processing_class=tokenizer,
    peft_config=LoraConfig(
{adapter}
    ),
)
trainer.train()
trainer.save_model({trained})
'''


def plain_trl_script(config: AlignConfig, model: str, data: str, adapters: Sequence[str] = ()) -> str:
    """A Python script that trains a LoRA adapter into ``trained/`` with TRL alone, as `wardround train` would.

    With all pair weights 1 it ends with the same adapter. The machine's own settings (bf16, checkpointing) are found
    out where it runs.

    Args:
        config: the method and its settings.
        model: folder or hub id of the base model.
        data: path of the rows, as `wardround export --to trl` writes them.
        adapters: folders of the adapters to merge into the base model, oldest first.
    """
    trainer, trainer_config, module = trainer_of(config.method)
    settings = {key: literal(value) for key, value in trl_settings(config, TRAINED).items()}
    settings.update({key: said for key, said in MACHINE.items() if key not in config.trainer})
    return SCRIPT.format(
        method=config.method.upper(),
        data=literal(data),
        peft="LoraConfig, PeftModel" if adapters else "LoraConfig",
        trl=f"from {module} import {trainer_config}, {trainer}",
        model=literal(model),
        merges="".join(
            f"model = PeftModel.from_pretrained(model, {literal(adapter)}).merge_and_unload()\n" for adapter in adapters
        ),
        trainer=trainer,
        config=trainer_config,
        settings=_arguments(settings),
        adapter=_arguments({key: literal(value) for key, value in lora_settings(config).items()}),
        trained=literal(TRAINED),
    )


def trainer_of(method: str) -> tuple[str, str, str]:
    """The names of TRL's trainer, of its configuration, and of the module that holds both."""
    return TRAINERS[method]


def trl_settings(config: AlignConfig, folder: str) -> dict[str, Any]:
    """What TRL's configuration is told, as `wardround train` does on this machine; ``folder`` gets the result."""
    return {
        **common_settings(config, Path(folder)),
        "learning_rate": learning_rate(config),
        "beta": beta(config),
        **OWN[config.method],  # not by length: plain TRL cannot tell how long its pairs are
        **config.trainer,
    }


def lora_settings(config: AlignConfig) -> dict[str, Any]:
    """What `LoraConfig` is told, as far as it is not PEFT's default."""
    from peft import LoraConfig

    plain = LoraConfig().to_dict()
    ours = lora(config).to_dict()
    return {key: value for key, value in ours.items() if value != plain.get(key)}


def literal(value: object) -> str:
    """``value`` as Python source: plain data alone.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return literal(sorted(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, str):
        return _text(str(value.value) if hasattr(value, "value") else value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    raise TypeError(f"no plain data: {type(value).__name__}")


def _text(value: str) -> str:
    """In double quotes: what JSON escapes, Python reads alike."""
    return json.dumps(value, ensure_ascii=False)


def _arguments(settings: Mapping[str, str]) -> str:
    return "\n".join(f"        {key}={said}," for key, said in settings.items())
