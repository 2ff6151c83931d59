"""The commands of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ledger.cli import SOME_LEFT, AsJson, Folder


def import_prompts(
    file: Annotated[str, typer.Argument(help="JSONL, CSV or Parquet file, datasets folder, or hub id OWNER/NAME.")],
    layout: Annotated[str | None, typer.Option(help="How the columns are laid out; by default what they show.")] = None,
    split: Annotated[
        Literal["train", "eval", "probe"] | None, typer.Option(help="Where all rows belong; by default by groups.")
    ] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Import questions. Rows that cannot be used go to a rejects file with line and reason."""
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.intake import import_prompts as run

    with open_workspace(workspace) as opened:
        report = run(opened, file, layout=layout, split=split)
    result(report.text(), report.facts(), as_json=as_json)


def sample(
    split: Annotated[Literal["train", "eval", "probe"], typer.Option(help="Which prompts.")] = "train",
    model: Annotated[
        list[str] | None, typer.Option(help="Name or id, once for each model; by default the current policy.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many prompts.")] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Draw candidate answers: what is missing of n for every prompt. Exit code 3: some prompts failed."""
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model
    from sampling.sample import sample as run

    with open_workspace(workspace) as opened:
        names: list[str | None] = [*model] if model else [None]
        chosen = [chosen_model(opened, name) for name in names]
        reports = [run(opened, each, split, limit) for each in chosen]
    for report in reports:
        result(report.text(), report.facts(), as_json=as_json)
    if any(report.failed for report in reports):
        raise typer.Exit(SOME_LEFT)


def doctor(
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Say what is installed, which engines and GPUs can be used, and whether the ledger answers."""
    from ledger.screen import result
    from sampling.doctor import examine

    findings = examine(workspace)
    result(findings.text(), findings.facts(), as_json=as_json)
    if not findings.healthy:
        raise typer.Exit(2)
