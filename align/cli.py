"""The commands of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from align.training_cli import MethodOption
from ledger.cli import AsJson, Folder, one_at_most
from ledger.errors import InputError

if TYPE_CHECKING:
    from align.evaluate import Evaluation


def evaluate(
    model: Annotated[str | None, typer.Argument(help="Name or id; by default the model trained last.")] = None,
    *,
    against: Annotated[str | None, typer.Option(help="Name or id; by default the SFT model.")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Put all model versions on one scale, by what is compared already.")
    ] = False,
    probes: Annotated[
        bool, typer.Option("--probes/--no-probes", help="Also measure what could have got worse.")
    ] = True,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """How a model fares against another: win rate, exam accuracy, safety, forgetting, each with its interval."""
    one_at_most({"--all": everyone, "MODEL": model})
    one_at_most({"--all": everyone, "--against": against})
    if everyone:
        _evaluate_all(workspace, as_json=as_json)
    else:
        _evaluate_one(model, against, workspace, probes=probes, as_json=as_json)


def _evaluate_all(workspace: Path, *, as_json: bool) -> None:
    """The scale of all model versions."""
    from dataclasses import asdict

    from align.leaderboard import leaderboard
    from ledger.screen import result
    from ledger.workspace import open_workspace

    with open_workspace(workspace, create=False) as opened:
        found = leaderboard(opened)
    result(found.text(), asdict(found), as_json=as_json)


def _evaluate_one(model: str | None, against: str | None, workspace: Path, *, probes: bool, as_json: bool) -> None:
    """One model against another."""
    import time

    from align.evaluate import evaluate as run
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model, newest_trained, sft_model

    began = time.monotonic()
    with open_workspace(workspace, create=False) as opened:
        ours = newest_trained(opened) if model is None else chosen_model(opened, model)
        theirs = sft_model(opened) if against is None else chosen_model(opened, against)
        found = run(opened, ours, theirs, probes=probes)
    text = f"{ours.name} against {theirs.name}: {found.text()}"
    result(text, evaluation_facts(found, time.monotonic() - began), as_json=as_json)


def gate(
    model: Annotated[str | None, typer.Argument(help="Name or id; by default the model trained last.")] = None,
    *,
    against: Annotated[str | None, typer.Option(help="Name or id; by default the policy that it came from.")] = None,
    promote: Annotated[bool, typer.Option("--force", help="Promote it whatever the rules say. With --reason.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take a promotion back. With --reason.")] = False,
    alarm: Annotated[
        str | None, typer.Option("--close-alarm", metavar="KIND", help="An alarm of its training is no hindrance.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it goes into the ledger.")] = "",
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Decide by the rules of [gate] whether a model is promoted: promote, hold (what is missing) or reject (why)."""
    from align.gate.stage import close_alarm, force, opponent_of
    from align.gate.stage import gate as run
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model, newest_trained

    one_at_most({"--force": promote, "--withdraw": withdraw})
    _reason_given({"--force": promote, "--withdraw": withdraw, "--close-alarm": alarm}, reason)
    with open_workspace(workspace, create=False) as opened:
        ours = newest_trained(opened) if model is None else chosen_model(opened, model)
        theirs = opponent_of(opened, ours) if against is None else chosen_model(opened, against)
        if alarm is not None:
            close_alarm(opened, ours, alarm, reason)
        report = run(opened, ours, theirs)
        if promote or withdraw:
            report = force(opened, report, promote=promote, reason=reason)
    result(report.text(), report.facts(), as_json=as_json)


def _reason_given(options: Mapping[str, object], reason: str) -> None:
    """A decision against the rules says why, before anything is done; a reason without one is for nothing."""
    given = [name for name, value in options.items() if value]
    if given and not reason.strip():
        raise InputError(f"{given[0]} needs a reason", where="--reason", advice="say why, in a sentence")
    if reason and not given:
        raise InputError("a reason for nothing", where="--reason", advice=f"goes with {', '.join(options)}")


def plan(
    detect: Annotated[str, typer.Option(metavar="DIFFERENCE", help="From a win rate of one half: 3pt, 3% or 0.03.")],
    power: Annotated[float, typer.Option(help="The chance to detect it.")] = 0.8,
    correlation: Annotated[
        float | None, typer.Option(help="Of the judge with the surgeons; by default as measured, else 0.5.")
    ] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """How many surgeons' ratings, and minutes, a question about two models needs: without the judge and with it."""
    from align.planning import parsed_difference
    from align.planning import plan as run
    from ledger.screen import result
    from ledger.workspace import open_workspace

    difference = parsed_difference(detect)
    with open_workspace(workspace, create=False) as opened:
        found = run(opened, difference, power=power, correlation=correlation)
    result(found.text(), found.facts(), as_json=as_json)


def round_(
    method: MethodOption = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Run one whole round: sample, judge, pairs, train, evaluate, gate. Run again, it goes on where it was."""
    import time

    from align.rounds import run_round
    from align.training import with_method
    from ledger.screen import result
    from ledger.workspace import open_workspace

    began = time.monotonic()
    with open_workspace(workspace) as opened:
        report = run_round(with_method(opened, method))
    facts = evaluation_facts(report.against_policy, time.monotonic() - began)
    result(report.text(), {**facts, **report.facts()}, as_json=as_json)


def demo(
    method: Annotated[Literal["dpo", "ipo", "orpo", "kto"], typer.Option(help="How to train.")] = "dpo",
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="The folder to work in.")] = Path("demo"),
    review: Annotated[
        bool, typer.Option("--review", help="Then send surgeons its answers, in an Argilla server that it starts.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Walk one round on bundled questions with a tiny policy: no network, no GPU, no server. No clinical advice."""
    from align.demo import demo as run
    from ledger.screen import result

    report = run(workspace, method)
    facts = {**evaluation_facts(report.round.against_sft, report.seconds), **report.round.facts()}
    if review:
        send_to_surgeons(workspace)
    result(f"{report.round.text()}\nLook at it: wardround dashboard -w {workspace}", facts, as_json=as_json)


def send_to_surgeons(folder: Path) -> None:
    """Start the review server on a workspace, and send what was compared there."""
    from annotate.review.frame import Frame
    from annotate.review.pushing import review_push
    from annotate.review.serving import review_up
    from ledger.screen import say
    from ledger.workspace import open_workspace

    with open_workspace(folder) as opened:
        say(review_up(opened).text())
        say(review_push(opened, Frame()).text())


def evaluation_facts(evaluation: Evaluation, seconds: float) -> dict[str, object]:
    """What ``--json`` prints."""
    from dataclasses import asdict

    from ledger.memory import peak_rss_mib

    facts = asdict(evaluation)
    return {**facts.pop("overall"), **facts, "seconds": round(seconds, 1), "peak_rss_mb": round(peak_rss_mib(), 1)}
