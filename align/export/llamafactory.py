"""LLaMA-Factory: ShareGPT conversations with a chosen and a rejected turn, `dataset_info.json`, and its YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from align.export.material import TRAINED, Files, Material, as_json, as_yaml, jsonl, merge_first
from align.export.rows import TrainingRow
from ledger.errors import InputError

DATASET = "wardround_pairs"
THINKING = "enable_thinking"
LOSSES = {"dpo": "sigmoid", "ipo": "ipo", "orpo": "orpo"}
ROLES = {"system": "system", "user": "human", "assistant": "gpt"}  # its names of the roles
TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
}
NOTES = (
    "llamafactory-cli train train.yaml, in this folder",
    "Without `template`, LLaMA-Factory reads one out of the tokenizer's; name yours (qwen3, llama3, ...) if it has it.",
)


def files(material: Material) -> Files:
    """``data/dataset_info.json``, ``data/train.jsonl`` and ``train.yaml``.

    Raises:
        InputError: a conversation does not alternate between user and assistant, which its loader drops in silence.
    """
    pairwise = material.config.method != "kto"
    rows = [_pair(row) if pairwise else _label(row) for row in material.rows()]
    for row in rows:
        _check(row["conversations"])
    columns = {"messages": "conversations"}
    columns.update({"chosen": "chosen", "rejected": "rejected"} if pairwise else {"kto_tag": "label"})
    info = {
        "file_name": "train.jsonl",
        "formatting": "sharegpt",
        **({"ranking": True} if pairwise else {}),
        "columns": columns,
        "tags": TAGS,
    }
    return {
        "data/dataset_info.json": as_json({DATASET: info}),
        "data/train.jsonl": jsonl(rows),
        "train.yaml": as_yaml(_settings(material), *NOTES, *_untold(material), *merge_first(material)),
    }


def _untold(material: Material) -> list[str]:
    """Its templates are its own, and are told of nothing but thinking."""
    others = [key for key in material.template if key != THINKING]
    return [f"Of [chat.template], LLaMA-Factory does not know: {', '.join(others)}"] if others else []


def _pair(row: TrainingRow) -> dict[str, Any]:
    return {
        "conversations": _turns(row["prompt"]),
        "chosen": _turns(row["chosen"])[0],
        "rejected": _turns(row["rejected"])[0],
    }


def _label(row: TrainingRow) -> dict[str, Any]:
    return {"conversations": _turns([*row["prompt"], *row["completion"]]), "label": row["label"]}


def _turns(turns: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"from": ROLES[turn["role"]], "value": turn["content"]} for turn in turns]


def _check(conversation: Sequence[Mapping[str, str]]) -> None:
    said = [turn["from"] for turn in conversation if turn["from"] != "system"]
    expected = ["human" if place % 2 == 0 else "gpt" for place in range(len(said))]
    if said != expected or any(turn["from"] == "system" for turn in conversation[1:]):
        raise InputError(
            "a conversation does not alternate between user and assistant, which LLaMA-Factory needs",
            where="--to llamafactory",
            advice="export to trl",
        )


def _settings(material: Material) -> dict[str, Any]:
    config = material.config
    stage = (
        {"stage": "kto", "pref_beta": material.beta}
        if config.method == "kto"
        else {"stage": "dpo", "pref_loss": LOSSES[config.method], "pref_beta": material.beta}
    )
    return {
        "model_name_or_path": material.model,
        "do_train": True,
        **stage,
        "finetuning_type": "lora",
        "lora_rank": config.lora_rank,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": 0.0,
        "lora_target": "all",
        "dataset_dir": "data",
        "dataset": DATASET,
        "cutoff_len": config.max_length,
        **({THINKING: material.template[THINKING]} if THINKING in material.template else {}),
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "num_train_epochs": config.epochs,
        "learning_rate": material.learning_rate,
        "lr_scheduler_type": "linear",
        "seed": config.seed,
        "save_steps": config.checkpoint_steps,
        "logging_steps": 5,
        "report_to": "none",
        "output_dir": TRAINED,
    }
