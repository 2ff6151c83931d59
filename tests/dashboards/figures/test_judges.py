"""Tests of dashboards/figures/judges.py and of the parts of its page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotate.bootstrap import Estimate
from dashboards.figures.estimates import interval, percent
from dashboards.figures.export import as_csv, as_svg
from dashboards.figures.judges import judges_page
from dashboards.findings.judges import Judges, find_judges
from ledger.records import Order
from ledger.workspace import Workspace
from tests.dashboards.judged_ledger import JUDGE, contests, judged, on_day, rated, rubric_of, sent, verdict_of
from tests.dashboards.pages import figures, said


@pytest.fixture
def found(ward: Workspace) -> Judges:
    """Two days, the second by the present rubric, rated by surgeons; and a metric."""
    made = contests(ward.ledger, range(40))
    with on_day(0):
        judged(ward.ledger, made[:20], "surgical@before")
    with on_day(1):
        judged(ward.ledger, made, rubric_of(ward))
        judged(ward.ledger, made[:10], "reference@1", "metric:reference")
        rated(ward.ledger, sent(ward.ledger, made), "1")
    return find_judges(ward)


def test_the_headline_says_it_all(found: Judges) -> None:
    page = judges_page(found)
    assert page.headline is not None
    raw = found.judges[0].passport.surgeons.raw
    assert page.headline.text == (
        f"judge:large agrees with surgeons on 80% of 40 contests, {interval(raw)}; it changes its verdict with "
        "the order in 11%."
    )
    assert page.headline.tone == "plain"
    assert "The promotion gate accepts this judge: 11% flips, 5.0% invalid, agrees" in said(page)


def test_a_judge_that_the_gate_refuses_is_warned_of(found: Judges) -> None:
    bad = replace(found.judges[0], fit=False, found="50% flips: more than 40% of its verdicts flip")
    page = judges_page(replace(found, judges=(bad,)))
    assert page.headline is not None
    assert page.headline.tone == "warning"
    assert "does not accept this judge: 50% flips" in said(page)


def test_every_figure_has_a_method_with_its_n_a_table_and_files(found: Judges) -> None:
    shown = figures(judges_page(found))
    assert list(shown) == [
        "judge_trust",
        "judge_agreement_over_time",
        "judge_flips_over_time",
        "judge_position_over_time",
        "judge_invalid_over_time",
        "judge_reliability",
        "judge_agreement_by_kind",
        "judge_biases",
        "judge_invalid_by_cause",
        "judge_cost",
    ]
    for figure in shown.values():
        assert figure.says
        assert figure.method
        assert not figure.table.empty
        assert set(figure.formats) <= set(figure.table.columns)
        assert as_csv(figure).count(b"\n") == len(figure.table) + 1
        if figure.chart is not None:
            assert as_svg(figure).startswith(b"<svg")


def test_over_time_no_line_is_of_two_rubrics(found: Judges) -> None:
    table = figures(judges_page(found))["judge_flips_over_time"].table
    assert sorted(zip(table["when"], table["rubric"] == "surgical@before", table["of"], strict=True)) == [
        ("2024-10-04", True, 18),
        ("2024-10-05", False, 36),
    ]
    assert list(table["rate"]) == pytest.approx([1 / 9, 1 / 9])


def test_one_day_is_said_and_not_drawn(ward: Workspace) -> None:
    with on_day(0):
        judged(ward.ledger, contests(ward.ledger, range(10)), rubric_of(ward))
    page = judges_page(find_judges(ward))
    assert not any("over_time" in name for name in figures(page))
    assert "All its verdicts are of 2024-10-04 so far; a second day makes a curve." in said(page)


def test_reliability_shows_each_bin(found: Judges) -> None:
    figure = figures(judges_page(found))["judge_reliability"]
    assert int(figure.table["of"].sum()) == 40
    assert "40 contests that surgeons decided" in figure.method
    assert figure.chart is not None
    marks = [layer["mark"]["type"] for layer in figure.chart.to_dict()["layer"]]
    assert marks == ["line", "rule", "point", "text"]


def test_no_surgeon_was_asked(ward: Workspace) -> None:
    made = contests(ward.ledger, range(10))
    judged(ward.ledger, made, rubric_of(ward))
    page = judges_page(find_judges(ward))
    assert page.headline is not None
    assert page.headline.text.startswith(
        f"No surgeon has checked {JUDGE} yet; it changes its verdict with the order in 11%"
    )
    assert "no surgeon was asked yet. wardround review push" in said(page)
    items = sent(ward.ledger, made[:1])
    assert "1 item sent to surgeons, no answer is here yet. wardround review pull" in said(
        judges_page(find_judges(ward))
    )
    other = contests(ward.ledger, [99])
    rated(ward.ledger, sent(ward.ledger, other), "1")
    assert "none of them in contests that it has judged. wardround judge" in said(judges_page(find_judges(ward)))
    rated(ward.ledger, items, "1")  # the judge flips on it: a tie
    text = said(judges_page(find_judges(ward)))
    assert "agrees with surgeons on 0% of 1 contest" in text
    assert ": too few to say" in text


def test_nobody_has_judged(ward: Workspace) -> None:
    page = judges_page(find_judges(ward))
    assert (page.headline, page.parts) == (None, ())
    assert page.missing is not None
    assert (page.missing.command, JUDGE in page.missing.what) == ("wardround judge", True)


def test_all_invalid(ward: Workspace) -> None:
    orders: tuple[Order, ...] = ("ab", "ba")
    asked = [verdict_of(each, order, rubric_of(ward)) for each in contests(ward.ledger, range(10)) for order in orders]
    ward.ledger.append(replace(each, verdict="invalid", cause="refused") for each in asked)
    page = judges_page(find_judges(ward))
    assert "100% of its verdicts are invalid" in said(page)
    assert "What sways it" not in [part.title for part in page.parts]


def test_a_metric_is_called_one_and_has_no_attack_to_try(found: Judges) -> None:
    page = judges_page(found, "metric:reference")
    assert page.notes[0].text.startswith("A computed metric, neither an LLM nor a surgeon.")
    assert "Attacks" not in [part.title for part in page.parts]


def test_what_was_never_tried_is_asked_for(found: Judges) -> None:
    text = said(judges_page(found))
    assert "wardround judge --retest 50" in text
    assert "Nobody has tried to mislead judge:large yet. wardround judge --attack" in text


def test_cost(found: Judges) -> None:
    text = said(judges_page(found))
    assert "120 judgments took 12,000 tokens and cost 0.12, 1.00 per 1,000." in text
    assert "Left unclear: 10% of contests" in text


def test_a_sample_is_told_with_its_n(found: Judges) -> None:
    many = replace(found.judges[0], n_prompts=90_000, n_sampled=4_000)
    figure = figures(judges_page(replace(found, judges=(many,))))["judge_trust"]
    assert "a simple random sample of 4,000 of 90,000 questions" in figure.method


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0%"), (0.021, "2.1%"), (0.094, "9.4%"), (0.38, "38%"), (1.0, "100%")]
)
def test_percent(share: float, said: str) -> None:
    assert percent(share) == said


def test_intervals_in_words() -> None:
    assert interval(Estimate(0.7, 0.6, 0.8, 9, 9)) == "95% interval 60 to 80"
    assert interval(Estimate(0.02, 0.019, 0.022, 9, 9)) == "95% interval 1.9 to 2.2"
    assert interval(Estimate(0.5, None, None, 1, 1)) == "too few for an interval"
