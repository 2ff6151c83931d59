"""The fine-tuning stage: train questions with references to the SFT model that the rounds start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from align.processes import world_size
from align.sft import SftSettings, train_sft
from align.sft_card import sft_card
from annotate.contamination import contaminated_prompts
from annotate.mcq import stated_option
from ledger.config import ChatConfig
from ledger.errors import ConfigError, ModelError, StageError
from ledger.provenance import code_version, library_versions
from ledger.records import ModelVersion, Prompt, digest
from ledger.screen import say
from ledger.tables import prompts
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.chat import LETTERS, Turn, conversation, prompt_tokens, template_faults
from sampling.models import PolicySource, folder_of, load_tokenizer
from sampling.policies import SFT

FACTS = "sft.json"  # what the weights beside it were made from
RATES = {
    "lora": 2e-4,
    "full": 1e-5,
}  # a LoRA adapter starts from nothing, and bears ten times the rate (Hu et al., 2022)


@dataclass(frozen=True)
class SftOptions:
    """What the user chooses; the LoRA rank, the longest row and the seed are those of ``[align]``."""

    epochs: float = 3.0
    learning_rate: float | None = None  # by default that of `RATES`
    batch_size: int = 8
    full: bool = False


@dataclass(frozen=True)
class SftMaterial:
    """What is trained on, and how many train questions are not."""

    rows: tuple[Mapping[str, Any], ...]
    prompts: tuple[str, ...]  # ids, in the order of the rows
    without_reference: int
    near_held_out: int
    too_long: int


@dataclass(frozen=True)
class SftReport:
    """The fine-tuned model, and what the configuration has to say for the rounds to start from it."""

    model: ModelVersion
    base: str
    folder: str
    full: bool
    rows: int
    without_reference: int
    near_held_out: int
    too_long: int

    @property
    def setting(self) -> str:
        """The table of ``wardround.toml``."""
        own = {"path": self.folder} if self.full else {"path": self.base, "adapter": self.folder}
        return "\n".join(
            ["[model]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in own.items())]
        )

    def text(self) -> str:
        """For people."""
        left_out = {
            "without a reference": self.without_reference,
            "near-duplicates of held-out questions": self.near_held_out,
            "too long for align.max_length": self.too_long,
        }
        lines = [f"Fine-tuned on {self.rows} questions: {self.folder} ({self.model.id})"]
        lines += [f"{count} left out: {why}" for why, count in left_out.items() if count]
        return "\n".join([*lines, "To start the rounds from it, wardround.toml has to say:", self.setting])

    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        counts = {key: value for key, value in asdict(self).items() if key != "model"}
        return {"id": self.model.id, "metrics": self.model.metrics, **counts, "toml": self.setting}


def fine_tune(workspace: Workspace, base: str | None, options: SftOptions) -> SftReport:
    """Fine-tune ``base`` (by default ``model.path``) on the references of the train questions; once for one choice.

    Held-out questions and their near-duplicates are never trained on. The model is entered into the ledger as the SFT
    model that `sft_model` meets when the configuration names it. A run that was killed goes on.

    Raises:
        StageError: no question can be trained on, the loss is not a number, or several processes were launched.
        ModelError: no base model is named, or it does not load.
        ConfigError: all weights are to be trained, and loaded quantised.
    """
    if world_size() > 1:
        raise StageError("fine-tuning runs in one process", where="accelerate launch", advice="`wardround sft` alone")
    config = workspace.config
    name = base or config.model.path
    if not name:
        raise ModelError(
            "no model to begin with", where="--base", advice="name a folder or a hub id, or set model.path"
        )
    if options.full and config.model.quantization != "none":
        raise ConfigError(
            "quantised weights cannot all be trained",
            where="model.quantization",
            advice='leave out --full, or set "none"',
        )
    place = folder_of(workspace, "--base" if base else "model.path", name)
    material = sft_material(workspace, place)
    settings = _settings(workspace, options)
    key = digest([weights_hash(place), list(material.rows), asdict(settings)])
    target = workspace.models / f"{SFT}-{key[:8]}"
    if not (target / FACTS).exists():
        with workspace.stage(SFT, base=name, rows=len(material.rows), settings=asdict(settings)) as outcome:
            _train(workspace, place, target, material, settings)
            outcome.update(path=_inside(workspace, target), prompts=digest(sorted(material.prompts)))
    model = _entered(workspace, place, target, full=options.full)
    return SftReport(
        model,
        name,
        _inside(workspace, target),
        options.full,
        len(material.rows),
        material.without_reference,
        material.near_held_out,
        material.too_long,
    )


def sft_material(workspace: Workspace, base: Path) -> SftMaterial:
    """The rows, in the order of the prompts' ids, and how many train questions give none.

    Raises:
        StageError: there are no rows.
        ModelError: the base has no chat template, or the template refuses a conversation.
    """
    config = workspace.config
    tokenizer = load_tokenizer(PolicySource(str(base), (), config.model))
    for fault in template_faults(tokenizer, config.chat):
        say(f"The chat template of {base}: {fault}")
    contaminated = contaminated_prompts(workspace)
    rows, ids = list[Mapping[str, Any]](), list[str]()
    without = near = too_long = 0
    for prompt in sorted(workspace.ledger.read(Prompt, prompts.c.split == "train"), key=lambda each: each.id):
        answer = answer_of(prompt)
        if not answer:
            without += 1
        elif prompt.id in contaminated:
            near += 1
        elif _length(tokenizer, row := _row(workspace, prompt, answer), config.chat) > config.align.max_length:
            too_long += 1
        else:
            rows.append(row)
            ids.append(prompt.id)
    if not rows:
        raise StageError(
            f"no train question to learn from: {without} without a reference, {near} near-duplicates of held-out ones, "
            f"{too_long} too long",
            where="ledger",
            advice="import questions with references",
        )
    return SftMaterial(tuple(rows), tuple(ids), without, near, too_long)


def answer_of(prompt: Prompt) -> str:
    """What the model learns to say: the reference; to a multiple-choice question with the right option before it.

    Empty where neither is known.
    """
    reference = (prompt.reference or "").strip()
    if prompt.kind != "mcq" or not prompt.answer or stated_option(reference, prompt.options) == prompt.answer:
        return reference
    option = dict(zip(LETTERS, prompt.options, strict=False)).get(prompt.answer, "")
    return f"The answer is {prompt.answer}, {option.rstrip('.')}. {reference}".strip()


def _row(workspace: Workspace, prompt: Prompt, answer: str) -> dict[str, Any]:
    chat = workspace.config.chat
    completion: list[Turn] = [{"role": "assistant", "content": answer}]
    told = {"chat_template_kwargs": dict(chat.template)} if chat.template else {}
    return {"prompt": conversation(prompt, chat), "completion": completion, **told}


def _length(tokenizer: Any, row: Mapping[str, Any], chat: ChatConfig) -> int:
    """In tokens, with the answer.

    Raises:
        ModelError: the chat template refuses the conversation.
    """
    prompt_tokens(tokenizer, row["prompt"], chat)
    told = row.get("chat_template_kwargs", {})
    whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=True, return_dict=True, **told)
    return len(whole["input_ids"])


def _settings(workspace: Workspace, options: SftOptions) -> SftSettings:
    align = workspace.config.align
    return SftSettings(
        epochs=float(options.epochs),  # 2 and 2.0 are one choice, but two texts to a hash
        learning_rate=options.learning_rate or RATES["full" if options.full else "lora"],
        batch_size=options.batch_size,
        max_length=align.max_length,
        seed=align.seed,
        lora_rank=0 if options.full else align.lora_rank,
        lora_alpha=align.lora_alpha,
    )


def _train(workspace: Workspace, base: Path, target: Path, material: SftMaterial, settings: SftSettings) -> None:
    def describe(figures: Mapping[str, float]) -> Mapping[str, str]:
        facts = {
            "base": str(base),
            "base_weights": weights_hash(base),
            "prompts": len(material.prompts),
            "prompts_hash": digest(sorted(material.prompts)),
            "settings": asdict(settings),
            "figures": dict(figures),
            "code": code_version(),
            "libraries": library_versions(),
        }
        return {FACTS: json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "README.md": sft_card(facts)}

    train_sft(base, material.rows, target, settings, model=workspace.config.model, describe=describe)


def _entered(workspace: Workspace, base: Path, target: Path, *, full: bool) -> ModelVersion:
    """The ledger's record: the very one that `sft_model` enters, and so with its id, but with what is known here."""
    facts = json.loads((target / FACTS).read_text(encoding="utf-8"))
    made = {key: facts[key] for key in ("base_weights", "prompts", "prompts_hash", "settings")}
    model = ModelVersion(
        name=SFT,
        method="sft",
        weights=weights_hash(target) if full else facts["base_weights"],
        config={} if full else {"adapter": weights_hash(target)},
        path=_inside(workspace, target if full else base),
        code=facts["code"],
        libraries=facts["libraries"],
        metrics={**facts["figures"], "made": made},
    )
    workspace.ledger.append([model])
    return model


def _inside(workspace: Workspace, folder: Path) -> str:
    """Relative to the workspace where it lies in it."""
    whole, root = folder.resolve(), workspace.root.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)
