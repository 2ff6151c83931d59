"""The model card that lies beside a fine-tuned model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from align.card import NOTICE


def sft_card(facts: Mapping[str, Any]) -> str:
    """Markdown: what the model was made from (``facts``: see `align/sft_stage.py`), and what it is not for."""
    settings, libraries = facts["settings"], facts["libraries"]
    is_adapter = bool(settings["lora_rank"])
    shown = {
        "Base model": facts["base"],
        "Hash of the base's weights": facts["base_weights"],
        "Trained": f"LoRA adapter of rank {settings['lora_rank']}" if is_adapter else "all weights",
        "Questions": facts["prompts"],
        "Hash of the questions": facts["prompts_hash"],
        "Epochs": settings["epochs"],
        "Learning rate": settings["learning_rate"],
        "Batch size": settings["batch_size"],
        "Seed": settings["seed"],
        "Code": facts["code"],
        "Libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in shown.items())
    library = "peft" if is_adapter else "transformers"
    return (
        f"---\nlibrary_name: {library}\ntags: [wardround, sft]\n---\n\n# Supervised fine-tuned model\n\n"
        f"**{NOTICE}**\n\n| | |\n|---|---|\n{rows}\n\n"
        "Learned from the references of the train questions alone; held-out questions and their near-duplicates were\n"
        "left out.\n"
    )
