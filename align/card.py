"""The model card that lies beside every adapter."""

from __future__ import annotations

from ledger.records import ModelVersion

NOTICE = "For research only. This model gives no clinical advice, and nothing it says has been checked by a clinician."
USE = {
    True: "Merge it into its parent's weights, or load it on top of them with PEFT.",
    False: "These are all of its weights: it loads by itself.",
}


def model_card(model: ModelVersion, pairs: int) -> str:
    """Markdown: what the model is, what it came from, and what it is not for."""
    settings, library = model.config.get("align", {}), "peft" if model.adapter else "transformers"
    facts = {
        "Name": model.name,
        "Method": model.method,
        "Parent (ledger id)": model.parent or "none",
        "Preference pairs": str(pairs),
        "Hash of the pairs": model.pairs or "none",
        "Seed": str(model.seed),
        "Learning rate": str(settings.get("learning_rate", "")),
        "Beta": str(settings.get("beta", "")),
        "Epochs": str(settings.get("epochs", "")),
        "Code": model.code,
        "Libraries": ", ".join(f"{name} {version}" for name, version in model.libraries.items()),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return (
        f"---\nlibrary_name: {library}\ntags: [wardround, {model.method}]\n---\n\n# {model.name}\n\n**{NOTICE}**\n\n"
        f"| | |\n|---|---|\n{rows}\n\n"
        f"{USE[model.adapter]} Its ancestry, down to each\n"
        f"comparison, is in the ledger it was trained from: `wardround trace {model.name}`.\n"
    )
