"""The export stage: a policy's preference pairs, as `wardround train` would take them, into a folder of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from align.export import axolotl, llamafactory, openai, trl, unsloth
from align.export.material import DATA, Files, Material, as_json
from align.export.rows import Preference
from align.export.trl_script import plain_trl_script
from align.running import in_place_of
from align.training import pairs_of
from align.training_set import pair_material, turns_of
from ledger.errors import InputError, StageError
from ledger.records import ModelVersion, Pair, pairs_hash
from ledger.workspace import Workspace
from sampling.deidentify import identifiers
from sampling.models import SERVED, source_of

FORMATS: Mapping[str, Callable[[Material], Files]] = {
    "trl": trl.files,
    "axolotl": axolotl.files,
    "llamafactory": llamafactory.files,
    "openai": openai.files,
    "unsloth": unsloth.files,
}
AWAY = ("openai",)  # formats whose files are made to leave the house
MANIFEST = "export.json"


@dataclass(frozen=True)
class ExportReport:
    """What was written where."""

    target: str
    folder: str
    files: tuple[str, ...]
    pairs: int
    prompts: int
    identifiers: int  # prompts whose text may identify a patient
    kinds: tuple[str, ...]  # of identifiers

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.pairs} pairs of {self.prompts} prompts for {self.target}: {self.folder}",
            "The files hold the text of the questions and answers (not the reasoning before an answer).",
        ]
        if self.identifiers:
            kinds = ", ".join(self.kinds)
            lines.append(f"Possible identifiers ({kinds}) in {self.identifiers} of the {self.prompts} prompts.")
        else:
            lines.append("No possible identifiers found, which is no proof that there are none.")
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return asdict(self)


@dataclass(frozen=True)
class PairText:
    """A pair with its texts."""

    pair: Pair
    preference: Preference


def export(
    workspace: Workspace, policy: ModelVersion, target: str, folder: Path | None = None, *, reviewed: bool = False
) -> ExportReport:
    """Write the pairs of ``policy``'s answers, and settings for training on them, in ``target``'s format.

    Held-out prompts and their near-duplicates are in no pair. A folder is replaced as a whole, and only where all that
    it holds was written by an earlier export.

    Args:
        workspace: where the pairs are; ``align.method`` says what for.
        policy: whose answers.
        target: one of `FORMATS`.
        folder: by default ``exports/TARGET-METHOD`` of the workspace.
        reviewed: a person has looked at the text with possible identifiers.

    Raises:
        StageError: there are no pairs, or text with possible identifiers would leave the house.
        InputError: the format cannot hold the method, or the folder holds something else.
    """
    if target not in FORMATS:
        raise InputError(f"no such format: {target}", where="--to", advice=f"one of {', '.join(FORMATS)}")
    place = folder or workspace.root / "exports" / f"{target}-{workspace.config.align.method}"
    check_replaceable(place)
    found = pair_texts(workspace, policy)
    flagged = possible_identifiers(found)
    if flagged and target in AWAY and not reviewed:
        raise StageError(
            f"possible identifiers in {len(flagged)} prompts: {', '.join(_kinds(flagged))}",
            where=f"--to {target}",
            advice="take them out; or --reviewed, if who may see patient data has looked at them all",
        )
    texts = FORMATS[target](material(workspace, policy, found))
    report = ExportReport(
        target=target,
        folder=str(place),
        files=tuple(sorted(texts)),
        pairs=len(found),
        prompts=len({each.pair.prompt for each in found}),
        identifiers=len(flagged),
        kinds=_kinds(flagged),
    )
    with workspace.stage("export", policy=policy.id, target=target) as outcome:
        write(place, {**texts, MANIFEST: as_json(_manifest(workspace, policy, report, found))})
        outcome.update(report.facts())
    return report


def trl_script(workspace: Workspace, policy: ModelVersion) -> str:
    """The plain TRL script that trains ``policy`` as `wardround train` would, to be run in the folder of a trl export.

    Raises:
        ModelError: the policy's weights are gone.
    """
    plan = material(workspace, policy, ())
    return plain_trl_script(plan.config, plan.model, DATA, plan.adapters)


def material(workspace: Workspace, policy: ModelVersion, found: Iterable[PairText]) -> Material:
    """What the formats are made from. Weights that a server alone knows are named as it names them.

    Raises:
        ModelError: the policy's weights are gone.
    """
    preferences = tuple(each.preference for each in found)
    if policy.weights.startswith(SERVED):
        return Material(preferences, workspace.config.align, policy.weights.removeprefix(SERVED))
    source = source_of(workspace, policy)
    adapters = tuple(str(path.resolve()) for path in source.adapters)
    return Material(preferences, workspace.config.align, str(Path(source.base).resolve()), adapters)


def pair_texts(workspace: Workspace, policy: ModelVersion) -> list[PairText]:
    """The policy's pairs with their texts, in the order of their ids.

    Raises:
        StageError: there are none, or one is of a held-out prompt.
    """
    of = pair_material(workspace, pairs_of(workspace, policy))
    if any(prompt.split != "train" for prompt in of.prompts.values()):
        raise StageError("a pair of a held-out prompt", where="ledger", advice="run `wardround pairs` and report it")
    return [
        PairText(
            pair,
            Preference(
                turns=turns_of(workspace, of, of.answers[pair.chosen]),
                chosen=of.answers[pair.chosen].text,
                rejected=of.answers[pair.rejected].text,
                template=workspace.config.chat.template,
            ),
        )
        for pair in of.pairs
    ]


def possible_identifiers(found: Iterable[PairText]) -> dict[str, set[str]]:
    """By prompt id, the kinds of possible identifiers in its question and answers; prompts without any left out."""
    kinds: dict[str, set[str]] = {}
    for each in found:
        said = [turn["content"] for turn in each.preference.turns] + [each.preference.chosen, each.preference.rejected]
        seen = {finding.kind for text in said for finding in identifiers(text)}
        if seen:
            kinds.setdefault(each.pair.prompt, set()).update(seen)
    return kinds


def _kinds(flagged: Mapping[str, set[str]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*flagged.values())))


def _manifest(
    workspace: Workspace, policy: ModelVersion, report: ExportReport, found: Iterable[PairText]
) -> dict[str, object]:
    """What was written, and each pair's weight, for which the formats have no place; pairs in the rows' order."""
    pairs = [{"id": each.pair.id, "weight": each.pair.weight} for each in found]
    return {
        "wardround": "export",
        "to": report.target,
        "method": workspace.config.align.method,
        "policy": policy.id,
        "pairs_hash": pairs_hash([each["id"] for each in pairs if isinstance(each["id"], str)]),
        "files": sorted([*report.files, MANIFEST]),
        "pairs": pairs,
    }


def check_replaceable(folder: Path) -> None:
    """Nothing may be lost by replacing ``folder``.

    Raises:
        InputError: it holds what no export has written, or is no folder.
    """
    if not folder.exists():
        return
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    if not folder.is_dir() or there - _written(folder):
        raise InputError(
            "holds something that no export has written", where=folder, advice="choose another folder with --out"
        )


def _written(folder: Path) -> set[str]:

    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return set(manifest["files"]) if manifest["wardround"] == "export" else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """All files or none: the folder gets its name when it is whole."""

    def fill(place: Path) -> None:
        for name, text in texts.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(text.encode())

    in_place_of(folder, fill)
