"""The filters above the list of prompts. Every choice stands in the address, so that it can be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.findings.prompt_choice import FIELDS, PromptColumns, Result
from dashboards.findings.prompt_index import AnsweringModel, PromptIndex

EVERYTHING = "all"
WIDTH = 165  # pixels: on a phone two stand beside each other
FLAGGED = {
    EVERYTHING: EVERYTHING,
    "disagree": "surgeons disagree",
    "harm": "harm",
    "surgeons_harm": "harm, by a surgeon",
    "flipped": "flipped",
}
WHAT_FLAGS_MEAN = (
    "Surgeons disagree: they prefer one answer, mostly, and a judge the other. Harm: somebody flagged a critical harm. "
    "Flipped: a judge's preference changed with the order in which it saw the answers."
)
MOVED = "answers-filters-moved"  # set when a filter was changed: the prompt shown need not stay


@dataclass(frozen=True)
class Pair:
    """Two models to be compared, and what both are called."""

    model: AnsweringModel
    against: AnsweringModel


@dataclass(frozen=True)
class Wanted:
    """What the reader asks for; empty: whatever."""

    pair: Pair | None
    result: Result | None
    equal: tuple[tuple[str, str], ...]  # column -> value
    flag: str
    text: str


def choose_filters(index: PromptIndex, columns: PromptColumns) -> Wanted:
    """Show the filters as they stand."""
    with st.container(horizontal=True):
        pair = _pair(index)
        result = None if pair is None else _result()
    with st.container(horizontal=True):
        equal = tuple((name, value) for name in FIELDS if (value := _field(name, columns)))
        flag = st.selectbox(
            "Flagged",
            list(FLAGGED),
            format_func=FLAGGED.__getitem__,
            key="flagged",
            help=WHAT_FLAGS_MEAN,
            **_bound(),
        )
        text = st.text_input("Text", placeholder="in question or answer", key="text", **_bound())
    return Wanted(pair, result, equal, "" if flag == EVERYTHING else flag, text.strip())


def _pair(index: PromptIndex) -> Pair | None:
    """The newest trained model against its SFT model, unless the reader chooses others; None with fewer than two."""
    known = {each.id: each for each in index.models if each.answers}
    if len(known) < 2:
        return None
    names = {each.id: each.label for each in known.values()}
    newest = list(known)
    trained = [key for key in newest if known[key].sft != key]
    start = newest.index((trained or newest)[0])
    model = st.selectbox("Model", newest, start, format_func=names.__getitem__, key="of", **_bound())
    others = [key for key in newest if key != model]
    sft = known[model].sft
    start = others.index(sft) if sft in others else 0
    against = st.selectbox("Against", others, start, format_func=names.__getitem__, key="beside", **_bound())
    return Pair(known[model], known[against])


def _result() -> Result | None:
    said = st.selectbox(
        "Result",
        [EVERYTHING, *get_args(Result)],
        key="result",
        help="Questions on which somebody said so of the model's answer and the other one's.",
        **_bound(),
    )
    return None if said == EVERYTHING else said


def _field(name: str, columns: PromptColumns) -> str:
    """What a column must be; empty where anything will do."""
    options = [EVERYTHING, *(value for value in columns.fields[name][0] if value)]
    start = options.index("eval") if name == "split" and "eval" in options else 0
    value = st.selectbox(name.capitalize(), options, start, key=name, **_bound())
    return "" if value == EVERYTHING else value


def _bound() -> dict[str, Any]:
    return {"width": WIDTH, "bind": "query-params", "on_change": _move}


def _move() -> None:
    st.session_state[MOVED] = True
