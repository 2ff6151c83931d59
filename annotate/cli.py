"""The commands of this room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ledger.cli import SOME_LEFT, AsJson, Folder, one_at_most

if TYPE_CHECKING:
    from annotate.each_judge import Report


def judge(
    *,
    split: Annotated[
        Literal["train", "eval", "probe"] | None,
        typer.Option(help="Answers to which prompts; by default train, and eval against another model."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name or id; by default the current policy.")] = None,
    against: Annotated[str | None, typer.Option(help="Compare with this model's answers, not with its own.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost instead.")] = False,
    passport: Annotated[bool, typer.Option("--passport", help="Say how far the judge can be trusted instead.")] = False,
    retest: Annotated[
        int | None, typer.Option(min=1, help="Put so many answered questions to the judge again instead.")
    ] = None,
    attack: Annotated[bool, typer.Option("--attack", help="Try to mislead the judge instead.")] = False,
    prompts: Annotated[int, typer.Option(min=1, help="With --attack: on so many prompts.")] = 5,
    reparse: Annotated[
        bool, typer.Option("--reparse", help="Read old replies with today's parser instead; makes no call.")
    ] = False,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Compare candidate answers with the configured judges; by default the embedded reference metric.

    Exit code 3: the budget ended before all was judged.
    """
    from annotate import comparing
    from annotate.attacking import attack_judges
    from annotate.examining import judge_passports
    from annotate.reparsing import reparse_replies
    from annotate.retesting import retest_judges
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model

    instead = {
        "--dry-run": dry_run,
        "--passport": passport,
        "--retest": retest,
        "--attack": attack,
        "--reparse": reparse,
    }
    one_at_most(instead)
    with open_workspace(workspace) as opened:
        report: Report
        stopped = False
        if attack:
            report = attack_judges(opened, prompts)
        elif passport:
            report = judge_passports(opened)
        elif reparse:
            report = reparse_replies(opened)
        elif retest is not None:
            report = retest_judges(opened, retest)
        else:
            ours = chosen_model(opened, model)
            theirs = None if against is None else chosen_model(opened, against)
            if dry_run:
                report = comparing.dry_run(opened, ours, theirs, split)
            else:
                compared = comparing.compare(opened, ours, theirs, split)
                report, stopped = compared, bool(compared.stopped)
    result(report.text(), report.facts(), as_json=as_json)
    if stopped:
        raise typer.Exit(SOME_LEFT)


def pairs(
    model: Annotated[str | None, typer.Option(help="Whose answers: name or id; by default the current policy.")] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Make preference pairs from the comparisons on train prompts."""
    from annotate.pairing import build_pairs
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model

    with open_workspace(workspace) as opened:
        report = build_pairs(opened, chosen_model(opened, model))
    result(report.text(), report.facts(), as_json=as_json)
