"""Tests of dashboards/figures/training.py, run_curves.py, training_data.py and running_jobs.py."""

from __future__ import annotations

import time

import pytest

from dashboards.figures.export import as_csv, as_svg
from dashboards.figures.page import Page
from dashboards.figures.running_jobs import ago, running_part
from dashboards.figures.training import training_page
from dashboards.findings.running_jobs import QUIET, Job, running_jobs
from dashboards.findings.training import find_training
from dashboards.findings.training_data import find_training_data
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import fill
from tests.dashboards.made_runs import SFT, begun, logged, step_log, stepped, steps, trained, with_pairs
from tests.dashboards.pages import figures


def page(workspace: Workspace, *runs: str) -> Page:
    return training_page(find_training(workspace), find_training_data(workspace), runs)


def headline(page: Page) -> str:
    assert page.headline is not None
    return page.headline.text


def test_nothing_trained_says_how_to_begin(workspace: Workspace) -> None:
    missing = page(workspace).missing
    assert missing is not None
    assert missing.command == "wardround round"


def test_models_without_steps_are_listed(workspace: Workspace) -> None:
    fill(workspace.ledger)
    found = page(workspace)
    assert headline(found) == "Round 1 (dpo): no loss was logged; no alarm."
    assert found.missing is not None
    assert list(figures(found)["runs"].table["run"]) == ["Round 1 (dpo)"]


def test_the_plain_sentence_comes_first(workspace: Workspace) -> None:
    trained(workspace.ledger, 60, alarm=True)
    found = page(workspace)
    assert headline(found) == (
        "mine: loss fell from 0.65 to 0.14 over 60 steps; 1 alarm: the chosen answers became less likely (step 7)."
    )
    assert found.headline is not None
    assert found.headline.tone == "warning"
    assert [note.text for note in found.notes] == [
        "mine: 2 minutes of training, 50 tokens a second, 5.0 pairs a second, 1.1 GiB at most."
    ]


@pytest.mark.parametrize(
    ("event", "said"), [("failed", "then it failed (no memory)"), ("interrupted", "then it was interrupted")]
)
def test_how_it_ended_is_said(workspace: Workspace, event: str, said: str) -> None:
    workspace.ledger.append([SFT])
    begun(workspace.ledger)
    stepped(workspace.ledger, "key", *steps(3))
    logged(workspace.ledger, "train", event, cause="no memory")
    assert said in headline(page(workspace))


def test_an_alarm_is_marked_where_it_shows_with_what_to_do(workspace: Workspace) -> None:
    trained(workspace.ledger, 20, alarm=True)
    found = page(workspace)
    drawn = figures(found)
    chart = drawn["log_ratios"].chart
    assert chart is not None
    assert "▲ displacement" in str(chart.to_dict())
    loss = drawn["loss"].chart
    assert loss is not None
    assert "displacement" not in str(loss.to_dict())
    said = [line.text for part in found.parts if part.title == "Alarms" for line in part.lines]
    assert said[0] == "mine, step 7: chosen answers are 4.2 nats less likely. What to do: lower the rate."
    assert "wardround gate --close-alarm" in said[1]


def test_the_strong_line_is_the_mean_that_the_alarms_see(workspace: Workspace) -> None:
    trained(workspace.ledger, 20)
    table = figures(page(workspace))["loss"].table
    assert list(table.columns) == ["run", "step", "value", "mean of 10"]
    assert table["mean of 10"].iloc[-1] == pytest.approx(0.7 - 0.155)


def test_long_curves_are_thinned_and_say_so(workspace: Workspace) -> None:
    trained(workspace.ledger, 1_200)
    figure = figures(page(workspace))["loss"]
    assert len(figure.table) == 400
    assert {"lowest", "highest"} <= set(figure.table.columns)
    assert "Each point is the mean of 3 logged steps" in figure.method
    assert "1,200 of 1,200 steps" in figure.method
    assert figure.chart is not None
    assert "'area'" in str(figure.chart.to_dict())
    assert "the band reaches" in figure.method


def test_a_band_is_told_of_only_where_it_is_drawn(workspace: Workspace) -> None:
    key = trained(workspace.ledger, 1_200)
    begun(workspace.ledger, "other", method="ipo")
    stepped(workspace.ledger, "k", *steps(20), run="other")
    figure = figures(page(workspace, key, "k"))["loss"]
    assert figure.chart is not None
    assert "'area'" not in str(figure.chart.to_dict())
    assert "band" not in figure.method
    assert "the mean of the last 10 logged steps, but for those of many steps (mine: each point is the mean of 3 l" in (
        figure.method
    )
    assert {"value", "mean of 10", "lowest", "highest"} <= set(figure.table.columns)


def test_several_runs_share_a_chart(workspace: Workspace) -> None:
    key = trained(workspace.ledger, 20)
    begun(workspace.ledger, "other", method="ipo")
    stepped(workspace.ledger, "k", *steps(5), run="other")
    found = page(workspace, key, "k", "gone")
    assert set(figures(found)["loss"].table["run"]) == {"mine", "ipo after SFT"}
    assert headline(found).startswith("ipo after SFT")
    assert found.notes[0].text.startswith("mine: loss fell")
    assert set(figures(page(workspace, "gone"))["loss"].table["run"]) == {"ipo after SFT"}  # the newest


def test_what_a_run_learnt_from(workspace: Workspace) -> None:
    model = with_pairs(workspace.ledger)
    stepped(workspace.ledger, find_training(workspace).runs[0].key, *steps(3))
    found = page(workspace)
    lines = [line.text for part in found.parts if part.title == "What it learnt from" for line in part.lines]
    assert lines == [
        f"{model.name}: 3 pairs on 3 questions (2 clinical and 1 exam), on average 78% sure which answer is better; "
        "by judge:big (67%), surgeons (67%)."
    ]
    table = figures(found)["pairs_by_group"].table
    assert set(table["by"]) == {"mode", "kind", "topic"}
    assert table.groupby("by")["pairs"].sum().to_dict() == {"mode": 3, "kind": 3, "topic": 3}


def test_the_page_can_do_without_the_data(workspace: Workspace) -> None:
    trained(workspace.ledger)
    assert "pairs_by_group" not in figures(training_page(find_training(workspace)))


def test_every_figure_can_be_taken_into_a_paper(workspace: Workspace) -> None:
    with_pairs(workspace.ledger)
    stepped(workspace.ledger, find_training(workspace).runs[0].key, *steps(20))
    for figure in figures(page(workspace)).values():
        assert figure.method
        assert as_csv(figure)
        assert figure.chart is None or b"<svg" in as_svg(figure)


def jobs(workspace: Workspace, now: float) -> list[Job]:
    return running_jobs(workspace, now)


def test_what_runs_is_told_with_its_last_steps(workspace: Workspace) -> None:
    begun(workspace.ledger)
    step_log(workspace.models / ".checkpoints" / "key", steps(30))
    now = time.time() + 5
    part = running_part(jobs(workspace, now), now)
    assert part is not None
    assert part.lines[0].text.startswith("Training (dpo, 100 pairs): step 30, epoch 3.00, loss 0.400, ")
    assert [figure.name for figure in part.figures] == ["loss", "margin"]


def test_what_was_killed_is_not_said_to_run(workspace: Workspace) -> None:
    begun(workspace.ledger)
    step_log(workspace.models / ".checkpoints" / "key", steps(30))
    now = time.time() + 2 * QUIET
    part = running_part(jobs(workspace, now), now)
    assert part is not None
    assert "no sign of life for 20 min; it was killed, or hangs" in part.lines[0].text
    assert part.figures == ()


def test_before_the_first_step_and_other_stages(workspace: Workspace) -> None:
    begun(workspace.ledger)
    logged(workspace.ledger, "judge", "started", assessors=["judge:big"])
    now = time.time() + 3
    part = running_part(jobs(workspace, now), now)
    assert part is not None
    said = sorted(line.text for line in part.lines)
    assert said[0].startswith("Judging (judge:big): begun ")
    assert said[1].endswith("no step yet.")


def test_nothing_is_said_where_nothing_runs(workspace: Workspace) -> None:
    assert running_part(jobs(workspace, time.time()), time.time()) is None


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (119, "119 s"), (600, "10 min"), (8_000, "2 h")])
def test_durations(seconds: float, text: str) -> None:
    assert ago(seconds) == text
