"""Curves of training runs: one figure a chart, several runs in it, alarms marked where they were raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from align.watching.alarms import WINDOW
from dashboards.figures.page import Figure
from dashboards.figures.style import ORANGE, series_scale
from dashboards.findings.training import Run

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart

HEIGHT, LEGEND = 230, 36  # pixels: a chart, and a line of its legend
BOTH = ("chosen", "rejected")


@dataclass(frozen=True)
class Kind:
    """A chart of one figure, or of the same one of chosen and rejected answers.

    ``names``: of `align.watching.steps.Step`, by what the line is called; empty where there is one line a run.
    """

    name: str
    title: str
    method: str
    names: Mapping[str, str]
    unit: str = ""
    alarms: tuple[str, ...] = ()  # the kinds that are marked on it
    format: str = ".3~g"


KINDS = (
    Kind(
        "loss",
        "Loss",
        "The training loss of each batch.",
        {"": "loss"},
        alarms=("no_progress", "not_a_number"),
    ),
    Kind(
        "margin",
        "Reward margin",
        "Reward of chosen less that of rejected answers; for ORPO beta times the difference of log-probabilities.",
        {"": "margin"},
        alarms=("length", "leak", "displacement"),
    ),
    Kind(
        "accuracy",
        "Accuracy",
        "Share of a batch's pairs whose chosen answer has the higher reward; 50% is chance.",
        {"": "accuracy"},
        alarms=("leak",),
        format=".0%",
    ),
    Kind(
        "log_probabilities",
        "Log-probability of chosen and rejected answers",
        "In nats, summed over an answer (for ORPO its mean a token), the mean over the batch.",
        {"chosen": "chosen_logp", "rejected": "rejected_logp"},
        "nats",
        ("displacement",),
    ),
    Kind(
        "log_ratios",
        "Chosen and rejected against the reference",
        "log(policy / reference) in nats an answer. Chosen below 0: these answers became less likely than they were.",
        {"chosen": "chosen_ratio", "rejected": "rejected_ratio"},
        "nats",
        ("displacement",),
    ),
    Kind(
        "kl",
        "KL to the reference",
        "In nats an answer, estimated on the training answers (Schulman, 2020, k1); it may lie below 0.",
        {"": "kl"},
        "nats",
        ("kl",),
    ),
    Kind(
        "grad_norm",
        "Gradient norm",
        "Before clipping. 0 step after step: nothing is trained.",
        {"": "grad_norm"},
        alarms=("no_gradient", "not_a_number"),
    ),
    Kind("learning_rate", "Learning rate", "As scheduled.", {"": "learning_rate"}, format=".1e"),
    Kind(
        "lengths",
        "Length of chosen and rejected answers",
        "In tokens, the mean over the batch.",
        {"chosen": "chosen_length", "rejected": "rejected_length"},
        "tokens",
        ("length",),
    ),
    Kind(
        "speed",
        "Tokens a second",
        "Of all tokens that the trainer counts, since the step logged before.",
        {"": "tokens_per_second"},
        format=",.0f",
    ),
)
THINNED = "Each point is the mean of {n:,} logged steps"
BAND = "the band reaches from the lowest to the highest of them"
SMOOTH = f"Faint: every logged step. Strong: the mean of the last {WINDOW}, which is what the alarms see."
SEVERAL = f"Each line is the mean of the last {WINDOW} logged steps"
TABLE = "The table holds what is drawn; every step is in the ledger, and in steps.jsonl beside the weights."


def curve(kind: Kind, runs: Sequence[Run]) -> Figure | None:
    """The chart of one kind, over the runs that logged it; None where none did."""
    table = points(kind, runs)
    if table.empty:
        return None
    met = [run for run in runs if run.label in set(table["run"])]
    logged = ", ".join(f"{run.label}: {run.n_logged:,} of {run.n_steps:,} steps logged" for run in met)
    return Figure(
        name=kind.name,
        title=f"{kind.title} ({kind.unit})" if kind.unit else kind.title,
        says=f"{kind.title} by step. {_says(table)}",
        method=f"{kind.method} {_drawn(met)} {logged}. {TABLE}",
        table=_for_people(table, met),
        chart=_chart(kind, table, met),
        formats={"step": "count", "value": "number", "mean of 10": "number", "lowest": "number", "highest": "number"},
    )


def _drawn(runs: Sequence[Run]) -> str:
    """What the lines of a chart are; a band is drawn where there is one run."""
    thinned = [run for run in runs if run.curves.per_point > 1]
    if len(runs) == 1:
        return f"{THINNED.format(n=thinned[0].curves.per_point)}, and {BAND}." if thinned else SMOOTH
    each = "; ".join(f"{run.label}: {THINNED.format(n=run.curves.per_point).lower()}" for run in thinned)
    return f"{SEVERAL}, but for those of many steps ({each})." if each else f"{SEVERAL}."


def points(kind: Kind, runs: Sequence[Run]) -> DataFrame:
    """A row a point: run, line, step, value, its running mean, the lowest and the highest."""
    import pandas as pd

    columns = ["run", "line", "step", "value", "smooth", "lowest", "highest"]
    parts = []
    for run in runs:
        for line, name in kind.names.items():
            if name not in run.curves.means:
                continue
            means = run.curves.means[name]
            part = pd.DataFrame(
                {
                    "step": run.curves.steps,
                    "value": means,
                    "lowest": run.curves.lowest.get(name, means),
                    "highest": run.curves.highest.get(name, means),
                }
            )
            part = part.assign(run=run.label, line=line).astype(
                {"value": "float64", "lowest": "float64", "highest": "float64"}
            )
            part["smooth"] = part["value"] if run.curves.per_point > 1 else part["value"].rolling(WINDOW, 1).mean()
            parts.append(part[part["value"].notna()])
    found = [part for part in parts if not part.empty]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _says(table: DataFrame) -> str:
    said = []
    for (run, line), part in table.groupby(["run", "line"], sort=False):
        first, last = part["smooth"].iloc[min(WINDOW, len(part)) - 1], part["smooth"].iloc[-1]
        said.append(f"{run}{f', {line}' if line else ''}: {first:.3g}, then {last:.3g}")
    return f"{'; '.join(said)}."


def _for_people(table: DataFrame, runs: Sequence[Run]) -> DataFrame:
    thinned = [run.curves.per_point > 1 for run in runs]
    dropped = ([] if any(thinned) else ["lowest", "highest"]) + (["smooth"] if all(thinned) else [])
    dropped += [] if table["line"].any() else ["line"]
    return table.drop(columns=dropped).rename(columns={"smooth": "mean of 10", "line": "answers"})


def _chart(kind: Kind, table: DataFrame, runs: Sequence[Run]) -> Chart:
    import altair as alt

    several = len(runs) > 1
    # One run: a colour and a dash for chosen and rejected. Several: a colour each, and the dash says which answers.
    of_lines = not several and len(kind.names) > 1
    by = "line" if of_lines else "run"
    colours, dashes = series_scale(list(BOTH) if of_lines else [run.label for run in runs])
    legend: Any = alt.Legend(
        orient="bottom", columns=1 if several else 2, title=None, labelLimit=320, symbolOpacity=1, symbolStrokeWidth=2.5
    )
    color = alt.Color(f"{by}:N", scale=colours, legend=legend if of_lines or several else None)
    dash: Any = alt.StrokeDash(f"{by}:N", scale=dashes, legend=legend if of_lines or several else None)
    if several and len(kind.names) > 1:
        dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=list(BOTH), range=[[1, 0], [2, 2]]), legend=legend)
    lines = alt.Chart(table).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickMinStep=1, format=",d", tickCount=5)),
        color=color,
        detail=["run:N", "line:N"],
        tooltip=_tooltip(kind, table, several=several),
    )
    axis = alt.Axis(format=kind.format, tickCount=5)
    y = alt.Y("smooth:Q", title=None, axis=axis, scale=alt.Scale(zero=False))
    layers: list[Any] = []
    thinned = any(run.curves.per_point > 1 for run in runs)
    if thinned and not several:
        layers.append(lines.mark_area(opacity=0.2).encode(y=alt.Y("lowest:Q", axis=axis), y2="highest:Q"))
    elif not several:
        layers.append(lines.mark_line(strokeWidth=1, opacity=0.35).encode(y=alt.Y("value:Q", axis=axis)))
    layers.append(lines.mark_line(strokeWidth=2.5).encode(y=y, strokeDash=dash))
    layers += _marks(kind, runs)
    below = LEGEND * (len(runs) if several else 1) if of_lines or several else 0
    return alt.layer(*layers).properties(height=HEIGHT + below)


def _tooltip(kind: Kind, table: DataFrame, *, several: bool) -> list[Any]:
    import altair as alt

    names = ([alt.Tooltip("run:N")] if several else []) + ([alt.Tooltip("line:N")] if table["line"].any() else [])
    figures = [("value", "value"), ("smooth", "mean"), ("lowest", "lowest"), ("highest", "highest")]
    told = [alt.Tooltip(f"{column}:Q", title=title, format=kind.format) for column, title in figures]
    return [*names, alt.Tooltip("step:Q", format=",d"), *told]


def _marks(kind: Kind, runs: Sequence[Run]) -> list[Any]:
    """A rule and a flag at the step of each alarm that shows in this chart."""
    import altair as alt
    import pandas as pd

    rows = [
        (alarm.step, run.label, ALARMS.get(alarm.kind, alarm.kind), alarm.what, alarm.advice, f"▲ {run.label}")
        for run in runs
        for alarm in run.alarms
        if alarm.kind in kind.alarms
    ]
    if not rows:
        return []
    table = pd.DataFrame(rows, columns=["step", "run", "alarm", "what", "advice", "flag"])
    table["flag"] = "▲ " + table["alarm"]
    marks = alt.Chart(table).encode(
        x="step:Q",
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("run", "alarm", "what")]
        + [alt.Tooltip("advice:N", title="what to do"), alt.Tooltip("step:Q", format=",d")],
    )
    rule = marks.mark_rule(color=ORANGE, strokeWidth=2, strokeDash=[5, 3])
    flag = marks.mark_text(color=ORANGE, align="right", dx=-6, baseline="top", fontSize=12, y=2)
    return [rule, flag.encode(text="flag:N")]


ALARMS: Mapping[str, str] = {
    "not_a_number": "not a number",
    "no_gradient": "no gradient",
    "leak": "too early right",
    "displacement": "displacement",
    "kl": "far from reference",
    "length": "length is learnt",
    "no_progress": "no progress",
}
