"""A page's findings, how old they are, and the page's renewal when they change."""

from __future__ import annotations

from typing import Any, TypeVar

import streamlit as st  # noqa: TID253 - streamlit itself runs what imports this

from dashboards import reading
from dashboards.counting.kept import Kept, source_of
from dashboards.counting.section import Section
from dashboards.shown.escaping import escaped
from ledger.errors import WardroundError

F = TypeVar("F")
LOOK_AGAIN = 5  # seconds


def findings_of(section: Section[F]) -> F | None:
    """A section's findings; None where there are none, after saying why. The page renews itself when they change."""
    kept = reading.kept(section)
    _freshness(section, reading.version(section), kept)
    if kept is None:
        st.info("Counting what the ledger holds; the page fills by itself.", icon=":material/hourglass_top:")
        return None
    if kept.stamp.problem:
        st.error(escaped(kept.stamp.problem), icon=":material/error:")
    return kept.findings


@st.fragment(run_every=LOOK_AGAIN)
def _freshness(section: Section[Any], shown: int, kept: Kept[Any] | None) -> None:
    if reading.version(section) != shown:
        st.rerun()
    if kept is None:
        return
    st.caption(f"Counted {kept.stamp.moment} UTC{_since(section, kept)}")


def _since(section: Section[Any], kept: Kept[Any]) -> str:
    """How far the ledger has grown since."""
    try:
        with reading.opened() as workspace:
            now = source_of(workspace, section)
    except WardroundError as error:
        return f"; the ledger does not answer now: {escaped(str(error))}"
    if now == kept.stamp.source:
        return "; nothing has changed since"
    new = sum(now.rows) - sum(kept.stamp.source.rows)
    return f"; {new:,} records since then, counting anew" if new else "; counting anew"
