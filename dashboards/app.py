"""The dashboard's frame: navigation, the notice, and errors in one line. Streamlit runs this file."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.wording import NOTICE, escaped
from ledger.errors import WardroundError


def main() -> None:
    """Show the chosen page."""
    # An emoji, because the browser fetches a ":material/" page icon from the network.
    st.set_page_config(page_title="Wardround", page_icon="🩺", layout="wide")
    page = st.navigation(
        [
            st.Page("views/win_rates.py", title="Win rates", icon=":material/query_stats:", default=True),
            st.Page("views/answers.py", title="Answers", icon=":material/forum:"),
        ],
        position="top",
    )
    st.title(page.title, anchor=False)
    st.caption(NOTICE)
    try:
        page.run()
    except WardroundError as error:
        st.error(escaped(str(error)), icon=":material/error:")


if __name__ == "__main__":
    main()
