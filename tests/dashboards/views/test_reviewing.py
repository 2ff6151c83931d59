"""The page "Review", as Streamlit runs it."""

from __future__ import annotations

from dashboards.counting.sections import REVIEW
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import contests, rated, sent
from tests.dashboards.pages import charts, commands, counted, shown, texts


def test_nothing_sent(ward: Workspace) -> None:
    counted(ward.root, REVIEW)
    app = shown("reviewing")
    assert "Nothing was sent to surgeons yet" in texts(app, "info")
    assert "wardround review push" in commands(app)


def test_none_answered(ward: Workspace) -> None:
    sent(ward.ledger, contests(ward.ledger, range(3)))
    counted(ward.root, REVIEW)
    app = shown("reviewing")
    assert "3 items wait for surgeons" in texts(app, "subheader")
    assert "wardround review pull" in commands(app)
    assert len(charts(app)) == 1


def test_one_surgeon_only(ward: Workspace) -> None:
    rated(ward.ledger, sent(ward.ledger, contests(ward.ledger, range(3))), "1")
    counted(ward.root, REVIEW)
    app = shown("reviewing")
    assert "Only one surgeon has answered" in texts(app, "info")
    assert "wardround review up" in commands(app)


def test_agreement_and_adjudication(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(12)))
    rated(ward.ledger, items, "1")
    rated(ward.ledger, items[:10], "2", "a")
    rated(ward.ledger, items[10:], "2", "b")
    counted(ward.root, REVIEW)
    app = shown("reviewing")
    assert "12 of 12 items (100%)" in texts(app, "subheader")
    assert "Two surgeons prefer the same on 83% of 12 items" in texts(app, "caption")
    assert "wardround review push --adjudicate" in commands(app)
    assert len(charts(app)) == 3
    assert "surgeon:" not in texts(app, "subheader", "caption", "info")
