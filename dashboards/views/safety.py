"""The page "Safety and regressions": what got worse, and what the gate made of it."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.counting.sections import SAFETY
from dashboards.figures.safety import safety_page
from dashboards.findings.safety import Safety
from dashboards.shown.built import built
from dashboards.shown.page import show_page
from dashboards.shown.section import findings_of

KEY = "gated"  # in the URL


def page() -> None:
    """Show it."""
    findings = findings_of(SAFETY)
    if findings is not None:
        show_page(built(safety_page, (SAFETY,), _choice(findings)))


def _choice(findings: Safety) -> str | None:
    """Which model, by its id; None: the page chooses. A link keeps it."""
    labels = {each.id: each.label for each in findings.models}
    if len(labels) < 2:
        return None
    if KEY not in st.session_state:
        linked = st.query_params.get(KEY)
        st.session_state[KEY] = linked if linked in labels else None
    chosen = st.selectbox(
        "Model",
        list(labels),
        index=None,
        format_func=lambda model: labels[model],
        placeholder="The newest that was evaluated",
        key=KEY,
    )
    if chosen:
        st.query_params[KEY] = chosen  # an id: labels change as rounds end
    elif KEY in st.query_params:
        del st.query_params[KEY]
    return chosen


if __name__ == "__main__":
    page()
