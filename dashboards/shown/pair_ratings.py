"""A model's training pairs in a list, and one pair's way back to its ratings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards import reading
from dashboards.findings.pair_ratings import ListedPair, PairWayBack, listed_pairs, way_back
from dashboards.shown.escaping import escaped

AT_ONCE = 50


def show_pair(model: str, pairs: int) -> None:
    """List the pairs, a page at a time, and show the one that the reader picks."""
    st.markdown("#### One pair's way back")
    last = max(1, -(-pairs // AT_ONCE))
    page = st.number_input(f"Page (of {last:,})", 1, last, width=160) if last > 1 else 1
    with reading.opened() as workspace:
        listed = listed_pairs(workspace.ledger, model, (page - 1) * AT_ONCE, AT_ONCE)
        found = way_back(workspace.ledger, _picked(listed).id)
    _show(found)


def _picked(listed: list[ListedPair]) -> ListedPair:
    import pandas as pd

    table = pd.DataFrame([asdict(each) for each in listed])[["question", "weight", "ratings"]]
    picked: Any = st.dataframe(
        table,
        hide_index=True,
        height=215,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        column_config={"weight": st.column_config.NumberColumn("P(chosen is better)", format="%.2f", width=140)},
    )
    rows = [row for row in picked["selection"]["rows"] if row < len(listed)]
    return listed[rows[0] if rows else 0]


def _show(found: PairWayBack) -> None:
    import pandas as pd

    st.markdown(f"**Question** · [all its answers](answers?prompt={found.prompt.id})")
    st.text(found.prompt.question)
    for place, title, answer in zip(
        st.columns(2, gap="medium"), ("Chosen", "Rejected"), (found.chosen, found.rejected), strict=True
    ):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.text(answer.text or "(empty)")
    st.markdown(f"**Ratings behind it: {len(found.ratings)}**")
    st.dataframe(pd.DataFrame([asdict(each) for each in found.ratings]), hide_index=True)
    st.caption(escaped(f"pair {found.pair.id} · chosen {found.chosen.id} · rejected {found.rejected.id}"))
