"""The commands of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.errors import InputError

if TYPE_CHECKING:
    from ledger.queries import Done
    from ledger.trace import Trace

# Options that commands of every room take.
Folder = Annotated[Path, typer.Option("--workspace", "-w", help="The project's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]

MOST_SHOWN = 400  # characters of a value in a line of the log
SOME_LEFT = 3  # exit code: the command did what it could, and can be run again for the rest


def one_at_most(given: Mapping[str, object]) -> None:
    """Of some options, by name, no two may be set.

    Raises:
        InputError: two are.
    """
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude one another", advice="give one of them")


def init(
    folder: Annotated[Path | None, typer.Argument(help="Made where it is not there; by default this one.")] = None,
    workspace: Folder = Path(),
) -> None:
    """Make a workspace: a configuration to fill in, and an empty ledger. What is there stays as it is."""
    from ledger.screen import say
    from ledger.workspace import make_workspace

    place = folder or workspace
    if make_workspace(place):
        say(f"{place}: ready; fill in wardround.toml, then `wardround import FILE`")
    else:
        say(f"{place}: has a wardround.toml already; nothing is changed")


def log(
    stage: Annotated[str | None, typer.Option(help="Only this stage: import, sample, judge, ...")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many entries, the newest ones.")] = 20,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Show what was done, when, by which code version; the newest comes last."""
    from ledger.queries import latest
    from ledger.screen import result
    from ledger.workspace import open_workspace

    with open_workspace(workspace, create=False) as opened:
        entries = latest(opened.ledger, n, stage)
    text = "\n".join(map(_log_line, entries)) or "nothing was done yet"
    result(text, [entry._asdict() for entry in entries], as_json=as_json)


def _log_line(entry: Done) -> str:
    detail = "  ".join(f"{key}={_shortened(value)}" for key, value in entry.detail.items())
    said = [entry.when, f"{entry.stage:<10}", f"{entry.event:<11}", entry.code, entry.run, detail]
    return " ".join("  ".join(said).splitlines()).rstrip()


def _shortened(value: object) -> str:
    """A line holds no lists of records: --json has them whole."""
    from ledger.records import canonical_json

    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return f"[{len(value)} records]"
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def trace(
    model: Annotated[str, typer.Argument(help="Its name, its id, or the start of its id.")],
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Print a model's whole ancestry, and verify that every record of it is what was written."""
    from dataclasses import asdict

    from ledger.queries import utc
    from ledger.screen import result
    from ledger.trace import trace as walk
    from ledger.weights import check_weights
    from ledger.workspace import open_workspace

    with open_workspace(workspace, create=False) as opened:
        traced = walk(opened.ledger, model)
        gone = check_weights(opened.ledger, opened.root, [each.id for each in traced.models])
    facts = [{**asdict(each), "at": utc(each.at)} for each in traced.models]
    result(_trace_text(traced, gone), {"verified": True, "models": facts, "weights_gone": gone}, as_json=as_json)


def _trace_text(traced: Trace, gone: list[str]) -> str:
    from ledger.queries import utc

    lines = []
    for model in traced.models:
        lines.append(f"{model.name}  {model.id}  {model.method}  {utc(model.at)}  {model.code}".rstrip())
        if model.pairs:
            behind = f"{model.comparisons} comparisons, {model.candidates} candidates, {model.prompts} prompts"
            lines.append(f"    trained on {model.pairs} pairs: {behind}")
    lines.append("every record is what was written, and so are the weights")
    if gone:
        lines.append(f"except those that are not here, which were not checked: {', '.join(gone)}")
    return "\n".join(lines)
