"""Tests of dashboards/figures/reviewing.py and of the parts of its page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.figures.export import as_csv, as_svg
from dashboards.figures.reviewing import reviewing_page
from dashboards.findings.reviewing import Reviewing, find_reviewing
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import contests, on_day, rated, sent
from tests.dashboards.pages import figures, said

NOW = datetime(2024, 10, 16, 9, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("two_surgeons")


def test_nothing_sent() -> None:
    page = reviewing_page(Reviewing())
    assert (page.headline, page.parts) == (None, ())
    assert page.missing is not None
    assert page.missing.command == "wardround review push"


def test_sent_and_none_answered(ward: Workspace) -> None:
    with on_day(0):
        sent(ward.ledger, contests(ward.ledger, range(10)))
    page = reviewing_page(find_reviewing(ward), NOW)
    text = said(page)
    assert page.headline is not None
    assert page.headline.text == "10 items wait for surgeons; no answer is here yet."
    assert "sent 12 days ago (2024-10-04), in the queue random" in text
    assert "Left: about 20 minutes for 20 ratings, at 60 seconds each, as [review] seconds_per_rating has it." in text
    assert "so there is no agreement. wardround review pull" in text
    assert "wardround plan --detect 5pt" in text
    assert list(figures(page)) == ["review_progress"]


def test_one_surgeon_only(ward: Workspace) -> None:
    rated(ward.ledger, sent(ward.ledger, contests(ward.ledger, range(10)))[:6], "s1")
    text = said(reviewing_page(find_reviewing(ward), NOW))
    assert "Only one surgeon has answered" in text
    assert "wardround review up" in text
    assert "1 surgeon has answered, 6 ratings in all" in text
    assert "s1" not in text


def test_two_surgeons_who_agree_and_differ(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(10)))
    rated(ward.ledger, items, "s1", "a", 45.0)
    rated(ward.ledger, items[:6], "s2", "a", 45.0)
    rated(ward.ledger, items[6:8], "s2", "b", 45.0)
    page = reviewing_page(find_reviewing(ward), NOW)
    text = said(page)
    assert page.headline is not None
    assert page.headline.text == (
        "Surgeons have rated 8 of 10 items (80%) as often as wanted; about 2 minutes of their time are left to do."
    )
    assert "Two surgeons prefer the same on 75% of 8 items" in text
    assert "Surgeons differ on 2 contests: 2 to send." in text
    assert "2 disagreements not yet sent to a third surgeon. wardround review push --adjudicate" in text
    shown = figures(page)
    assert list(shown) == [
        "review_progress",
        "review_pace",
        "review_agreement",
        "review_agreement_beyond_chance",
        "review_adjudication",
    ]
    row = shown["review_progress"].table.iloc[0]
    assert list(row[["enough ratings", "some", "none", "with 1", "with 2", "still wanted"]]) == [8, 2, 0, 2, 8, 2]
    for figure in shown.values():
        assert figure.method
        assert set(figure.formats) <= set(figure.table.columns)
        assert as_csv(figure)
        if figure.chart is not None:
            assert as_svg(figure).startswith(b"<svg")
        for who in ("s1", "s2", "surgeon:"):
            assert who not in as_csv(figure).decode()
    links = list(shown["review_adjudication"].table["see"])
    assert sorted(links) == sorted(f"/answers?prompt={item.prompt}" for item in items[6:8])


def test_all_done_and_nothing_to_adjudicate(ward: Workspace) -> None:
    items = sent(ward.ledger, contests(ward.ledger, range(4)))
    for who in ("s1", "s2"):
        rated(ward.ledger, items, who)
    page = reviewing_page(find_reviewing(ward), NOW)
    assert page.headline is not None
    assert page.headline.text.endswith("(100%) as often as wanted; nothing is left to rate.")
    assert "no third one needs to look" in said(page)
    assert "oldest" not in said(page)
