"""The page "Training": each run's curves, alarms and data, and what trains now."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards import reading
from dashboards.counting.sections import TRAINING, TRAINING_DATA
from dashboards.figures.page import Figure, Part
from dashboards.figures.running_jobs import running_part
from dashboards.figures.training import chosen_runs, training_page
from dashboards.findings.running_jobs import running_jobs
from dashboards.findings.training import Training
from dashboards.shown.built import built
from dashboards.shown.escaping import escaped
from dashboards.shown.figure import show_figure
from dashboards.shown.missing import show_missing
from dashboards.shown.page import show_head, show_lines
from dashboards.shown.section import findings_of
from ledger.errors import WardroundError

LOOK_AGAIN = 3  # seconds
KEY = "runs"  # in the URL


def page() -> None:
    """Show it."""
    findings = findings_of(TRAINING)
    if findings is None:
        _now()
        return
    shown = built(training_page, (TRAINING, TRAINING_DATA), tuple(_choice(findings)))
    show_head(shown)
    _now()
    for part in shown.parts:
        _show_part(part)


def _choice(findings: Training) -> list[str]:
    """Which runs, by their keys; a link keeps them."""
    labels = {run.key: run.label for run in findings.runs if run.n_logged}
    if len(labels) < 2:
        return []
    if KEY not in st.session_state:
        linked = [key for key in st.query_params.get_all(KEY) if key in labels]
        st.session_state[KEY] = linked or [run.key for run in chosen_runs(findings, None)]
    chosen = st.multiselect(
        "Runs",
        list(labels),
        format_func=lambda key: labels[key],
        placeholder="The newest",
        key=KEY,
    )
    st.query_params[KEY] = chosen
    return chosen


@st.fragment(run_every=LOOK_AGAIN)
def _now() -> None:
    """What is on, read past the counted findings: from the log, and from the end of a step log."""
    try:
        with reading.opened() as workspace:
            now = time.time()
            part = running_part(running_jobs(workspace, now), now)
    except WardroundError as error:
        st.caption(escaped(str(error)))
        return
    if part:
        with st.container(border=True):
            _show_part(part, "now-")


def _show_part(part: Part, prefix: str = "") -> None:
    """As every page shows a part, but with two charts beside each other where there is room."""
    if part.title:
        st.markdown(f"#### {escaped(part.title)}")
    show_lines(part.lines)
    if part.missing:
        show_missing(part.missing)
    charts = [figure for figure in part.figures if figure.chart is not None]
    for row in range(0, len(charts), 2):
        for column, figure in zip(st.columns(2), charts[row : row + 2], strict=False):
            with column:
                show_figure(_named(figure, prefix))
    for figure in part.figures:
        if figure.chart is None:
            show_figure(_named(figure, prefix))


def _named(figure: Figure, prefix: str) -> Figure:
    return replace(figure, name=f"{prefix}{figure.name}") if prefix else figure


if __name__ == "__main__":
    page()
