"""A prompt, whole: its turns, the passages, options and key, the reference. All of it as text."""

from __future__ import annotations

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards.shown.escaping import escaped
from ledger.records import Prompt
from sampling.chat import LETTERS

AVATARS = {"user": ":material/person:", "assistant": ":material/clinical_notes:", "system": ":material/settings:"}


def show_question(prompt: Prompt) -> None:
    """The conversation on the left; what is known of its answer on the right, or below it on a phone."""
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
    facts = (prompt.topic, prompt.mode, prompt.kind, prompt.split, prompt.source, prompt.id)
    st.caption(escaped(" · ".join(filter(None, facts))))
