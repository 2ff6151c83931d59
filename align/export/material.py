"""What every format is made from, and how its files are written down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from align.export.rows import Preference, TrainingRow, paired_rows, unpaired_rows
from align.preference.methods import beta, learning_rate
from ledger.config import AlignConfig

Files = dict[str, str]  # path within the export's folder -> text
DATA = "data/train.jsonl"
TRAINED = "trained"  # where the other project's trainer writes to, within the folder


@dataclass(frozen=True)
class Material:
    """Pairs in the order of their ids, with the settings that `wardround train` would take."""

    preferences: tuple[Preference, ...]
    config: AlignConfig
    model: str  # folder or name of the policy's base weights
    adapters: tuple[str, ...] = ()  # to be merged into them first, oldest first

    @property
    def learning_rate(self) -> float:
        """The configured one, else the method's own."""
        return learning_rate(self.config)

    @property
    def beta(self) -> float:
        """The configured one, else the method's own."""
        return beta(self.config)

    @property
    def template(self) -> Mapping[str, Any]:
        """What the chat template is told beside the turns; the same for all."""
        return self.preferences[0].template if self.preferences else {}

    def rows(self) -> list[TrainingRow]:
        """TRL's conversational rows: pairs, or for KTO each answer by itself."""
        if self.config.method == "kto":
            return unpaired_rows(self.preferences, self.config.seed)
        return paired_rows(self.preferences)


def jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """One JSON object a line, in UTF-8's own letters."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_json(value: object) -> str:
    """Indented JSON for people to read."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def as_yaml(settings: Mapping[str, Any], *comments: str) -> str:
    """Settings as YAML, one a line: JSON is YAML, but for numbers such as 2e-05, which YAML 1.1 takes for text."""
    lines = [f"# {comment}" for comment in comments]
    lines += [f"{key}: {_scalar(value)}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_scalar(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    mantissa, exponent, power = repr(value).partition("e")
    return mantissa + (".0" if exponent and "." not in mantissa else "") + exponent + power


def merge_first(material: Material) -> tuple[str, ...]:
    """What a configuration that names only a base model has to say about a policy of several adapters."""
    if not material.adapters:
        return ()
    return (
        "The policy is this base model with adapters merged into it, oldest first. Merge them with PEFT,",
        "save the result, and name its folder instead of the base model:",
        *(f"  {adapter}" for adapter in material.adapters),
    )
