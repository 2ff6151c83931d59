"""The commands that train, look before training, and hand training over to other projects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ledger.cli import AsJson, Folder, one_at_most

if TYPE_CHECKING:
    from ledger.records import ModelVersion
    from ledger.workspace import Workspace

PUT_RIGHT = 2  # exit code: there is something that the user can put right, and it has been said

MethodOption = Annotated[
    Literal["dpo", "ipo", "orpo", "kto"] | None, typer.Option(help="How to train; by default as configured.")
]


def train(
    *,
    method: MethodOption = None,
    name: Annotated[str | None, typer.Option(help="The trained model's name.")] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Train nothing: say what is wrong with the pairs and settings.")
    ] = False,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="Train nothing for good: try at most 100 pairs, and show one.")
    ] = False,
    print_trl: Annotated[
        bool, typer.Option("--print-trl", help="Train nothing: print the plain TRL script that would do the same.")
    ] = False,
    on_alarm: Annotated[
        Literal["warn", "stop"] | None, typer.Option(help="When a run goes wrong; by default as configured.")
    ] = None,
    accelerate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train in several processes: one_gpu, several_gpus_fsdp, deepspeed_zero3, or a file of your own.",
        ),
    ] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Train the current policy on the preference pairs of its answers: a LoRA adapter, or all weights."""
    from align.training import with_align, with_method
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model

    one_at_most({"--preflight": preflight, "--sanity": sanity, "--print-trl": print_trl, "--accelerate": accelerate})
    if accelerate:
        _launch(accelerate, workspace, {"--method": method, "--name": name, "--on-alarm": on_alarm}, as_json=as_json)
        return
    with open_workspace(workspace) as opened:
        chosen = with_method(opened, method)
        chosen = with_align(chosen, on_alarm=on_alarm) if on_alarm else chosen
        policy = chosen_model(chosen, None)
        if preflight:
            _preflight(chosen, policy, as_json=as_json)
        elif sanity:
            _sanity(chosen, policy, as_json=as_json)
        elif print_trl:
            _print_trl(chosen, policy, as_json=as_json)
        else:
            _train(chosen, policy, name, as_json=as_json)


def _launch(config: str, workspace: Path, options: dict[str, str | None], *, as_json: bool) -> None:
    """The same command in the processes of an accelerate configuration."""
    from align.processes import launch

    given = [word for option, value in options.items() if value for word in (option, value)]
    raise typer.Exit(launch(config, ["train", "-w", str(workspace), *given, *(["--json"] if as_json else [])]))


def _preflight(workspace: Workspace, policy: ModelVersion, *, as_json: bool) -> None:
    from align.preflight.stage import check_before
    from ledger.screen import result

    report = check_before(workspace, policy)
    result(report.text(), report.facts(), as_json=as_json)
    if report.checks.has_faults:
        raise typer.Exit(PUT_RIGHT)


def _sanity(workspace: Workspace, policy: ModelVersion, *, as_json: bool) -> None:
    from align.preflight.stage import try_out
    from ledger.screen import result

    report = try_out(workspace, policy)
    result(report.text(), report.facts(), as_json=as_json)
    if not report.checks.passed:
        raise typer.Exit(PUT_RIGHT)


def _print_trl(workspace: Workspace, policy: ModelVersion, *, as_json: bool) -> None:
    from align.export.material import DATA
    from align.export.stage import trl_script
    from ledger.screen import result

    script = trl_script(workspace, policy)
    result(script, {"script": script, "data": DATA}, as_json=as_json)


def _train(workspace: Workspace, policy: ModelVersion, name: str | None, *, as_json: bool) -> None:
    from align.processes import is_main
    from align.training import train as run
    from ledger.screen import result

    model = run(workspace, policy, name or f"{policy.name}-{workspace.config.align.method}")
    facts = {"id": model.id, "name": model.name, "path": model.path, "metrics": model.metrics}
    if is_main():
        result(f"Trained {model.name} ({model.id}): {model.path}", facts, as_json=as_json)


def export(
    *,
    to: Annotated[Literal["trl", "axolotl", "llamafactory", "openai", "unsloth"], typer.Option(help="Whose format.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; by default exports/TO-METHOD in the workspace.")
    ] = None,
    method: MethodOption = None,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="A person has looked at all text with possible identifiers.")
    ] = False,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write the current policy's preference pairs, and settings to train on them, for another project's trainer."""
    from align.export.stage import export as run
    from align.training import with_method
    from ledger.screen import result
    from ledger.workspace import open_workspace
    from sampling.policies import chosen_model

    with open_workspace(workspace, create=False) as opened:
        chosen = with_method(opened, method)
        report = run(chosen, chosen_model(opened, None), to, out, reviewed=reviewed)
    result(report.text(), report.facts(), as_json=as_json)


def sft(
    *,
    base: Annotated[
        str | None, typer.Option(help="Folder or hub id of the model to begin with; by default model.path.")
    ] = None,
    epochs: Annotated[float, typer.Option(min=0.01, help="How often each question is seen.")] = 3.0,
    learning_rate: Annotated[float | None, typer.Option(help="By default 2e-4, with --full 1e-5.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions a step.")] = 8,
    full: Annotated[bool, typer.Option("--full", help="Train all weights, not a LoRA adapter.")] = False,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Fine-tune a model on the train questions' references: for who has no SFT model yet."""
    from align.sft_stage import SftOptions, fine_tune
    from ledger.screen import result
    from ledger.workspace import open_workspace

    with open_workspace(workspace) as opened:
        chosen = SftOptions(epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, full=full)
        report = fine_tune(opened, base, chosen)
    result(report.text(), report.facts(), as_json=as_json)
