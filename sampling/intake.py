"""The import of prompts: every row of a file ends up in the ledger or in the rejects file.

A file is read twice: once to see which questions are near-duplicates of which, once to write. So memory holds the words
of the questions but not the prompts, and an import killed half-way places the rest as it would have done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ledger.config import ImportConfig
from ledger.errors import InputError
from ledger.exclusive import exclusively
from ledger.records import Prompt, Split
from ledger.screen import Advance, progress, say
from ledger.workspace import Workspace
from sampling.deidentify import identifiers
from sampling.files import open_source
from sampling.layouts import Layout, choose_layout
from sampling.options import Numbering, RowError, clean, numbering_of, read_options
from sampling.prompts import Draft, Rules, draft
from sampling.rejects import Rejects, writable
from sampling.rows import Row, Source
from sampling.splits import Placement, Refusal, Splitter

BATCH = 2_000


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of one file."""

    source: str
    layout: str
    rows: int
    new: int
    known: int  # in the ledger already, or earlier in the file
    rejected: int
    rejects: str  # where the rejected rows are; empty if there are none
    splits: Mapping[str, int]  # of the new prompts
    flagged: int  # prompts with possible patient identifiers
    identifiers: Mapping[str, int]  # kind -> prompts

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def text(self) -> str:
        """For people: a line for the rows, one for the rejected, one for possible identifiers."""
        sides = ", ".join(f"{count} {split}" for split, count in self.splits.items()) or "none"
        lines = [
            f"{self.source} (layout {self.layout}): {self.rows} rows, {self.new} new ({sides}), {self.known} known, "
            f"{self.rejected} rejected"
        ]
        if self.rejected:
            lines.append(f"Rejected rows, with line and reason: {self.rejects}")
        if self.flagged:
            kinds = ", ".join(f"{kind} {count}" for kind, count in self.identifiers.items())
            lines.append(
                f"Warning: possible patient identifiers in {self.flagged} prompts ({kinds}); the screen "
                "misses some, so have a person look before any text leaves this machine"
            )
        return "\n".join(lines)


def import_prompts(
    workspace: Workspace, name: str, *, layout: str | None = None, split: Split | None = None
) -> ImportReport:
    """Import a file, a `datasets` folder or a data set of the hub. Doing it again changes nothing.

    Args:
        workspace: where to; its configuration says how.
        name: path or hub id.
        layout: how the columns are laid out; by default what they show.
        split: where all rows belong; by default what a row says, else by groups of near-duplicates.

    Raises:
        InputError: the file cannot be read, no layout fits, another import runs here, or no row could be used.
        LedgerError: the ledger refuses.
    """
    settings = workspace.config.intake
    source = open_source(name)
    rules = _rules(source, choose_layout(layout, source.columns, settings.layouts, name), settings, split)
    with _alone(workspace.root), workspace.stage("import", source=source.name, layout=rules.layout.name) as outcome:
        splitter, known = _gather(workspace, source, rules)
        say(f"Looking for near-duplicates among {len(splitter)} prompts")
        places = splitter.place(settings.similarity, settings.eval_share)
        report = _write(workspace, source, rules, places, known)
        outcome.update(source=source.name, new=report.new, known=report.known, rejected=report.rejected)
        if not report.new + report.known:
            raise InputError(
                f"none of the {report.rows} rows could be used",
                where=name,
                advice=f"see the reasons in {report.rejects}",
            )
    return report


def _rules(source: Source, layout: Layout, settings: ImportConfig, split: Split | None) -> Rules:
    return Rules(layout, settings.mode, settings.max_characters, split, _numbering(source, layout))


def _numbering(source: Source, layout: Layout) -> Numbering | None:
    """Whether answers given as numbers begin at 0 or 1: the whole file has to tell."""
    if layout.answer_form != "any" or "answer" not in layout.columns:
        return None
    found = numbering_of(_answers(source, layout))
    if found == "unclear":
        raise InputError(
            f"the answers in column {', '.join(layout.columns['answer'])} are numbers, and nothing tells whether they "
            "count from 0 or from 1",
            where=source.name,
            advice='set answer_form = "index0" or "index1" in a layout of your own',
        )
    return found


def _answers(source: Source, layout: Layout) -> Iterator[tuple[Any, tuple[str, ...]]]:
    for row in source.rows():
        fields = layout.fields(row.values)
        try:
            options = read_options(fields.get("options"))
            answer = clean(fields.get("answer"), "the answer")
        except RowError:
            continue
        if options and answer:
            yield answer, options


def drafts(source: Source, rules: Rules) -> Iterator[tuple[Row, Draft | Refusal]]:
    """Each row with its prompt, or with the reason why it has none. The second of two rows with one id has none."""
    keys: set[str] = set()
    for row in source.rows():
        made = _draft(row, rules, source.name)
        if isinstance(made, Draft) and made.key:
            if made.key in keys:
                made = Refusal(f"duplicate id: {made.key[:80]}")
            else:
                keys.add(made.key)
        yield row, made


def _draft(row: Row, rules: Rules, source: str) -> Draft | Refusal:
    if row.fault:
        return Refusal(row.fault)
    try:
        return draft(row.values, rules, source)
    except RowError as error:
        return Refusal(str(error))


def _gather(workspace: Workspace, source: Source, rules: Rules) -> tuple[Splitter, set[str]]:
    """All prompts of the ledger and of the file; and the ids of those in the ledger."""
    splitter = Splitter()
    known: set[str] = set()
    before = workspace.ledger.count(Prompt)
    with progress("Reading prompts", before + source.total) as advance:
        for prompt in workspace.ledger.read(Prompt):
            splitter.add_known(prompt)
            known.add(prompt.id)
            advance(1)
        for _, made in _shown(drafts(source, rules), advance):
            if isinstance(made, Draft):
                splitter.add_new(made.prompt, made.split)
    return splitter, known


def _shown(rows: Iterator[tuple[Row, Draft | Refusal]], advance: Advance) -> Iterator[tuple[Row, Draft | Refusal]]:
    line = 0
    for row, made in rows:
        yield row, made
        advance(row.line - line)
        line = row.line


@dataclass
class _Tally:
    """What is counted while rows are written."""

    rows: int = 0
    new: int = 0
    rejected: int = 0
    flagged: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def screen(self, prompt: Prompt) -> None:
        found = {finding.kind for finding in identifiers(_all_text(prompt))}
        self.flagged += bool(found)
        self.kinds.update(found)


def _all_text(prompt: Prompt) -> str:
    """All of a prompt that could ever be sent anywhere."""
    turns = (message.content for message in prompt.messages)
    return "\n".join((*turns, *prompt.context, *prompt.options, prompt.reference or ""))


def _write(
    workspace: Workspace, source: Source, rules: Rules, places: Mapping[str, Placement | Refusal], known: set[str]
) -> ImportReport:
    tally, batch, met = _Tally(), list[Prompt](), set[str]()
    with progress("Writing prompts", source.total) as advance, Rejects(workspace.root, source) as rejects:
        for row, made in _shown(drafts(source, rules), advance):
            tally.rows += 1
            placed = _placed(made, places, source)
            if isinstance(placed, Refusal):
                tally.rejected += 1
                rejects.add(row, placed.reason)
            elif placed.id not in met:
                met.add(placed.id)
                tally.screen(placed)
                if placed.id not in known:
                    batch.append(placed)
            if len(batch) == BATCH:
                _append(workspace, batch, tally)
        _append(workspace, batch, tally)
    return _report(source, rules, tally, rejects)


def _append(workspace: Workspace, batch: list[Prompt], tally: _Tally) -> None:
    tally.new += workspace.ledger.append(batch)
    tally.splits.update(prompt.split for prompt in batch)
    batch.clear()


def _placed(made: Draft | Refusal, places: Mapping[str, Placement | Refusal], source: Source) -> Prompt | Refusal:
    if isinstance(made, Refusal):
        return made
    place = places.get(made.prompt.id)
    if place is None:
        raise InputError("changed while it was read", where=source.name, advice="import it again")
    if isinstance(place, Refusal):
        return place
    if made.split and made.split != place.split:
        return Refusal(f"the same prompt or a near-duplicate is in {place.split}, but its split is {made.split}")
    return replace(made.prompt, split=place.split, group=place.group)


def _report(source: Source, rules: Rules, tally: _Tally, rejects: Rejects) -> ImportReport:
    return ImportReport(
        source=source.name,
        layout=rules.layout.name,
        rows=tally.rows,
        new=tally.new,
        known=tally.rows - tally.rejected - tally.new,
        rejected=tally.rejected,
        rejects=str(rejects.path) if tally.rejected else "",
        splits=dict(sorted(tally.splits.items())),
        flagged=tally.flagged,
        identifiers=dict(tally.kinds.most_common()),
    )


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep a second import out: two at once could put near-duplicates on two sides. A killed one lets go by itself."""
    lock = root / ".import.lock"
    with writable(lock):
        lock.touch()
    with exclusively(lock) as ours:
        if not ours:
            raise InputError("another import runs here", where=root, advice="wait until it has ended")
        yield
