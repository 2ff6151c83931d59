"""The commands of this room."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import AsJson, Folder
from ledger.errors import InputError
from ledger.screen import say


def dashboard(
    workspace: Folder = Path(),
    port: Annotated[int | None, typer.Option(help="By default as configured.")] = None,
    set_password: Annotated[bool, typer.Option("--set-password", help="Only make a password's hash.")] = False,
) -> None:
    """Open the dashboard in the browser. On this machine only, unless [dashboard] in wardround.toml says otherwise."""
    if set_password:
        print(f'password_hash = "{_hash_of_asked()}"')  # noqa: T201 - a line for the user to keep
        say("Write this line into wardround.toml under [dashboard]; the password itself is kept nowhere.")
        return
    from dashboards.launch import launch

    launch(workspace, port)


def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.", file_okay=False)],
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write what the dashboard shows as files: a static page, Markdown, and each figure as SVG, PNG and CSV."""
    from dataclasses import asdict

    from dashboards.report.stage import report as run
    from ledger.screen import result
    from ledger.workspace import open_workspace

    with open_workspace(workspace, create=False) as opened:
        found = run(opened, out)
    result(found.text(), asdict(found), as_json=as_json)


def _hash_of_asked() -> str:
    """Ask for a password twice; where nobody can be asked, read one line."""
    from dashboards.access.passwords import hashed

    if not sys.stdin.isatty():
        return hashed(sys.stdin.readline().rstrip("\r\n"))
    from getpass import getpass

    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise InputError("the two differ", where="dashboard", advice="try again")
    return hashed(password)
