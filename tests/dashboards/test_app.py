"""Tests of the dashboard's pages, as Streamlit runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest  # noqa: TID253

from dashboards.launch import APP
from dashboards.wording import NOTICE
from ledger.records import Candidate, Message, Prompt
from ledger.store import Ledger
from tests.dashboards.made_ledger import Made, answer, compared, fill

ANSWERS = "views/answers.py"
NASTY = "<script>alert(1)</script> ![i](http://evil.example/i.png) [link](http://evil.example) $x$ :red[r] **bold**"
INTERPRETED = ("markdown", "caption", "subheader", "info", "warning", "error")
MARKUP = re.compile(r"(?<!\\)(<script|!\[|\[link|\$x|:red|\*\*bold)")


def shown(page: str = "") -> AppTest:
    """A page, after its first run."""
    app = AppTest.from_file(APP, default_timeout=30).run()
    if page:
        app.switch_page(page).run()
    assert not app.exception
    return app


def texts(app: AppTest, *kinds: str) -> str:
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in app.get("vega_lite_chart")]


def orders(app: AppTest) -> list[list[str]]:
    """The rows of each chart, from top to bottom."""
    return [
        next(layer["encoding"]["y"]["sort"] for layer in chart["layer"] if "y" in layer["encoding"])
        for chart in charts(app)
    ]


@pytest.mark.parametrize("page", ["", ANSWERS])
def test_every_page_says_that_it_is_for_research(folder: Path, made: Made, page: str) -> None:
    assert NOTICE in texts(shown(page), "caption")


@pytest.mark.parametrize("page", ["", ANSWERS])
def test_without_a_ledger_there_is_one_line(folder: Path, page: str, request: pytest.FixtureRequest) -> None:
    (folder / "wardround.toml").write_text('[ledger]\nurl = "sqlite:///nowhere.db"\n')
    app = shown(page)
    assert len(app.error) == 1
    assert "no ledger here" in app.error[0].value


def test_a_broken_configuration_is_one_line(folder: Path, made: Made) -> None:
    (folder / "wardround.toml").write_text("[evaluate]\nresample = 5\n")
    (error,) = shown().error
    assert "unknown key" in error.value


@pytest.mark.parametrize(("page", "command"), [("", "wardround import"), (ANSWERS, "wardround import")])
def test_an_empty_ledger_says_what_is_missing(folder: Path, ledger: Ledger, page: str, command: str) -> None:
    (info,) = shown(page).info
    assert command in info.value


def test_questions_alone(folder: Path, ledger: Ledger) -> None:
    ledger.append([Prompt((Message("user", "Q?"),))])
    assert "wardround round" in shown().info[0].value
    assert "wardround sample" in shown(ANSWERS).info[0].value


def test_no_round_yet(folder: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=0)
    assert "No round yet" in shown().info[0].value
    assert "Only SFT has answered" in shown(ANSWERS).info[0].value


def test_no_evaluation_yet(folder: Path, ledger: Ledger) -> None:
    fill(ledger, evaluated=False)
    info = shown().info[0].value
    assert "wardround evaluate" in info
    assert "round" in info
    assert "No verdict on these answers yet" in texts(shown(ANSWERS), "caption")


def test_only_invalid_verdicts(folder: Path, ledger: Ledger) -> None:
    sft, first = (made := fill(ledger, evaluated=False)).models
    prompt = made.prompts[0]
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "invalid")])
    assert "wardround log" in shown().warning[0].value


def test_one_round_in_a_sentence(folder: Path, made: Made) -> None:
    app = shown()
    sentence = app.subheader[0].value.replace("\\", "")
    assert sentence.startswith("Round 1 (dpo) beats SFT on 82% of 11 held-out questions, 95% interval ")
    assert sentence.endswith(", judged by metric:reference: better.")
    notes = texts(app, "caption").replace("\\", "")
    assert "neither an LLM nor a surgeon" in notes
    assert "1 verdict is invalid" in notes
    assert "between 75% and 83% (the ticks)" in notes


def test_one_round_in_charts_and_tables(folder: Path, made: Made) -> None:
    app = shown()
    by_round, by_mode, by_kind, by_topic = orders(app)
    assert by_round == ["Round 1 (dpo)"]
    assert by_mode == ["clinical", "exam"]
    assert by_kind == ["mcq", "open"]
    assert by_topic == ["biliary", "hernia"]  # the best first
    tables = [frame.value for frame in app.dataframe]
    assert [len(table) for table in tables] == [1, 2, 2, 2]
    assert tables[0]["questions"].iloc[0] == 11
    assert tables[0]["invalid"].iloc[0] == 1
    marks = [layer["mark"]["type"] for layer in charts(app)[0]["layer"]]
    assert marks == [
        "rule",
        "rule",
        "tick",
        "tick",
        "point",
        "text",
    ]  # one half, interval, invalid bounds, point, figures


def test_several_rounds(folder: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=3)
    app = shown()
    assert orders(app)[0] == ["Round 1 (dpo)", "Round 2 (ipo)", "Round 3 (orpo)"]
    assert app.subheader[0].value.replace("\\", "").startswith("Round 3 (orpo) beats SFT")
    against, which = app.selectbox
    against.select("parent").run()
    assert "Round 3 (orpo) beats Round 2 (ipo)" in app.subheader[0].value.replace("\\", "")
    which = app.selectbox[1]
    assert which.value == "Round 3 (orpo)"
    which.select("Round 1 (dpo)").run()
    assert not app.exception


def test_of_many_topics_the_largest_are_drawn_and_all_are_in_the_table(
    folder: Path, ledger: Ledger, made: Made
) -> None:
    sft, first = made.models
    more = [Prompt((Message("user", f"On topic {n}?"),), split="eval", topic=f"topic {n}") for n in range(45)]
    ledger.append([*more, *(answer(prompt, model) for prompt in more for model in made.models)])
    ledger.append([compared(answer(prompt, first), answer(prompt, sft), "a") for prompt in more])
    app = shown()
    assert len(orders(app)[3]) == 40
    assert {"hernia", "biliary"} < set(orders(app)[3])
    assert len(app.dataframe[3].value) == 47


def test_a_model_trained_since_is_named(folder: Path, ledger: Ledger, made: Made) -> None:
    from ledger.records import ModelVersion

    ledger.append([ModelVersion("round-2-ipo", "ipo", "w2", parent=made.models[1].id)])
    notes = texts(shown(), "caption").replace("\\", "")
    assert "round-2-ipo was trained since" in notes
    assert "wardround evaluate" in notes


def test_another_assessor_can_be_chosen(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ledger.append([compared(answer(made.prompts[0], first), answer(made.prompts[0], sft), "b", "surgeon:7")])
    app = shown()
    assert app.selectbox[0].options == ["metric:reference", "surgeon:7"]
    app.selectbox[0].select("surgeon:7").run()
    assert "judged by surgeon:7: not shown" in app.subheader[0].value.replace("\\", "")


def test_answers_stand_side_by_side_with_their_verdicts(folder: Path, ledger: Ledger) -> None:
    fill(ledger, rounds=2)
    app = shown(ANSWERS)
    model, against = app.selectbox[:2]
    assert model.format_func(model.value) == "Round 2 (ipo)"
    assert against.format_func(against.value) == "SFT"
    app.text_input[0].input("Question 5?").run()
    said = texts(app, "text")
    assert "Question 5?" in said
    assert "Reference 5." in said
    assert "round-2-ipo says so." in said
    assert "sft says so." in said
    notes = texts(app, "caption").replace("\\", "")
    assert ":blue[▶] won 1 · lost 0 · metric:reference" in notes
    assert ":orange[◀] won 0 · lost 1 · metric:reference" in notes
    assert app.dataframe[-1].value["better"].tolist() == ["Round 2 (ipo)"]


def test_the_prompt_is_shown_whole(folder: Path, made: Made) -> None:
    app = shown(ANSWERS)
    app.text_input[0].input("Passage 1.").run()
    assert "Passage 1." in texts(app, "text")
    app.text_input[0].input("Question 3?").run()
    assert "A. Yes\nB. No" in texts(app, "text")
    assert "(key: A)" in texts(app, "markdown")


def test_filters_narrow_the_list(folder: Path, made: Made) -> None:
    app = shown(ANSWERS)
    filters = {box.label: box for box in app.selectbox}
    assert filters["Split"].value == "eval"
    assert len(app.dataframe[0].value) == 12
    filters["Mode"].select("exam")
    filters["Topic"].select("hernia")
    app.run()
    assert len(app.dataframe[0].value) == 4
    {box.label: box for box in app.selectbox}["Verdict"].select("losses").run()
    assert list(app.dataframe[0].value["question"]) == ["Question 0?"]
    {box.label: box for box in app.selectbox}["Topic"].select("biliary").run()
    assert "No question fits" in app.info[0].value


def test_an_answer_is_text_whatever_it_holds(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    prompt = Prompt(
        (Message("user", f"Hostile? {NASTY}"),),
        context=(NASTY,),
        reference=NASTY,
        split="eval",
        topic=NASTY,
        source=NASTY,
    )
    ours = Candidate(prompt.id, first.id, NASTY, reasoning=NASTY)
    theirs = Candidate(prompt.id, sft.id, NASTY)
    ledger.append([prompt, ours, theirs, compared(ours, theirs, "a", f"judge:{NASTY}")])
    app = shown(ANSWERS)
    app.text_input[0].input("Hostile?").run()
    assert texts(app, "text").count(NASTY) == 6  # question, passage, reference, two answers, reasoning
    interpreted = texts(app, *INTERPRETED)
    assert not MARKUP.search(interpreted)
    assert not app.get("html")


def test_names_in_the_sentence_are_text(folder: Path, ledger: Ledger) -> None:
    made = fill(ledger, assessor=f"judge:{NASTY}")
    assert made.models
    app = shown()
    interpreted = texts(app, *INTERPRETED)
    assert "evil" in interpreted
    assert not MARKUP.search(interpreted)
