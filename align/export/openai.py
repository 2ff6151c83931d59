"""OpenAI's preference fine-tuning (DPO): JSONL rows and the body of the request that starts the job.

Format: https://developers.openai.com/api/docs/guides/direct-preference-optimization
"""

from __future__ import annotations

from align.export.material import Files, Material, as_json, jsonl
from ledger.errors import InputError

MODEL = "gpt-4.1-mini-2025-04-14"  # one of those that the service tunes; ours it cannot
SUFFIX = "wardround"


def files(material: Material) -> Files:
    """``train.jsonl`` and ``job.json``.

    Raises:
        InputError: the method is not DPO, or an answer is empty, which the service refuses.
    """
    if material.config.method != "dpo":
        raise InputError(
            f"OpenAI's preference fine-tuning is DPO, not {material.config.method}",
            where="--to openai",
            advice="--method dpo",
        )
    if any(not text.strip() for each in material.preferences for text in (each.chosen, each.rejected)):
        raise InputError("an answer is empty", where="--to openai", advice="`wardround pairs` after judging it out")
    rows = [
        {
            "input": {"messages": row["prompt"], "tools": [], "parallel_tool_calls": True},
            "preferred_output": row["chosen"],
            "non_preferred_output": row["rejected"],
        }
        for row in material.rows()
    ]
    settings = {"beta": material.beta, "n_epochs": max(1, round(material.config.epochs))}
    job = {
        "model": MODEL,
        "training_file": "the id that uploading train.jsonl with purpose fine-tune gives",
        "seed": material.config.seed,
        "suffix": SUFFIX,
        "method": {"type": "dpo", "dpo": {"hyperparameters": settings}},
    }
    return {"train.jsonl": jsonl(rows), "job.json": as_json(job)}
