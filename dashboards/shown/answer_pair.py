"""Two answers side by side, differences marked; and all others of the same prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.figures.comparisons import pair_line
from dashboards.figures.differences import Piece, Pieces, differences
from dashboards.findings.answers import Answer, Said, Standing, standings
from dashboards.shown.escaping import escaped
from dashboards.shown.marked import Side, show_pieces
from dashboards.shown.page import SIGNS
from dashboards.shown.prompt_filters import Pair

LEGEND = "Words that only one of the two answers has are underlined: solid on the left, dotted on the right."
EMPTY = "(empty)"

_compared = lru_cache(maxsize=64)(differences)  # a page runs again for every click


def show_answers(answers: Sequence[Answer], said: Sequence[Said], names: Mapping[str, str], pair: Pair | None) -> None:
    """Two answers that the reader can change, and the others below."""
    if len(answers) == 1:
        st.markdown("#### The only answer")
        st.markdown(f"**{escaped(names[answers[0].id])}**")
        _show_answer(answers[0], (Piece(answers[0].text),), "left", said)
        return
    st.markdown(f"#### {len(answers)} answers, two side by side")
    known = {each.id: each for each in answers}
    head = st.container()
    places = st.columns(2, gap="medium")
    with places[0]:
        left = known[_choice("left", answers, names, _first(answers, pair))]
    others = [each for each in answers if each.id != left.id]
    with places[1]:
        right = known[_choice("right", others, names, _second(others, left, pair))]
    marked = _compared(left.text, right.text)
    with head:
        line = pair_line(said, left.id, right.id, names)
        st.markdown(SIGNS[line.tone] + escaped(line.text))
        st.caption(marked.note or LEGEND)
    sides: tuple[tuple[Side, Answer, Pieces], ...] = (("left", left, marked.left), ("right", right, marked.right))
    for place, (side, answer, pieces) in zip(places, sides, strict=True):
        with place.container(border=True, height="stretch"):
            _show_answer(answer, pieces, side, said)
    _show_others([each for each in others if each.id != right.id], said, names)


def _choice(side: Side, answers: Sequence[Answer], names: Mapping[str, str], default: str) -> str:
    """The answer that is shown on a side; a choice of the reader's stands in the address."""
    ids = [each.id for each in answers]
    asked = st.query_params.get(side, "")
    start = ids.index(asked if asked in ids else default)
    key = f"{side}-{ids[start]}-{len(ids)}"

    def keep() -> None:
        st.query_params[side] = st.session_state[key]

    label = f"{side.capitalize()} answer"
    return st.selectbox(label, ids, start, format_func=names.__getitem__, key=key, on_change=keep)


def _first(answers: Sequence[Answer], pair: Pair | None) -> str:
    """The model's own answer where it has one, else the newest model's."""
    wanted = (each.id for each in answers if pair and each.model == pair.model.id)
    return next(wanted, answers[0].id)


def _second(others: Sequence[Answer], left: Answer, pair: Pair | None) -> str:
    """The other model's answer, or any other model's, or another of the same model."""
    wanted = [each.id for each in others if pair and each.model == pair.against.id != left.model]
    further = [each.id for each in others if each.model != left.model]
    return (wanted or further or [others[0].id])[0]


def _show_answer(answer: Answer, pieces: Pieces, side: Side, said: Sequence[Said]) -> None:
    facts = [f"given {answer.count} times"] if answer.count > 1 else []
    facts.append(f"{answer.tokens:,} tokens" if answer.tokens else f"{len(answer.text.split()):,} words")
    if answer.finish_reason == "length":
        facts.append("cut off by the token limit")
    st.caption(" · ".join(facts))
    show_pieces(pieces if answer.text else (Piece(EMPTY),), side)
    if answer.reasoning:
        with st.expander("Reasoning", icon=":material/psychology:"):
            show_pieces((Piece(answer.reasoning),), side)
    for standing in standings(said, answer.id):
        st.caption(_standing(standing))


def _show_others(answers: Sequence[Answer], said: Sequence[Said], names: Mapping[str, str]) -> None:
    if not answers:
        return
    with st.expander(f"Other answers: {len(answers)}", icon=":material/forum:"):
        for start in range(0, len(answers), 2):
            for place, answer in zip(st.columns(2, gap="medium"), answers[start : start + 2], strict=False):
                with place.container(border=True, height="stretch"):
                    st.markdown(f"**{escaped(names[answer.id])}**")
                    _show_answer(answer, (Piece(answer.text),), "left", said)


def _standing(fared: Standing) -> str:
    """One line on how an answer fared, as Markdown."""
    counts = {"won": fared.wins, "lost": fared.losses, "tied": fared.ties, "both bad": fared.both_bad}
    said = [f"{word} {count}" for word, count in counts.items() if count or word in ("won", "lost")]
    if fared.invalid:
        said.append(f"invalid {fared.invalid}")
    if fared.harmful:
        said.append("**critical harm**")
    colour = "blue" if fared.wins > fared.losses else "orange" if fared.losses > fared.wins else "gray"
    sign = {"blue": "▶", "orange": "◀", "gray": "●"}[colour]
    return f":{colour}[{sign}] {' · '.join(said)} · {escaped(fared.assessor)}"
