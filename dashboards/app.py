"""The dashboard's frame: navigation, the notice, and errors in one line. Streamlit runs this file."""

from __future__ import annotations

import os

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.figures.page import NOTICE
from dashboards.launch import LOGIN_VARIABLE
from dashboards.navigation import FIRST, PAGES
from dashboards.shown.escaping import escaped
from ledger.errors import WardroundError


def main() -> None:
    """Show the chosen page."""
    # An emoji, because the browser fetches a ":material/" page icon from the network.
    st.set_page_config(page_title="Wardround", page_icon="🩺", layout="wide")
    page = st.navigation(
        [
            st.Page(f"views/{name}.py", title=title, icon=f":material/{icon}:", default=name == FIRST)
            for name, (title, icon) in PAGES.items()
        ],
        position="top",
    )
    st.title(page.title, anchor=False)
    st.caption(NOTICE)
    try:
        page.run()
    except WardroundError as error:
        st.error(escaped(str(error)), icon=":material/error:")
    if os.environ.get(LOGIN_VARIABLE) and st.button("Log out", icon=":material/logout:", type="tertiary"):
        st.logout()


if __name__ == "__main__":
    main()
