"""The page "Answers": what two models answered, side by side, and the verdicts on it.

Prompts and answers are shown by `st.text` and in tables, which interpret nothing: a script, an image or a link in them
stays the characters it is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards import questions, reading, wording
from dashboards.wording import escaped
from ledger.records import Prompt
from sampling.chat import LETTERS

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LISTED = 1_000  # questions at once
FIELDS = {"split": "Split", "mode": "Mode", "kind": "Kind", "topic": "Topic"}
WIDE, NARROW = 410, 112  # pixels
EVERYTHING = "all"
AVATARS = {"user": ":material/person:", "assistant": ":material/clinical_notes:", "system": ":material/settings:"}


class Pair(NamedTuple):
    """Two models: id and label of each."""

    model: str
    opponent: str
    label: str
    opponent_label: str

    def verdicts(self) -> dict[str, str]:
        """What can be said of the two: as a column of `questions.TALLY` -> in words."""
        wins = {"wins": f"{self.label} wins", "losses": f"{self.opponent_label} wins"}
        return {**wins, "ties": "tie", "both_bad": "both bad", "invalid": "invalid"}


def page() -> None:
    """Choose two models and a question; see both models' answers."""
    folder = reading.root()
    now = reading.state(folder)
    seen = reading.overview(folder, now)
    missing = wording.missing_for_answers(seen.questions, seen.models)
    if missing:
        st.info(missing, icon=":material/pending:")
        return
    pair = _pair(seen.models[seen.models["answers"] > 0])
    table = _filtered(folder, now, pair)
    if table.empty:
        st.info("No question fits these filters.", icon=":material/filter_alt_off:")
        return
    chosen = _listed(table, pair)
    with reading.opened(folder) as workspace:
        prompt = workspace.ledger.get(Prompt, chosen)
        said = questions.answers(workspace.ledger, chosen, pair.model, pair.opponent)
        verdicts = questions.verdicts(workspace.ledger, chosen, pair.model, pair.opponent)
    _show_prompt(prompt)
    _show_answers(said, verdicts, pair)
    _show_verdicts(said, verdicts, pair)


def _pair(models: DataFrame) -> Pair:
    """The newest trained model against its SFT model, unless the reader chooses others."""
    labels = dict(zip(models["id"], models["label"], strict=True))
    sft = dict(zip(models["id"], models["sft"], strict=True))
    left, right = st.columns(2)
    newest = list(labels)  # newest first
    trained = [key for key in newest if sft[key] != key]
    with left:
        start = newest.index((trained or newest)[0])
        model = st.selectbox("Model", newest, index=start, format_func=labels.__getitem__)
    others = [key for key in newest if key != model]
    with right:
        start = others.index(sft[model]) if sft[model] in others else 0
        opponent = st.selectbox("Against", others, index=start, format_func=labels.__getitem__)
    return Pair(model, opponent, labels[model], labels[opponent])


def _filtered(folder: str, now: reading.State, pair: Pair) -> DataFrame:
    """The questions that the reader asks for."""
    table = reading.question_table(folder, now, pair.model, pair.opponent)
    places = st.columns(len(FIELDS) + 2)
    equal = {}
    for place, (field, label) in zip(places, FIELDS.items(), strict=False):
        options = [EVERYTHING, *sorted(set(table[field]) - {""})]
        start = options.index("eval") if field == "split" and "eval" in options else 0
        equal[field] = place.selectbox(label, options, index=start)
    words = {EVERYTHING: EVERYTHING, **pair.verdicts(), "none": "no verdict"}
    verdict = places[-2].selectbox("Verdict", list(words), format_func=words.__getitem__)
    text = places[-1].text_input("Text", placeholder="in question or answer").strip()
    ids = reading.holding(folder, now, text, pair.model, pair.opponent) if text else None
    wanted = {field: value for field, value in equal.items() if value != EVERYTHING}
    return questions.filtered(table, wanted, "" if verdict == EVERYTHING else verdict, ids)


def _listed(table: DataFrame, pair: Pair) -> str:
    """The id of the question that the reader picks from the list; the first by default."""
    shown = table.head(LISTED)
    more = f"; the first {LISTED} are listed: filter for others" if len(table) > LISTED else ""
    st.caption(f"{len(table)} question{'s' * (len(table) > 1)}{more}. Click a row's box to see it below.")
    counts = {name: word for name, word in pair.verdicts().items() if name in ("wins", "losses") or shown[name].any()}
    told = [field for field in ("topic", "mode", "kind", "split") if shown[field].nunique() > 1]
    columns = {"question": "question", **{field: field for field in told}, **counts}
    narrow = {name: st.column_config.Column(width=NARROW) for name in columns.values()}
    picked: Any = st.dataframe(
        shown[list(columns)].rename(columns=columns),
        hide_index=True,
        height=215 if len(shown) > 5 else "content",
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        column_config={**narrow, "question": st.column_config.TextColumn(width=WIDE)},
    )
    rows = [row for row in picked["selection"]["rows"] if row < len(shown)]
    return str(shown["id"].iloc[rows[0] if rows else 0])


def _show_prompt(prompt: Prompt) -> None:
    facts = (prompt.topic, prompt.mode, prompt.kind, prompt.split, prompt.source, prompt.id)
    asked, known = st.columns([3, 2], gap="medium")
    with asked:
        st.markdown("**Question**")
        for message in prompt.messages:
            with st.chat_message(message.role, avatar=AVATARS[message.role]):
                st.text(message.content)
        for number, passage in enumerate(prompt.context, start=1):
            with st.expander(f"Retrieved passage {number}", icon=":material/article:"):
                st.text(passage)
    with known:
        if prompt.options:
            st.markdown(f"**Options** (key: {escaped(prompt.answer or 'none')})")
            lettered = zip(LETTERS, prompt.options, strict=False)
            st.text("\n".join(f"{letter}. {text}" for letter, text in lettered))
        st.markdown("**Reference answer**")
        st.text(prompt.reference or "none")
    st.caption(escaped(" · ".join(filter(None, facts))))


def _show_answers(said: DataFrame, verdicts: DataFrame, pair: Pair) -> None:
    sides = {pair.model: pair.label, pair.opponent: pair.opponent_label}
    for place, label in zip(st.columns(2, gap="medium"), sides.values(), strict=True):
        place.subheader(escaped(label), anchor=False)
    most = int(said["number"].max()) if len(said) else 0
    for number in range(1, most + 1):
        for place, model in zip(st.columns(2, gap="medium"), sides, strict=True):
            for _, answer in said[(said["model"] == model) & (said["number"] == number)].iterrows():
                with place.container(border=True, height="stretch"):
                    _show_answer(answer, verdicts)


def _show_answer(answer: Series, verdicts: DataFrame) -> None:
    facts = [f"{answer['tokens']} tokens"]
    if answer["count"] > 1:
        facts.insert(0, f"given {answer['count']} times")
    if answer["finish_reason"] == "length":
        facts.append("cut off by the token limit")
    st.caption(f"**Answer {answer['number']}** · {' · '.join(facts)}")
    st.text(answer["text"] or "(empty)")
    if answer["reasoning"]:
        with st.expander("Reasoning", icon=":material/psychology:"):
            st.text(answer["reasoning"])
    for standing in questions.standings(verdicts, str(answer["id"])):
        st.caption(wording.standing(standing))


def _show_verdicts(said: DataFrame, verdicts: DataFrame, pair: Pair) -> None:
    if verdicts.empty:
        st.caption("No verdict on these answers yet.")
        return
    with st.expander(f"Comparisons of these answers: {len(verdicts)}", icon=":material/balance:"):
        st.dataframe(wording.in_words(verdicts, said, pair.label, pair.opponent_label), hide_index=True)


if __name__ == "__main__":
    page()
