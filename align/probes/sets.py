"""Probe sets: the bundled ones and files of one's own, read row by row, each row with what its answer is checked for.

A row is a prompt in any layout that `wardround import` knows, with ``area``, ``check`` and ``expected`` beside it. A
multiple-choice question needs none of these: it is an exam question. So is a yes/no/maybe question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from align.probes.areas import EXAM, TAKEN
from align.probes.checks import check_fault
from align.probes.decisions import DECISIONS
from ledger.errors import InputError
from ledger.records import Check, Probe, Prompt
from ledger.screen import say
from ledger.workspace import Workspace
from sampling.files import open_source
from sampling.layouts import choose_layout
from sampling.options import RowError
from sampling.prompts import Rules, draft
from sampling.rejects import Rejects
from sampling.rows import Row, Source

BUNDLED = Path(__file__).parent / "bundled"
CHECKS: tuple[Check, ...] = get_args(Check)


@dataclass(frozen=True)
class Asked:
    """One row of a probe set."""

    prompt: Prompt
    probe: Probe


def probe_sets(workspace: Workspace) -> list[Asked]:
    """The rows of all configured sets, entered into the ledger; each prompt once.

    What cannot be used of a file is listed with line and reason under ``rejects/``. A probe that the ledger holds as a
    train question would tell nothing, and is left out; the person who watches is told.

    Raises:
        InputError: a file cannot be read, or none of its rows can be used.
    """
    found: dict[str, Asked] = {}
    for path in set_files(workspace):
        for asked in _read(workspace, path):
            found.setdefault(asked.prompt.id, asked)
    workspace.ledger.append([*(asked.prompt for asked in found.values()), *(asked.probe for asked in found.values())])
    learnt = {key for key, held in workspace.ledger.get_many(Prompt, found).items() if held.split == "train"}
    if learnt:
        say(f"Warning: {len(learnt)} probes are train questions of this workspace; they are left out")
    return [asked for key, asked in found.items() if key not in learnt]


def entered(workspace: Workspace) -> list[Asked]:
    """The rows of the configured sets as far as the ledger holds them; no file is read."""
    sets = {path.stem for path in set_files(workspace)}
    probes = {each.prompt: each for each in workspace.ledger.read(Probe) if each.set in sets}
    held = workspace.ledger.get_many(Prompt, probes)
    return [Asked(held[key], probe) for key, probe in probes.items() if held[key].split != "train"]


def set_files(workspace: Workspace) -> list[Path]:
    """The files of the configured sets, the bundled ones first."""
    config = workspace.config.probes
    return [*(BUNDLED / f"{name}.jsonl" for name in config.sets), *map(workspace.root.joinpath, config.files)]


def _read(workspace: Workspace, path: Path) -> Iterator[Asked]:
    source = open_source(str(path))
    settings = workspace.config.intake
    layout = choose_layout(None, source.columns, settings.layouts, source.name)
    rules = Rules(layout, settings.mode, settings.max_characters, "probe")
    used = rejected = 0
    with Rejects(workspace.root, source) as rejects:
        for row in source.rows():
            try:
                yield _row(row, rules, source)
                used += 1
            except RowError as error:
                rejects.add(row, str(error))
                rejected += 1
    if rejected:
        say(f"{source.name}: {rejected} of {used + rejected} probes rejected, with line and reason in {rejects.path}")
    if not used:
        raise InputError("holds no probe that can be used", where=path, advice=f"see the reasons in {rejects.path}")


def _row(row: Row, rules: Rules, source: Source) -> Asked:
    if row.fault:
        raise RowError(row.fault)
    fields = rules.layout.fields(row.values)
    prompt = replace(draft(row.values, rules, source.name).prompt, split="probe")
    decision = str(fields.get("decision") or "").strip().casefold()
    if decision:
        prompt = as_choice(prompt, decision)
    return Asked(prompt, _probe(prompt, row.values, Path(source.name).stem))


def as_choice(prompt: Prompt, decision: str) -> Prompt:
    """A yes/no/maybe question as a multiple-choice one, whose key is the ``decision``.

    Raises:
        RowError: it is none of the three.
    """
    if decision not in DECISIONS:
        raise RowError(f"the decision is {decision[:40]}, not one of {', '.join(DECISIONS)}")
    letter = "ABC"[DECISIONS.index(decision)]
    return replace(prompt, kind="mcq", options=DECISIONS, answer=letter, reference=None)


def _probe(prompt: Prompt, values: Mapping[str, Any], name: str) -> Probe:
    area, check = str(values.get("area") or ""), str(values.get("check") or "")
    expected = values.get("expected") or {}
    if prompt.kind == "mcq" and not check:
        check = "option"
    if prompt.kind == "mcq" and not area:
        area = EXAM
    if not area:
        raise RowError("says not which area it probes: give it an area, such as safety or arithmetic")
    if area in TAKEN:
        raise RowError(f"the area {area} is the name of a figure: give it another name")
    known = next((each for each in CHECKS if each == check), None)
    if known is None:
        raise RowError(f"its check is {check or 'missing'}: use one of {', '.join(CHECKS)}")
    if known == "option" and not prompt.answer:
        raise RowError("a check for an option needs options and the letter of the right one")
    if not isinstance(expected, Mapping):
        raise RowError("expected is no object")
    if fault := check_fault(known, expected):
        raise RowError(fault)
    return Probe(prompt.id, area, known, expected, set=name)
