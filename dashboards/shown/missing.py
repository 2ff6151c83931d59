"""What is not there yet, and which command brings it."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.figures.page import Missing
from dashboards.shown.escaping import as_code, escaped


def show_missing(missing: Missing) -> None:
    """Say it, with the command."""
    command = f"  \n{as_code(missing.command)}" if missing.command else ""
    st.info(escaped(missing.what) + command, icon=":material/pending:")
