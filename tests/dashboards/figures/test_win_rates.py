"""Tests of dashboards/figures/win_rates.py, from findings that were counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from align.length_control import RESAMPLES as LENGTH_RESAMPLES
from dashboards.figures.export import as_csv, as_png, as_svg
from dashboards.figures.page import Figure, Page
from dashboards.figures.win_rates import win_rates_page
from dashboards.findings.win_rates import WinRates, find_win_rates
from ledger.config import parse_config
from ledger.records import Candidate, Message, ModelVersion, Prompt
from ledger.store import Ledger
from ledger.workspace import Workspace
from tests.dashboards.made_ledger import Made, answer, compared, fill
from tests.dashboards.pages import figures
from tests.dashboards.rounds_ledger import SETTINGS, fill_rounds

QUICK = "[evaluate]\nresamples = 500\n"


def found(ledger: Ledger, settings: str = "") -> WinRates:
    return find_win_rates(Workspace(Path(), parse_config(settings + QUICK), ledger))


def notes(page: Page) -> str:
    return "\n".join(line.text for line in page.notes)


def lines(page: Page) -> str:
    return "\n".join(line.text for part in page.parts for line in part.lines)


def in_order(figure: Figure) -> list[str]:
    """The texts of a chart's rows, from top to bottom."""
    assert figure.chart is not None
    layers = figure.chart.to_dict()["layer"]
    rows: list[str] = next(layer["encoding"]["y"]["sort"] for layer in layers if "y" in layer["encoding"])
    return [row.rpartition("\n")[0] for row in rows]


def test_one_round_in_a_sentence(made: Made, ledger: Ledger) -> None:
    page = win_rates_page(found(ledger))
    assert page.headline is not None
    assert page.headline.text.startswith("Round 1 (dpo) beats SFT on 82% of 11 held-out questions, 95% interval ")
    assert page.headline.text.endswith(", judged by metric:reference: better.")
    assert page.headline.tone == "better"
    assert "No model was promoted before it." in notes(page)
    assert "neither an LLM nor a surgeon" in notes(page)
    assert "1 verdict is invalid" in notes(page)
    assert "between 75% and 83% (the ticks)" in notes(page)
    assert "Surgeons have rated none of these answers yet" in lines(page)


def test_every_figure_has_n_a_method_and_all_that_it_shows_in_its_table(made: Made, ledger: Ledger) -> None:
    found_figures = figures(win_rates_page(found(ledger)))
    assert list(found_figures) == [
        "win_rate_by_round",
        "win_rate_in_four_ways",
        "win_rate_by_mode_and_kind",
        "win_rate_by_topic",
        "ladder",
    ]
    for figure in found_figures.values():
        assert "bootstrap over questions" in figure.method
        assert "questions" in figure.table or "11 " in figure.method
        assert set(figure.formats) >= {name for name in figure.table.columns if name in ("from", "to", "contests")}
        assert figure.table.to_csv()
    rounds = found_figures["win_rate_by_round"].table
    assert rounds[["model", "against", "questions", "invalid", "promoted"]].to_numpy().tolist() == [
        ["Round 1 (dpo)", "SFT", 11, 1, "yes"]
    ]
    assert list(found_figures["win_rate_by_mode_and_kind"].table["mode or kind"]) == [
        "clinical",
        "exam",
        "open",
        "multiple choice",
    ]
    assert list(found_figures["win_rate_by_topic"].table["topic"]) == ["biliary", "hernia"]  # the best first


def test_each_way_has_the_method_of_its_own_interval(ledger: Ledger) -> None:
    fill_rounds(ledger)
    shown = figures(win_rates_page(found(ledger, SETTINGS)))
    ways = shown["win_rate_in_four_ways"].method
    assert (
        "95% intervals, row by row. Raw: verdicts by judge:large; bootstrap over questions, 500 resamples; "
        "n=60 questions, 60 contests in all. At equal length: "
    ) in ways
    assert f"bootstrap over questions, {LENGTH_RESAMPLES:,} resamples, the model fitted anew to each. Surgeons" in ways
    assert ways.count("jackknife over questions, with Student's t.") == 2
    assert "500 resamples. n=60" in shown["win_rate_by_topic"].method
    page = win_rates_page(replace(found(ledger, SETTINGS), resamples=10_000, surgeons=()))
    ways = figures(page)["win_rate_in_four_ways"].method
    assert "10,000 resamples; n=60" in ways
    assert "jackknife" not in ways
    assert "bootstrap over questions, 2,000 resamples. n=60" in figures(page)["win_rate_by_topic"].method


def test_the_method_over_the_rounds_is_true_of_all_models(ledger: Ledger) -> None:
    made = fill_rounds(ledger)
    method = figures(win_rates_page(found(ledger, SETTINGS)))["win_rate_by_round"].method
    assert "n=" not in method
    assert method.endswith("500 resamples. Verdicts by judge:large.")
    asked = next(each for each in made.prompts if each.kind == "mcq")
    answers = {each.model: each for each in ledger.read(Candidate) if each.prompt == asked.id}
    sft, first = made.models[:2]
    ledger.append([compared(answers[first.id], answers[sft.id], "a", "metric:key")])
    shown = figures(win_rates_page(found(ledger, SETTINGS)))
    assert shown["win_rate_by_round"].method.endswith("Verdicts by judge:large, and of some models by metric:key too.")
    assert shown["win_rate_by_mode_and_kind"].method.endswith("Verdicts by judge:large.")


def test_figures_can_be_taken_into_a_paper(ledger: Ledger) -> None:
    fill_rounds(ledger, invalid=0.05)
    for figure in figures(win_rates_page(found(ledger, SETTINGS))).values():
        assert as_csv(figure).count(b"\n") == len(figure.table) + 1
        svg = as_svg(figure).decode()
        assert "50%" in svg
        assert "NaN" not in svg
        assert as_png(figure).startswith(b"\x89PNG")


def test_rows_stand_in_their_order_with_interval_bounds_and_point(made: Made, ledger: Ledger) -> None:
    figure = figures(win_rates_page(found(ledger)))["win_rate_by_topic"]
    assert figure.chart is not None
    spec = figure.chart.to_dict()
    marks = [layer["mark"]["type"] for layer in spec["layer"]]
    assert marks == ["rule", "tick", "rule", "tick", "tick", "point"]
    order = in_order(figure)
    assert [row.split("\u2002")[0] for row in order] == ["biliary", "hernia"]
    assert order[0].split("\u2002")[1:] == ["100%", "[40, 100]", "n=4"]


def test_no_invalid_verdict_no_ticks(ledger: Ledger) -> None:
    fill_rounds(ledger, rated=0)
    page = win_rates_page(found(ledger, SETTINGS))
    assert "invalid" not in notes(page)
    for figure in figures(page).values():
        assert figure.chart is not None
        drawn = [layer["encoding"].get("x", {}).get("field") for layer in figure.chart.to_dict()["layer"]]
        assert not {"worst", "best"} & set(drawn)


def test_the_curve_goes_over_the_rounds(ledger: Ledger) -> None:
    fill_rounds(ledger)
    chart = figures(win_rates_page(found(ledger, SETTINGS)))["win_rate_by_round"].chart
    assert chart is not None
    spec = chart.to_dict()
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["rule", "area", "line", "rule", "point"]
    assert spec["layer"][-1]["encoding"]["x"]["sort"] == ["1", "2", "3"]


def test_surgeons_and_judge_lead_where_surgeons_rated(ledger: Ledger) -> None:
    fill_rounds(ledger)
    page = win_rates_page(found(ledger, SETTINGS))
    assert page.headline is not None
    assert "judged by 2 surgeons and judge:large" in page.headline.text
    assert "2 surgeons gave 80 ratings on 40 questions." in notes(page)
    second = page.notes[0]
    assert second.text.startswith("Against the last promoted model: Round 3 (dpo) beats Round 1 (dpo) on ")
    assert "judged by judge:large" in second.text
    table = figures(page)["win_rate_in_four_ways"].table
    assert list(table["counted"]) == ["judge:large, raw", "at equal length", "surgeons alone", "surgeons and judge"]
    assert list(table["questions"]) == [60, 60, 40, 40]
    assert "surgeon:" not in notes(page) + lines(page) + page.headline.text


def test_too_few_ratings_say_so_and_the_judge_leads(ledger: Ledger) -> None:
    fill_rounds(ledger, rated=5)
    page = win_rates_page(found(ledger, SETTINGS))
    assert page.headline is not None
    assert "judged by judge:large" in page.headline.text
    assert "no win rate by surgeons and judge yet, since surgeons rated 5 prompts" in notes(page)
    assert len(figures(page)["win_rate_in_four_ways"].table) == 2
    assert "No win rate by surgeons alone yet" in lines(page)


def test_another_judge_than_the_configured_one_stands_beside_surgeons_alone(ledger: Ledger) -> None:
    """After the judge was changed in the configuration, and the new one has judged some of what the old one has."""
    made = fill_rounds(ledger)
    changed = SETTINGS.replace("large", "new")
    page = win_rates_page(found(ledger, changed))
    counted = ["judge:large, raw", "at equal length", "surgeons alone"]
    assert list(figures(page)["win_rate_in_four_ways"].table["counted"]) == counted
    beside = "Surgeons' ratings are put beside the verdicts of judge:new, the configured assessor"
    assert f"{beside}, which has no valid verdict on these answers yet: wardround evaluate" in lines(page)
    assert "Surgeons have rated none" not in lines(page)
    sft, newest = made.models[0], made.models[-1]
    answers = {(each.model, each.prompt): each for each in ledger.read(Candidate)}
    judged = [(answers[newest.id, each.id], answers[sft.id, each.id]) for each in made.prompts[:30]]
    ledger.append([compared(one, other, "a", "judge:new") for one, other in judged])
    page = win_rates_page(found(ledger, changed), "judge:large")
    assert list(figures(page)["win_rate_in_four_ways"].table["counted"]) == counted
    assert f"{beside}." in lines(page)
    page = win_rates_page(found(ledger, changed), "judge:large", model=made.models[1].id)
    assert "Surgeons have rated none of these answers yet" in lines(page)


def test_against_another_opponent_and_another_model(ledger: Ledger) -> None:
    made = fill_rounds(ledger)
    findings = found(ledger, SETTINGS)
    page = win_rates_page(findings, against="promoted")
    assert page.headline is not None
    assert page.headline.text.startswith("Round 3 (dpo) beats Round 1 (dpo)")
    assert page.notes[0].text.startswith("Against the SFT model: Round 3 (dpo) beats SFT")
    assert "counted against the SFT model alone" in lines(page)
    assert len(figures(page)["win_rate_by_round"].table) == 2  # nothing was promoted before round 1
    page = win_rates_page(findings, model=made.models[2].id)
    assert page.headline is not None
    assert page.headline.text.startswith("Round 2 (dpo)")
    assert [part.title for part in page.parts][1] == "Round 2 (dpo) against SFT"


def test_what_is_not_there_gives_the_nearest_that_is(made: Made, ledger: Ledger) -> None:
    findings = found(ledger)
    assert win_rates_page(findings, "judge:gone", "parent", "gone").headline == win_rates_page(findings).headline


def test_of_many_topics_the_largest_are_drawn_and_all_are_in_the_table(ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    more = [Prompt((Message("user", f"On topic {n}?"),), split="eval", topic=f"topic {n}") for n in range(45)]
    ledger.append([*more, *(answer(prompt, model) for prompt in more for model in made.models)])
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "a") for prompt in more])
    figure = figures(win_rates_page(found(ledger)))["win_rate_by_topic"]
    assert figure.title == "By topic: the 40 largest of 47"
    assert len(figure.table) == 47
    assert figure.chart is not None
    drawn = {row.split("\u2002")[0] for row in in_order(figure)}
    assert len(drawn) == 40
    assert {"hernia", "biliary"} < drawn


def test_rows_of_the_same_text_stay_apart(ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    topics = [f"laparoscopic repair of a hernia, {which}" for which in ("inguinal", "femoral")]
    more = [Prompt((Message("user", f"On {topic}?"),), split="eval", topic=topic) for topic in topics]
    ledger.append([*more, *(answer(prompt, model) for prompt in more for model in made.models)])
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "b") for prompt in more])
    figure = figures(win_rates_page(found(ledger)))["win_rate_by_topic"]
    rows = in_order(figure)[-2:]
    assert rows[0] == rows[1]
    assert rows[0].startswith("laparoscopic repair of a he…\u20020%\u2002[0, ")
    assert figure.chart is not None
    (drawn,) = figure.chart.to_dict()["datasets"].values()
    assert len({each["row"] for each in drawn}) == len(figure.table) == 4
    svg = as_svg(figure).decode()
    assert svg.count(f">{rows[0]}<") == 2
    heights = re.findall(r'aria-roledescription="point" transform="translate\([\d.]+,([\d.]+)\)"', svg)
    assert len(set(heights)) == 4


def test_a_model_trained_since_is_named(ledger: Ledger, made: Made) -> None:
    ledger.append([ModelVersion("round-2-ipo", "ipo", "w2", parent=made.models[1].id)])
    page = win_rates_page(found(ledger))
    (warning,) = [line for line in page.notes if line.tone == "warning"]
    assert warning.text.startswith("round-2-ipo was trained since")
    assert warning.text.endswith("run wardround evaluate round-2-ipo")
    assert page.headline is not None
    assert page.headline.text.startswith("Round 1 (dpo)")


def test_the_ladder_says_who_has_no_place(ledger: Ledger, made: Made) -> None:
    third = ModelVersion("round-2-ipo", "ipo", "w2", parent=made.models[1].id)
    answers = [answer(prompt, third) for prompt in made.prompts]
    ledger.append([third, *answers])
    ledger.append([compared(one, answer(p, made.models[0]), "a") for one, p in zip(answers, made.prompts, strict=True)])
    page = win_rates_page(found(ledger))
    assert "round-2-ipo has no place: it won every contest" in lines(page)
    assert list(figures(page)["ladder"].table["model"]) == ["Round 1 (dpo)", "SFT"]


def test_what_is_missing_and_which_command_brings_it(ledger: Ledger) -> None:
    def missing() -> tuple[str, str]:
        page = win_rates_page(found(ledger))
        assert page.missing is not None
        assert page.headline is None
        return page.missing.what, page.missing.command

    assert missing() == ("No questions yet.", "wardround import FILE")
    ledger.append([Prompt((Message("user", "Q?"),))])
    assert missing()[1] == "wardround round"
    made = fill(ledger, evaluated=False)
    what, command = missing()
    assert "round-1-dpo was not compared" in what
    assert command == "wardround evaluate round-1-dpo"
    sft, first = made.models
    prompt = made.prompts[0]
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "invalid")])
    what, command = missing()
    assert "all 1 are invalid" in what
    assert command == "wardround log"


def test_without_held_out_questions(ledger: Ledger) -> None:
    sft = ModelVersion("sft", "sft", "w0")
    ledger.append([Prompt((Message("user", "Q?"),)), sft, ModelVersion("mine", "dpo", "w1", parent=sft.id)])
    page = win_rates_page(found(ledger))
    assert page.missing is not None
    assert "No question is held out" in page.missing.what


def test_models_that_do_not_descend_from_each_other_are_on_the_scale_all_the_same(ledger: Ledger) -> None:
    one, two = ModelVersion("one", "dpo", "w1"), ModelVersion("two", "dpo", "w2")
    asked = [Prompt((Message("user", f"Q{n}?"),), split="eval") for n in range(12)]
    ledger.append([one, two, *asked, *(answer(prompt, model) for prompt in asked for model in (one, two))])
    said = [compared(answer(p, one), answer(p, two), "a" if n % 3 else "b") for n, p in enumerate(asked)]
    ledger.append(said)
    page = win_rates_page(found(ledger))
    assert page.missing is not None
    assert list(figures(page)) == ["ladder"]
