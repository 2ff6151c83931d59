"""Axolotl: `chat_template.default` pairs (messages, chosen, rejected) and its YAML, for DPO and IPO.

Its ORPO strategy reads the first two turns of a conversation alone, and its KTO strategies write ChatML or Llama-3 by
themselves, whatever the model's own template (axolotl 0.19, prompt_strategies/orpo and kto): both would train on other
text than the policy is asked with, so they are refused. So is `[chat.template]`, which its pair strategies do not hand
to the template.
"""

from __future__ import annotations

from typing import Any

from align.export.material import DATA, TRAINED, Files, Material, as_yaml, jsonl, merge_first
from ledger.errors import InputError

LOSSES = {"dpo": "sigmoid", "ipo": "ipo"}


def files(material: Material) -> Files:
    """``data/train.jsonl`` and ``axolotl.yaml``.

    Raises:
        InputError: Axolotl would train on other text than the policy is asked with.
    """
    if material.template:
        raise InputError(
            f"Axolotl renders pairs without {', '.join(material.template)}",
            where="--to axolotl, chat.template",
            advice="--to trl",
        )
    if material.config.method not in LOSSES:
        raise InputError(
            f"Axolotl does not render {material.config.method} with the model's own chat template",
            where="--to axolotl",
            advice=f"--method {' or '.join(LOSSES)}, or --to trl",
        )
    rows = [
        {"messages": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]}
        for row in material.rows()
    ]
    note = "axolotl train axolotl.yaml, in this folder"
    return {DATA: jsonl(rows), "axolotl.yaml": as_yaml(_settings(material), note, *merge_first(material))}


def _settings(material: Material) -> dict[str, Any]:
    config = material.config
    dataset = {"path": "json", "data_files": [DATA], "split": "train", "type": "chat_template.default"}
    fields = {"field_messages": "messages", "field_chosen": "chosen", "field_rejected": "rejected"}
    return {
        "base_model": material.model,
        "rl": "dpo",
        "dpo_loss_type": [LOSSES[config.method]],
        "rl_beta": material.beta,
        "chat_template": "tokenizer_default",
        "datasets": [{**dataset, **fields}],
        "adapter": "lora",
        "lora_r": config.lora_rank,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": 0.0,
        "lora_target_linear": True,
        "sequence_len": config.max_length,
        "micro_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "num_epochs": config.epochs,
        "learning_rate": material.learning_rate,
        "lr_scheduler": "linear",
        "optimizer": "adamw_torch",
        "seed": config.seed,
        "bf16": "auto",
        "gradient_checkpointing": True,
        "precompute_ref_log_probs": True,
        "save_steps": config.checkpoint_steps,
        "logging_steps": 5,
        "output_dir": TRAINED,
    }
