"""A model's training pairs in a list, and one pair's way back to its ratings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards import reading
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure
from dashboards.findings.pair_ratings import ListedPair, PairWayBack, listed_pairs, way_back
from dashboards.shown.escaping import escaped
from dashboards.shown.figure import show_figure

AT_ONCE = 50
CHOSEN_IS_BETTER = "P(chosen is better)"
METHOD = (
    "One row a comparison, said of the chosen and the rejected answer. Surgeons are not told apart. No probability "
    "where the verdict is invalid, or is about another answer."
)


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
        column_config={"weight": st.column_config.NumberColumn(CHOSEN_IS_BETTER, format="%.2f", width=140)},
    )
    rows = [row for row in picked["selection"]["rows"] if row < len(listed)]
    return listed[rows[0] if rows else 0]


def _show(found: PairWayBack) -> None:
    st.markdown(f"**Question** · [all its answers](answers?prompt={found.prompt.id})")
    st.text(found.prompt.question)
    for place, title, answer in zip(
        st.columns(2, gap="medium"), ("Chosen", "Rejected"), (found.chosen, found.rejected), strict=True
    ):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.text(answer.text or "(empty)")
    show_figure(_ratings(found))
    st.caption(escaped(f"pair {found.pair.id} · chosen {found.chosen.id} · rejected {found.rejected.id}"))


def _ratings(found: PairWayBack) -> Figure:
    import pandas as pd

    table = pd.DataFrame([asdict(each) for each in found.ratings]).rename(columns={"strength": CHOSEN_IS_BETTER})
    return Figure(
        "pair_ratings",
        f"Ratings behind it: {len(found.ratings)}",
        f"This pair rests on {n_of(len(found.ratings), 'rating')}.",
        METHOD,
        table,
        formats={CHOSEN_IS_BETTER: "number"},
    )
