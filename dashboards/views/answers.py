"""The page "Answers": any prompt, its answers side by side with their differences marked, every comparison on it.

What prompts and answers hold stays the characters it is made of: `st.text`, tables, and HTML of which every character
of theirs is escaped (`shown.marked`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards import reading
from dashboards.counting.sections import PROMPTS
from dashboards.figures.comparisons import comparisons_part
from dashboards.figures.page import Missing
from dashboards.findings.answers import Answer, answers, said_of
from dashboards.findings.prompt_index import PromptIndex
from dashboards.shown.answer_pair import show_answers
from dashboards.shown.missing import show_missing
from dashboards.shown.page import show_part
from dashboards.shown.prompt_filters import Wanted, choose_filters
from dashboards.shown.prompt_list import opened_prompt, show_list
from dashboards.shown.prompt_search import columns, fitting, searching
from dashboards.shown.question import show_question
from dashboards.shown.section import findings_of
from ledger.records import Prompt

NO_QUESTIONS = Missing("No questions yet. A file with questions brings them in.", "wardround import FILE")
NO_ANSWERS = Missing("No answers yet. They are sampled from the policy.", "wardround sample")
NOT_ANSWERED = Missing("Nobody has answered this question yet.", "wardround sample")
CORRECTION = "a surgeon's correction"


def page() -> None:
    """Choose a prompt; see the answers to it."""
    index = findings_of(PROMPTS)
    if index is None:
        return
    if not index.id:
        show_missing(NO_QUESTIONS)
        return
    answering = [each.label for each in index.models if each.answers]
    if not answering:
        show_missing(NO_ANSWERS)
    elif len(answering) == 1:
        only = f"Only {answering[0]} has answered so far. A round trains a model and lets it answer too."
        show_missing(Missing(only, "wardround round"))
    wanted = choose_filters(index, columns(index))
    places = fitting(index, wanted)
    if not places and not searching(wanted):
        st.info("No question fits these filters.", icon=":material/filter_alt_off:")
    chosen = opened_prompt(index, places)
    if chosen:
        show_list(index, places, chosen)
        _show_prompt(index, chosen, wanted)


def _show_prompt(index: PromptIndex, chosen: str, wanted: Wanted) -> None:
    models = {each.id: each.label for each in index.models}
    with reading.opened() as workspace:
        prompt = workspace.ledger.get(Prompt, chosen)
        given = answers(workspace.ledger, chosen, list(models))
        said = said_of(workspace.ledger, chosen, [each.id for each in given])
    show_question(prompt)
    if not given:
        show_missing(NOT_ANSWERED)
        return
    names = _names(given, models)
    show_answers(given, said, names, wanted.pair)
    show_part(comparisons_part(said, names))


def _names(given: Sequence[Answer], models: Mapping[str, str]) -> dict[str, str]:
    """What each answer is called: by its model, and by its number where the model has several."""
    several = Counter(each.model for each in given)
    return {
        each.id: models.get(each.model, CORRECTION) + (f", answer {each.number}" if several[each.model] > 1 else "")
        for each in given
    }


if __name__ == "__main__":
    page()
