"""A panel of judges (Verga et al., 2024, PoLL): each is recorded on its own, and their common verdict is derived."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Protocol

import orjson

from annotate.settle import UNDECIDED, Opinion, settle
from ledger.config import JudgeConfig, ModelConfig, PanelMember
from ledger.records import Verdict

MODEL_FILES = ("config.json", "adapter_config.json")
NAMING_KEYS = ("_name_or_path", "base_model_name_or_path", "model_type")
# Families by what their members are called. Short names stand alone: "dolphin" is no "phi", and "ollama" is a server.
FAMILIES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        family: re.compile(pattern)
        for family, pattern in {
            "claude": r"claude",
            "command": r"command[-_]?[ar](?![a-z])|(?<![a-z])aya(?![a-z])",
            "deepseek": r"deep[-_]?seek",
            "gemma": r"gemma|gemini",
            "glm": r"glm",
            "gpt": r"gpt[-_]?oss|gpt[-_]?[345]|chatgpt|(?:^|/)o[134](?![a-z0-9])",
            "granite": r"granite",
            "grok": r"grok",
            "kimi": r"kimi",
            "llama": r"(?<!\bo)llama|vicuna|meditron",
            "mistral": r"(?:mis|mix|minis|magis|codes|devs|maths|pix|vox)tral",
            "olmo": r"olmo",
            "phi": r"(?<![a-z])phi(?![a-z])",
            "qwen": r"qwen|qwq",
            "yi": r"(?<![a-z])yi(?![a-z])",
        }.items()
    }
)


class Heard(Opinion, Protocol):
    """What a panel's verdict is made of: a `Comparison`, or a `ComparisonRow`."""

    @property
    def assessor(self) -> str:
        """Who."""


@dataclass(frozen=True)
class PanelVerdict:
    """What a panel says of one contest."""

    verdict: Verdict
    strength: float  # P(a is better), never on the other side of 0.5 than the verdict
    agreement: float  # share of the judges with a verdict whose verdict this is; 0 where none has one
    judges: int  # who have a verdict


def judges(config: JudgeConfig) -> tuple[JudgeConfig, ...]:
    """Each judge of the configuration as if it were the only one; none where it is the reference metric."""
    alone = config.model_copy(update={"panel": ()})
    own = PanelMember.model_fields
    members = (alone.model_copy(update={name: getattr(member, name) for name in own}) for member in config.panel)
    return (alone, *members) if config.model else tuple(members)


def panel_verdict(opinions: Iterable[Heard]) -> PanelVerdict:
    """What most judges of one contest say; a tie where no verdict has more than half of them.

    Each judge is heard once, whatever the number of its comparisons: one that says different things in the two orders
    says "tie" (`settle`), and one that says nothing valid is left out. The strength is the mean over the judges.
    """
    by_judge: dict[str, list[Heard]] = defaultdict(list)
    for opinion in opinions:
        by_judge[opinion.assessor].append(opinion)
    settled = [said for heard in by_judge.values() if (said := settle(heard)).verdict != "invalid"]
    if not settled:
        return PanelVerdict("invalid", UNDECIDED, 0.0, 0)
    votes = Counter(said.verdict for said in settled)
    leading, most = votes.most_common(1)[0]
    verdict: Verdict = leading if 2 * most > len(settled) else "tie"
    strength = _on_side(verdict, fmean(said.strength for said in settled))
    return PanelVerdict(verdict, strength, votes[verdict] / len(settled), len(settled))


def _on_side(verdict: Verdict, strength: float) -> float:
    if verdict == "a":
        return round(max(strength, UNDECIDED), 6)
    return round(min(strength, UNDECIDED), 6) if verdict == "b" else UNDECIDED


def family(name: str) -> str | None:
    """The family of a model by its name; None where the name does not tell.

    Of several the one that is named last: a "DeepSeek-R1-Distill-Qwen" is a Qwen that was taught.
    """
    last = {family: match.start() for family, pattern in FAMILIES.items() for match in pattern.finditer(name.lower())}
    return max(last, key=last.__getitem__, default=None)


def own_family(judge: str, policy_names: Iterable[str]) -> str:
    """A warning where a judge seems to be of the policy's own family, else nothing.

    Judges prefer what they would have written themselves (Panickssery et al., 2024).
    """
    its = family(judge)
    if its is None or its not in map(family, policy_names):
        return ""
    return (
        f"judge {judge} is, by its name, of the policy's own family ({its}) and may prefer its answers: "
        "add judges of other families, and look at self-preference in the passport"
    )


def policy_names(root: Path, config: ModelConfig) -> tuple[str, ...]:
    """All that the configured policy is called: its path, its adapter's, and what its files say that they come from."""
    paths = [path for path in (config.path, config.adapter) if path]
    told = (name for path in paths for file in MODEL_FILES for name in _names_in(root / path / file))
    return tuple(dict.fromkeys((*paths, *told)))


def _names_in(path: Path) -> list[str]:
    try:
        said = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    found = [said.get(key) for key in NAMING_KEYS] if isinstance(said, dict) else []
    return [name for name in found if isinstance(name, str) and name]
