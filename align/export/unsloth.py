"""Unsloth: TRL's rows and trainers, on a model that Unsloth has loaded and patched."""

from __future__ import annotations

from align.export.material import DATA, TRAINED, Files, Material, jsonl, merge_first
from align.export.trl_script import literal, trainer_of, trl_settings

NOT_OURS = ("bf16", "use_cpu", "dataloader_pin_memory", "gradient_checkpointing")  # Unsloth settles these
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

SCRIPT = '''\
"""{method} with Unsloth, on the pairs in {data}. Run it in this folder, on a machine with a GPU."""

from unsloth import FastLanguageModel, PatchDPOTrainer  # before TRL: it changes what TRL imports

PatchDPOTrainer()

from datasets import load_dataset
{imports}

{merges}model, tokenizer = FastLanguageModel.from_pretrained({model}, max_seq_length={max_length}, load_in_4bit=False)
model = FastLanguageModel.get_peft_model(
    model,
    r={rank},
    lora_alpha={alpha},
    lora_dropout=0,
    target_modules={targets},
    use_gradient_checkpointing="unsloth",
    random_state={seed},
)
trainer = {trainer}(
    model=model,
    ref_model=None,
    args={config}(
{settings}
    ),
    train_dataset=load_dataset("json", data_files={data}, split="train"),
    processing_class=tokenizer,
)
trainer.train()
trainer.save_model({trained})
'''
WITHOUT_REFERENCE = ("orpo", "kto")  # ORPO has none, and TRL's KTO makes its own from the adapter


def files(material: Material) -> Files:
    """``data/train.jsonl`` and ``train.py``."""
    return {DATA: jsonl(material.rows()), "train.py": _script(material)}


def _script(material: Material) -> str:
    config = material.config
    trainer, trainer_config, module = trainer_of(config.method)
    settings = {key: value for key, value in trl_settings(config, TRAINED).items() if key not in NOT_OURS}
    text = SCRIPT.format(
        method=config.method.upper(),
        data=literal(DATA),
        imports=f"from {module} import {trainer_config}, {trainer}",
        model=literal(material.model),
        max_length=config.max_length,
        merges="".join(f"# {line}\n" for line in merge_first(material)),
        rank=config.lora_rank,
        alpha=config.lora_alpha,
        targets=literal(TARGETS),
        seed=config.seed,
        trainer=trainer,
        config=trainer_config,
        settings="\n".join(f"        {key}={literal(value)}," for key, value in settings.items()),
        trained=literal(TRAINED),
    )
    return text.replace("    ref_model=None,\n", "") if config.method in WITHOUT_REFERENCE else text
