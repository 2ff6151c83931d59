"""What the pages read from the ledger, remembered for as long as it has not grown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from annotate.assessors import judge_names, leading_assessor
from dashboards import frames, questions
from dashboards.launch import WORKSPACE_VARIABLE
from ledger.records import Prompt
from ledger.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from pandas import DataFrame

LOOK_AGAIN = 5  # seconds until the ledger is asked whether it has grown
KEPT = 16  # tables of each kind
State = tuple[object, ...]  # part of what a table is remembered by


class Overview(NamedTuple):
    """What every page needs to know first."""

    questions: int
    models: DataFrame
    contests: DataFrame
    assessors: list[str]


def root() -> str:
    """The workspace's folder."""
    return os.environ[WORKSPACE_VARIABLE]


@contextmanager
def opened(folder: str) -> Iterator[Workspace]:
    """The workspace, which nothing here writes to."""
    with open_workspace(Path(folder), create=False) as workspace:
        yield workspace


@st.cache_data(ttl=LOOK_AGAIN, show_spinner=False)
def state(folder: str) -> State:
    """Changes whenever a table made here would."""
    with opened(folder) as workspace:
        return (*frames.state(workspace.ledger), workspace.config.version)


@st.cache_data(max_entries=KEPT, show_spinner=False)
def overview(folder: str, now: State) -> Overview:
    """How many questions there are; the models; who was compared with whom; and by whom."""
    with opened(folder) as workspace:
        met = frames.contests(workspace.ledger)
        judging = workspace.config.judge
        named = frames.assessors(met, leading_assessor(judging), judge_names(judging))
        return Overview(workspace.ledger.count(Prompt), frames.model_table(workspace.ledger), met, named)


@st.cache_data(max_entries=KEPT, show_spinner="Counting verdicts")
def win_rates(folder: str, now: State, assessor: str) -> DataFrame:
    """`frames.win_rates`."""
    with opened(folder) as workspace:
        judges = judge_names(workspace.config.judge)
        return frames.win_rates(workspace.ledger, workspace.config.evaluate, assessor, judges)


@st.cache_data(max_entries=KEPT, show_spinner="Reading questions")
def question_table(folder: str, now: State, model: str, opponent: str) -> DataFrame:
    """`questions.questions`."""
    with opened(folder) as workspace:
        return questions.questions(workspace.ledger, model, opponent)


@st.cache_data(max_entries=KEPT, show_spinner="Searching")
def holding(folder: str, now: State, text: str, model: str, opponent: str) -> set[str]:
    """`questions.holding`."""
    table = question_table(folder, now, model, opponent)
    with opened(folder) as workspace:
        return questions.holding(workspace.ledger, table, text, model, opponent)
