"""The page "Judge", as Streamlit runs it."""

from __future__ import annotations

from dashboards.counting.sections import JUDGES
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import JUDGE, contests, judged, on_day, rated, rubric_of, sent
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.pages import charts, commands, counted, shown, texts


def test_not_counted_yet(ward: Workspace) -> None:
    assert "fills by itself" in texts(shown("judges"), "info")


def test_nobody_has_judged(ward: Workspace) -> None:
    counted(ward.root, JUDGES)
    app = shown("judges")
    assert "No judge has compared answers yet" in texts(app, "info")
    assert "wardround judge" in commands(app)
    assert not charts(app)


def test_without_surgeons(ward: Workspace) -> None:
    judged(ward.ledger, contests(ward.ledger, range(10)), rubric_of(ward))
    counted(ward.root, JUDGES)
    app = shown("judges")
    assert "No surgeon has checked judge:large yet" in texts(app, "subheader")
    assert "wardround review push" in commands(app)
    assert not app.selectbox


def test_whole_and_by_choice(ward: Workspace) -> None:
    made = contests(ward.ledger, range(40))
    for day in (0, 1):
        with on_day(day):
            judged(ward.ledger, made[20 * day : 20 * day + 20], rubric_of(ward))
    rated(ward.ledger, sent(ward.ledger, made), "1")
    judged(ward.ledger, made[:10], "r@1", f"judge:{NASTY}")
    counted(ward.root, JUDGES)
    app = shown("judges")
    assert "agrees with surgeons on 80% of 40 contests" in texts(app, "subheader")
    assert len(charts(app)) == 10
    assert app.selectbox[0].options == [JUDGE, f"judge:{NASTY}"]
    app.selectbox[0].select_index(1).run()
    assert not app.exception
    assert "<script>" not in "".join(str(each.value) for each in app.subheader)
    assert "not in the present configuration" in texts(app, "caption")


def test_a_link_names_the_judge(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    for name in (JUDGE, "judge:other"):
        judged(ward.ledger, made, rubric_of(ward), name)
    counted(ward.root, JUDGES)
    assert "judge:other" in texts(shown("judges", judge="judge:other"), "subheader")
