"""The list of prompts, a hundred at a time, and which of them is open: by click, by button and by address."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.findings.prompt_choice import FIELDS, FLAGS
from dashboards.findings.prompt_index import PromptIndex
from dashboards.shown.escaping import escaped
from dashboards.shown.prompt_filters import MOVED

if TYPE_CHECKING:
    from pandas import DataFrame

LISTED = 100  # at once
PROMPT = "prompt"  # in the address
VISIBLE = 5  # rows, without scrolling
WIDE, NARROW, FEW = 460, 110, 215  # pixels
START, CLICKED, OPENED = "answers-list-start", "answers-list-clicked", "answers-list-opened"
SHORT = {"disagree": "disagree", "harm": "harm", "flipped": "flipped"}


def opened_prompt(index: PromptIndex, places: Sequence[int]) -> str:
    """The id of the prompt that is open; "" if there is none.

    It is the one in the address, else the first of the list, and that for as long as it fits the filters. What nobody
    has chosen does not go into the address: the browser's Back would only lead to where it is put there again.
    """
    named = st.query_params.get(PROMPT, "").strip()
    moved = st.session_state.pop(MOVED, False)
    if named in index.place and not (moved and not _fits(index, places, named)):
        return named
    opened: str = st.session_state.get(OPENED, "")
    if named or not _fits(index, places, opened):
        opened = index.id[places[0]] if len(places) else ""
    if named and not moved:
        st.warning(
            f"There is no question {escaped(named)} here, or it came after the last count.", icon=":material/link_off:"
        )
    st.query_params.pop(PROMPT, None)
    st.session_state[OPENED] = opened
    return opened


def show_list(index: PromptIndex, places: Sequence[int], chosen: str) -> None:
    """The part of the list that holds the open prompt; its row is selected."""
    if not places:
        return
    here = _position(places, index.place[chosen])
    start = _start(places, here)
    some = [int(place) for place in places[start : start + LISTED]]
    key = f"prompts-{some[0]}-{some[-1]}-{len(places)}"
    rows = [] if here is None else [here - start]
    if st.session_state.get(key, {}).get("selection", {}).get("rows") != rows:
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    table = _table(index, some)
    width = {name: st.column_config.Column(width=NARROW) for name in table.columns}
    st.dataframe(
        table,
        hide_index=True,
        height=FEW if len(some) > VISIBLE else "content",
        key=key,
        on_select=partial(_click, key, [index.id[place] for place in some]),
        selection_mode="single-row",
        column_config={**width, "question": st.column_config.TextColumn(width=WIDE)},
        alt="The questions that fit the filters",
    )
    _steps(index, places, here)


def _start(places: Sequence[int], here: int | None) -> int:
    """Where the part that is listed begins: where it did, if the open prompt can be seen in it, else just above it."""
    kept: tuple[int, int] = st.session_state.get(START, (0, 0))
    of, start = kept
    clicked = st.session_state.pop(CLICKED, False)
    signature = hash((len(places), places[0], places[-1]))
    if of != signature or start > len(places) - 1:
        start = 0
    if here is not None and not start <= here < start + (LISTED if clicked else VISIBLE):
        start = max(min(here - 1, len(places) - VISIBLE), 0)
    st.session_state[START] = (signature, start)
    return start


def _table(index: PromptIndex, some: Sequence[int]) -> DataFrame:
    import pandas as pd

    told = [name for name in FIELDS if len({getattr(index, name)[place] for place in some}) > 1]
    flags = [name for name in FLAGS if name in SHORT]
    return pd.DataFrame(
        {
            "question": [index.question[place] for place in some],
            **{name: [getattr(index, name)[place] for place in some] for name in told},
            "answers": [index.answers[place] for place in some],
            "comparisons": [index.comparisons[place] for place in some],
            "flags": [", ".join(SHORT[name] for name in flags if getattr(index, name)[place]) for place in some],
        }
    )


def _steps(index: PromptIndex, places: Sequence[int], here: int | None) -> None:
    """Buttons to the neighbours, and to the next hundred."""
    last = len(places) - 1
    before, behind = (0, 0) if here is None else (max(here - 1, 0), min(here + 1, last))
    with st.container(horizontal=True, vertical_alignment="center"):
        _step("Previous", "chevron_left", index.id[places[before]], disabled=here in (None, 0))
        _step("Next", "chevron_right", index.id[places[behind]], disabled=here == last)
        if last >= LISTED:
            now = here or 0
            _step(f"{LISTED} back", "first_page", index.id[places[max(now - LISTED, 0)]], disabled=now == 0)
            _step(f"{LISTED} on", "last_page", index.id[places[min(now + LISTED, last)]], disabled=now == last)
        if here is None:
            st.caption("The question below does not fit the filters.")
        else:
            st.caption(
                f"Question {here + 1:,} of {last + 1:,}. Tick a row's box to open it; the address then leads to it."
            )


def _step(label: str, icon: str, leads: str, *, disabled: bool) -> None:
    st.button(label, icon=f":material/{icon}:", disabled=disabled, on_click=_open, args=(leads,))


def _click(key: str, ids: Sequence[str]) -> None:
    state: Any = st.session_state.get(key, {})
    rows = state.get("selection", {}).get("rows", [])
    if rows and rows[0] < len(ids):
        st.session_state[CLICKED] = True
        _open(ids[rows[0]])


def _open(prompt: str) -> None:
    if st.query_params.get(PROMPT) != prompt:
        st.query_params[PROMPT] = prompt


def _fits(index: PromptIndex, places: Sequence[int], prompt: str) -> bool:
    """Is it one of the list?"""
    return prompt in index.place and _position(places, index.place[prompt]) is not None


def _position(places: Sequence[int], place: int) -> int | None:
    """Where a prompt stands in the list, which is in the order of the index."""
    found = bisect_left(places, place)
    return found if found < len(places) and places[found] == place else None
