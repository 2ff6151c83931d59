"""The page "Lineage": a model's way back to each rating, and what a round changed."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.counting.sections import LINEAGE
from dashboards.figures.lineage import lineage_page
from dashboards.findings.lineage import Lineage
from dashboards.shown.built import built
from dashboards.shown.page import show_head, show_part
from dashboards.shown.pair_ratings import show_pair
from dashboards.shown.section import findings_of


def page() -> None:
    """Choose a model and two rounds."""
    found = findings_of(LINEAGE)
    if found is None:
        return
    model = _model(found)
    rounds = _rounds(found)
    shown = built(lineage_page, (LINEAGE,), model, rounds)
    show_head(shown)
    for part in shown.parts:
        show_part(part)
    pairs = {each.id: each.pairs for each in found.models}
    if model and pairs[model]:
        show_pair(model, pairs[model])


def _model(found: Lineage) -> str | None:
    labels = {each.id: each.label for each in reversed(found.models)}
    if not labels:
        return None
    return st.selectbox(
        "Model", list(labels), format_func=labels.__getitem__, width=320, key="descent", bind="query-params"
    )


def _rounds(found: Lineage) -> tuple[int, int] | None:
    numbers = sorted(each.number for each in found.rounds)
    if len(numbers) < 3:
        return None
    with st.container(horizontal=True):
        before = st.selectbox("Round", numbers, index=len(numbers) - 2, width=120, key="before", bind="query-params")
        after = st.selectbox("and round", numbers, index=len(numbers) - 1, width=120, key="after", bind="query-params")
    return before, after


if __name__ == "__main__":
    page()
