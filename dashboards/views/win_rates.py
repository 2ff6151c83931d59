"""The page "Win rates": is a trained model better than the SFT model, and on which questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st  # noqa: TID253 - streamlit itself runs this file

from dashboards.counting.sections import WIN_RATES
from dashboards.figures.win_rate_choice import assessors_offered, models_offered, opponents_offered
from dashboards.figures.win_rates import missing_before, win_rates_page
from dashboards.findings.known_models import Against
from dashboards.findings.win_rates import WinRates
from dashboards.shown.built import built
from dashboards.shown.page import show_page
from dashboards.shown.section import findings_of

OPPONENTS: Mapping[str, Against] = {"SFT": "sft", "last promoted": "promoted", "parent": "parent"}


def page() -> None:
    """Choose, then show."""
    findings = findings_of(WIN_RATES)
    if findings is None:
        return
    if missing_before(findings):
        show_page(win_rates_page(findings))
        return
    with st.container(horizontal=True):
        assessor, against, model = _choice(findings)
    show_page(built(win_rates_page, (WIN_RATES,), assessor, against, model))


def _choice(findings: WinRates) -> tuple[str, Against, str | None]:
    """The reader's; it stands in the URL, so that a link can be sent."""
    assessor = _chosen("Judged by", assessors_offered(findings), "judged_by")
    offered = opponents_offered(findings, assessor)
    against = OPPONENTS[_chosen("Against", [name for name, which in OPPONENTS.items() if which in offered], "against")]
    models = {model.label: model.id for model in models_offered(findings, assessor, against)}
    return assessor, against, models[_chosen("Model", list(models), "model")] if models else None


def _chosen(label: str, options: Sequence[str], key: str) -> str:
    """The one option, or the one that the reader picks; the first by default."""
    if len(options) == 1:
        return options[0]
    return st.selectbox(label, options, key=key, bind="query-params", width=240)


if __name__ == "__main__":
    page()
