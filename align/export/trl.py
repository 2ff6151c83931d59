"""TRL: conversational rows, the settings of its command line, and the script that says the same in Python."""

from __future__ import annotations

from typing import Any

from align.export.material import DATA, TRAINED, Files, Material, as_yaml, jsonl, merge_first
from align.export.trl_script import MACHINE, lora_settings, plain_trl_script, trl_settings

COMMANDS = {"dpo": "dpo", "ipo": "dpo", "kto": "kto"}  # ORPO is in no command line of TRL 1.16


def files(material: Material) -> Files:
    """Rows, ``train.py`` and, but for ORPO, ``config.yaml`` for ``trl dpo|kto --config config.yaml``."""
    method = material.config.method
    found = {
        DATA: jsonl(material.rows()),
        "train.py": plain_trl_script(material.config, material.model, DATA, material.adapters),
    }
    if method in COMMANDS:
        command = f"trl {COMMANDS[method]} --config config.yaml, in this folder; train.py does the same"
        found["config.yaml"] = as_yaml(_settings(material), command, *merge_first(material))
    return found


def _settings(material: Material) -> dict[str, Any]:
    ours = {key: value for key, value in trl_settings(material.config, TRAINED).items() if key not in MACHINE}
    adapter = lora_settings(material.config)
    return {
        "model_name_or_path": material.model,
        "dataset_name": "data",
        **ours,
        "use_peft": True,
        "lora_r": adapter["r"],
        "lora_alpha": adapter["lora_alpha"],
        "lora_dropout": adapter.get("lora_dropout", 0.0),
        "lora_target_modules": adapter["target_modules"],
    }
