"""The prompts that fit the filters, remembered for as long as neither the filters nor the index change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from annotate.bootstrap import IntArray
from dashboards import reading
from dashboards.counting.sections import PROMPTS
from dashboards.findings.prompt_choice import PromptColumns, Result, TextSearch, columns_of, with_result
from dashboards.findings.prompt_index import PromptIndex
from dashboards.shown.prompt_filters import Wanted

SECONDS = 1.0  # that a search takes before it shows what it has found
SEARCH, ON = "answers-search", "answers-search-on"


def columns(index: PromptIndex) -> PromptColumns:
    """The index as arrays."""
    return _columns(str(reading.folder()), reading.version(PROMPTS), index)


def fitting(index: PromptIndex, wanted: Wanted) -> Sequence[int]:
    """The places in the index, ascending, of the prompts that the reader asks for."""
    places = columns(index).fitting(dict(wanted.equal), wanted.flag)
    if wanted.pair and wanted.result:
        pair = wanted.pair
        version = reading.version(PROMPTS)
        found = _with_result(str(reading.root()), version, pair.model.id, pair.against.id, wanted.result)
        places = np.array([place for place in places.tolist() if index.id[place] in found], dtype=np.int64)
    if wanted.text:
        return _searched(index, wanted, places)
    return [int(place) for place in places]


def searching(wanted: Wanted) -> bool:
    """Is there more to search through?"""
    return bool(wanted.text) and not st.session_state[SEARCH][1].done


def _searched(index: PromptIndex, wanted: Wanted, places: IntArray) -> Sequence[int]:
    """What a search has found until now; it goes on for a moment in each run of the page, until all is searched."""
    key = (reading.version(PROMPTS), wanted)
    kept = st.session_state.get(SEARCH)
    search = kept[1] if kept and kept[0] == key else TextSearch(wanted.text, places)
    st.session_state[SEARCH] = (key, search)
    if st.session_state.pop(ON, False) or not search.searched:
        with reading.opened() as workspace:
            search.go_on(workspace.ledger, index, SECONDS)
    if not search.done:
        said = f"Found in {len(search.found):,} of the first {search.searched:,} of {len(places):,} questions that fit."
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Search on", icon=":material/search:", on_click=_ask_for_more)
            st.caption(said)
    return search.found


def _ask_for_more() -> None:
    """Only note it: an error in a callback would not be shown as the page shows errors."""
    st.session_state[ON] = True


@st.cache_resource(max_entries=2, show_spinner=False)
def _columns(folder: str, version: int, _index: PromptIndex) -> PromptColumns:
    return columns_of(_index)


@st.cache_resource(max_entries=16, show_spinner="Looking up these two models' verdicts")
def _with_result(root: str, version: int, model: str, against: str, result: Result) -> set[str]:
    with reading.opened() as workspace:
        return with_result(workspace.ledger, model, against, result)
