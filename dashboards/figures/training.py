"""The page "Training": what each run's curves and alarms say, how fast it was, and what it learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Format, Line, Missing, Page, Part
from dashboards.figures.run_curves import KINDS, curve
from dashboards.figures.training_data import composition
from dashboards.findings.training import Run, Training
from dashboards.findings.training_data import TrainingData

if TYPE_CHECKING:
    from pandas import DataFrame

# What an alarm says, as a clause for people.
SAID: Mapping[str, str] = {
    "not_a_number": "a figure is not a number any more",
    "no_gradient": "nothing was trained",
    "leak": "every pair was told apart too early to have been learnt",
    "displacement": "the chosen answers became less likely",
    "kl": "the model went far from its reference",
    "length": "length is what was learnt",
    "no_progress": "the loss did not fall",
}
GROUPS = {
    "Learning": ("loss", "margin", "accuracy"),
    "Chosen and rejected answers": ("log_ratios", "log_probabilities", "kl", "lengths"),
    "Optimiser": ("grad_norm", "learning_rate"),
    "Speed": ("speed",),
}
TICK = "`"  # around commands, for terminals
RUN_FORMATS: Mapping[str, Format] = {
    "pairs": "count",
    "steps": "count",
    "alarms": "count",
    "tokens/s": "count",
    "first loss": "number",
    "last loss": "number",
    "pairs/s": "number",
    "peak GiB": "number",
    "seconds a step": "number",
}


def training_page(findings: Training, data: TrainingData | None = None, runs: Sequence[str] | None = None) -> Page:
    """The page of these runs, by their keys; by default of the newest that logged steps."""
    if not findings.runs:
        what = "No model was trained yet. A round samples, judges, makes pairs and trains on them."
        return Page(missing=Missing(what, "wardround round"))
    chosen = chosen_runs(findings, runs)
    if not chosen:
        return Page(headline=Line(sentence(findings.runs[0])), missing=NO_STEPS, parts=(_all_runs(findings),))
    alarms = tuple(_alarms(chosen))
    curves = tuple(_curves(chosen))
    return Page(
        headline=Line(sentence(chosen[0]), "warning" if _open_alarms(chosen[0]) else "plain"),
        notes=tuple(_notes(chosen)),
        parts=(*alarms, *curves, *composition(chosen, data), _all_runs(findings)),
    )


NO_STEPS = Missing("No step of it was logged, so there are no curves; a run that trains now logs its steps.")


def first_runs(findings: Training) -> tuple[str, ...]:
    """The keys of the runs that the page opens with; none where there is nothing to choose between."""
    if sum(bool(run.n_logged) for run in findings.runs) < 2:
        return ()
    return tuple(run.key for run in chosen_runs(findings, None))


def chosen_runs(findings: Training, runs: Sequence[str] | None) -> list[Run]:
    """Those of these keys, the newest first; where there are none, the newest that logged steps."""
    wanted = set(runs or ())
    chosen = [run for run in findings.runs if run.key in wanted]
    return chosen or [run for run in findings.runs if run.n_logged][:1]


def sentence(run: Run) -> str:
    """How a run went, in one line."""
    return f"{run.label}: {_learnt(run)}{_ended(run)}; {_alarmed(run)}."


def _learnt(run: Run) -> str:
    if run.first_loss is None or run.last_loss is None:
        return "no loss was logged"
    verb = "fell" if run.last_loss < run.first_loss else "rose" if run.last_loss > run.first_loss else "stayed"
    steps = n_of(run.n_steps, "step")
    return f"loss {verb} from {run.first_loss:.2f} to {run.last_loss:.2f} over {steps}"


def _ended(run: Run) -> str:
    if run.state == "failed":
        return f", then it failed ({run.cause})" if run.cause else ", then it failed"
    return {"interrupted": ", then it was interrupted", "open": ", and it has not ended yet"}.get(run.state, "")


def _alarmed(run: Run) -> str:
    if not run.alarms:
        return "no alarm"
    said = ", ".join(f"{SAID.get(alarm.kind, alarm.kind)} (step {alarm.step:,})" for alarm in run.alarms)
    return f"{n_of(len(run.alarms), 'alarm')}: {said}"


def _open_alarms(run: Run) -> bool:
    return any(not alarm.closed for alarm in run.alarms)


def _notes(runs: Sequence[Run]) -> Iterator[Line]:
    for run in runs[1:]:
        yield Line(sentence(run), "warning" if _open_alarms(run) else "plain")
    for run in runs:
        if told := _speed(run):
            yield Line(f"{run.label}: {told}.")


def _speed(run: Run) -> str:
    speed = run.speed
    told = [
        f"{_duration(speed.seconds)} of training" if speed.seconds else "",
        f"{speed.tokens_per_second:,.0f} tokens a second" if speed.tokens_per_second else "",
        f"{speed.pairs_per_second:,.1f} pairs a second" if speed.pairs_per_second and run.method != "sft" else "",
        f"{speed.peak_mib / 1024:,.1f} GiB at most" if speed.peak_mib else "",
    ]
    return ", ".join(each for each in told if each)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} seconds"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _alarms(runs: Sequence[Run]) -> Iterator[Part]:
    import pandas as pd

    rows = [
        (run.label, alarm.step, SAID.get(alarm.kind, alarm.kind), alarm.what, alarm.advice, alarm.closed or "open")
        for run in runs
        for alarm in run.alarms
    ]
    if not rows:
        return
    open_ = [each for each in rows if each[-1] == "open"]
    lines = [
        Line(f"{run}, step {step:,}: {what}. What to do: {advice.replace(TICK, '')}.", "warning")
        for run, step, _, what, advice, _ in open_
    ]
    if open_:
        lines.append(Line("An open alarm holds the model: wardround gate --close-alarm KIND --reason TEXT closes it."))
    table = Figure(
        name="alarms",
        title="Alarms",
        says=f"{n_of(len(rows), 'alarm')}, {len(open_)} of them open.",
        method="Rules over the logged steps (align/watching/alarms.py); each kind is raised once a run.",
        table=pd.DataFrame(rows, columns=["run", "step", "alarm", "what was seen", "what to do", "closed because"]),
        formats={"step": "count"},
    )
    yield Part("Alarms", (table,), tuple(lines))


def _curves(runs: Sequence[Run]) -> Iterator[Part]:
    kinds = {kind.name: kind for kind in KINDS}
    for title, names in GROUPS.items():
        figures = [figure for name in names if (figure := curve(kinds[name], runs))]
        if figures:
            yield Part(title, tuple(figures))


def _all_runs(findings: Training) -> Part:
    return Part(
        "All runs",
        (
            Figure(
                name="runs",
                title="Every training so far",
                says=f"{n_of(len(findings.runs), 'run')}, the newest first.",
                method="Losses are means over the first and last ten logged steps; seconds, tokens and memory as the "
                "trainer logged them.",
                table=_runs_table(findings.runs),
                formats=RUN_FORMATS,
            ),
        ),
    )


def _runs_table(runs: Sequence[Run]) -> DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "run": [run.label for run in runs],
            "method": [run.method for run in runs],
            "state": ["not ended" if run.state == "open" else run.state for run in runs],
            "begun (UTC)": [run.began[:16].replace("T", " ") for run in runs],
            "pairs": [run.pairs for run in runs],
            "steps": [run.n_steps for run in runs],
            "first loss": [run.first_loss for run in runs],
            "last loss": [run.last_loss for run in runs],
            "alarms": [len(run.alarms) for run in runs],
            "seconds a step": [run.speed.seconds_per_step for run in runs],
            "tokens/s": [run.speed.tokens_per_second for run in runs],
            "pairs/s": [run.speed.pairs_per_second for run in runs],
            "peak GiB": [run.speed.peak_mib and run.speed.peak_mib / 1024 for run in runs],
            "cause": [run.cause for run in runs],
        }
    )
