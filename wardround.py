"""The front door: one command line, which only forwards to the stages."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import TyperException

from align import cli as align
from align import training_cli as training
from annotate import cli as annotate
from annotate.review import cli as review
from dashboards import cli as dashboards
from ledger import cli as ledger
from ledger.errors import WardroundError
from ledger.screen import say
from sampling import cli as sampling

NOTICE = "For research; no clinical advice."

app = typer.Typer(
    name="wardround",
    help=f"Align a supervised fine-tuned surgical language model, in rounds. {NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(align.demo)
app.command("init")(ledger.init)
app.command("import")(sampling.import_prompts)
app.command("sample")(sampling.sample)
app.command("judge")(annotate.judge)
app.add_typer(review.app, name="review")
app.command("pairs")(annotate.pairs)
app.command("sft")(training.sft)
app.command("train")(training.train)
app.command("export")(training.export)
app.command("evaluate")(align.evaluate)
app.command("gate")(align.gate)
app.command("plan")(align.plan)
app.command("round")(align.round_)
app.command("dashboard")(dashboards.dashboard)
app.command("report")(dashboards.report)
app.command("log")(ledger.log)
app.command("trace")(ledger.trace)
app.command("doctor")(sampling.doctor)

INTERRUPTED = 130  # exit code


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Take what holds for every command; `main` has read it already."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Exit codes: docs/troubleshooting.md."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    # Waiting threads sleep: where several processes share the cores, spinning ones halve everybody's speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is imported, wherever that is
    if not sys.stderr.isatty():
        os.environ.setdefault(
            "TQDM_DISABLE", "1"
        )  # the libraries' bars are for terminals; stages print lines of their own
    try:
        code = app([each for each in given if each != "--debug"], standalone_mode=False)
    except WardroundError as error:
        code = _complain(error, debug=debug)
    except TyperException as error:
        code = _complain(WardroundError(_said(error), advice="see `wardround --help`"), debug=False)
    except OSError as error:
        code = _complain(_as_wardround_error(error), debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if debug:
            raise
        code = _complain(_unexpected(error), debug=False)
    if code == INTERRUPTED:  # typer turns Ctrl-C within a command into this
        say("interrupted; run the same command again to go on")
    sys.exit(code or 0)


def _complain(error: WardroundError, *, debug: bool) -> int:
    if debug:
        raise error
    say(f"error: {error}")
    return 2


def _said(error: TyperException) -> str:
    return error.format_message()


def _as_wardround_error(error: OSError) -> WardroundError:
    advice = "free some disk space" if error.errno == 28 else "check that the place exists and may be written"
    return WardroundError(error.strerror or str(error), where=error.filename or "", advice=advice)


def _unexpected(error: Exception) -> WardroundError:
    said = (str(error).splitlines() or [""])[0]
    return WardroundError(
        f"unexpected {type(error).__name__}: {said}", advice="run again with --debug and report what it prints"
    )


if __name__ == "__main__":
    main()
