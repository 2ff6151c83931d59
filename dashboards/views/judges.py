"""The page "Judge"."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.counting.sections import JUDGES
from dashboards.figures.judges import judges_page
from dashboards.shown.built import built
from dashboards.shown.page import show_page
from dashboards.shown.section import findings_of


def page() -> None:
    """Show it."""
    findings = findings_of(JUDGES)
    if findings is None:
        return
    names = [each.name for each in findings.judges]
    chosen = None
    if len(names) > 1:
        chosen = st.selectbox("Judge or metric", names, key="judge", bind="query-params")
    show_page(built(judges_page, (JUDGES,), chosen))


if __name__ == "__main__":
    page()
