"""Tests of dashboards/views/answers.py, as Streamlit runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest  # noqa: TID253

from dashboards.counting.sections import PROMPTS
from dashboards.figures.page import NOTICE
from ledger.records import Candidate, Message, Prompt
from ledger.store import Ledger
from tests.dashboards.made_ledger import NASTY, Made, answer, compared, fill
from tests.dashboards.pages import commands, counted, shown, texts
from tests.dashboards.shown.test_marked import Seen

INTERPRETED = ("markdown", "caption", "subheader", "info", "warning", "error")
MARKUP = re.compile(r"(?<!\\)(<script|!\[|\[link|\$x|:red\[r|\*\*bold)")
LIST = 0  # which table is the list of prompts


def opened(folder: Path, **query: str) -> AppTest:
    counted(folder, PROMPTS)
    return shown("answers", **query)


def answers_shown(app: AppTest) -> list[str]:
    return ["".join(Seen(each.proto.body).text) for each in app.get("html")]


def listed(app: AppTest) -> list[str]:
    return [str(each) for each in app.dataframe[LIST].value["question"]]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def test_before_the_first_count_it_says_so(folder: Path, made: Made) -> None:
    assert "Counting what the ledger holds" in texts(shown("answers"), "info")


def test_an_empty_ledger_says_what_is_missing(folder: Path, ledger: Ledger) -> None:
    app = opened(folder)
    assert "No questions yet" in texts(app, "info")
    assert commands(app)[0] == "wardround import FILE"


def test_questions_without_answers_can_be_read(folder: Path, ledger: Ledger) -> None:
    ledger.append([Prompt((Message("user", "Q?"),))])
    app = opened(folder)
    assert "No answers yet" in texts(app, "info")
    assert "Nobody has answered this question" in texts(app, "info")
    assert commands(app) == ["wardround sample"] * 2
    assert "Q?" in texts(app, "text")


def test_one_model_alone(folder: Path, ledger: Ledger) -> None:
    made = fill(ledger, rounds=0)
    ledger.append([Candidate(made.prompts[1].id, made.models[0].id, "Another.")])
    app = opened(folder)
    assert "Only SFT has answered so far" in texts(app, "info")
    assert answers_shown(app) == ["sft says so."]
    assert "The only answer" in texts(app, "markdown")
    assert "No verdict on these answers yet" in texts(app, "info")
    press(app, "Next")
    assert answers_shown(app) == ["sft says so.", "Another."]
    assert "Nobody has compared these two answers" in texts(app, "markdown")


def test_answers_stand_side_by_side_with_all_that_was_said(folder: Path, ledger: Ledger) -> None:
    made = fill(ledger, rounds=2)
    app = opened(folder, prompt=made.prompts[5].id)
    said = texts(app, "text")
    assert "Question 5?" in said
    assert "Reference 5." in said
    assert answers_shown(app) == ["round-2-ipo says so.", "sft says so.", "round-1-dpo says so."]
    marked = [Seen(each.proto.body).marked for each in app.get("html")]
    assert marked == [["round-2-ipo"], ["sft"], []]
    assert "metric:reference prefers Round 2 (ipo)." in texts(app, "markdown")
    notes = texts(app, "caption")
    assert ":blue[▶] won 2 · lost 0 · metric:reference" in notes
    assert ":orange[◀] won 0 · lost 2 · metric:reference" in notes
    assert NOTICE in notes
    table = app.dataframe[-1].value
    assert table["better"].tolist() == ["Round 2 (ipo)", "Round 2 (ipo)", "Round 1 (dpo)"]


def test_other_answers_can_be_put_side_by_side(folder: Path, ledger: Ledger) -> None:
    made = fill(ledger, rounds=2)
    app = opened(folder, prompt=made.prompts[5].id)
    left, right = (next(box for box in app.selectbox if box.label == f"{side} answer") for side in ("Left", "Right"))
    assert left.options == ["Round 2 (ipo)", "Round 1 (dpo)", "SFT"]
    assert right.options == ["Round 1 (dpo)", "SFT"]
    left.select(answer(made.prompts[5], made.models[1]).id).run()
    assert answers_shown(app)[:2] == ["round-1-dpo says so.", "sft says so."]
    assert app.query_params["left"] == answer(made.prompts[5], made.models[1]).id
    app.selectbox(key="of").select(made.models[0].id).run()
    press(app, "Next")
    assert answers_shown(app)[:2] == ["sft says so.", "round-2-ipo says so."]


def test_two_answers_of_one_model(folder: Path, ledger: Ledger, made: Made) -> None:
    first = made.models[1]
    prompt = made.prompts[2]
    ours, again = answer(prompt, first), Candidate(prompt.id, first.id, "round-1-dpo says otherwise.")
    ledger.append([again])
    app = opened(folder, prompt=prompt.id, left=ours.id, right=again.id)
    assert answers_shown(app)[:2] == ["round-1-dpo says so.", "round-1-dpo says otherwise."]
    assert [Seen(each.proto.body).marked for each in app.get("html")[:2]] == [["so."], ["otherwise."]]


def test_the_prompt_is_shown_whole(folder: Path, made: Made) -> None:
    app = opened(folder, prompt=made.prompts[1].id)
    assert "Passage 1." in texts(app, "text")
    app = shown("answers", prompt=made.prompts[3].id)
    assert "A. Yes\nB. No" in texts(app, "text")
    assert "(key: A)" in texts(app, "markdown")


def test_filters_narrow_the_list(folder: Path, made: Made) -> None:
    app = opened(folder)
    assert app.selectbox(key="split").value == "eval"
    assert len(listed(app)) == 12
    app.selectbox(key="mode").select("exam")
    app.selectbox(key="topic").select("hernia").run()
    assert len(listed(app)) == 4
    app.selectbox(key="result").select("lost").run()
    assert listed(app) == ["Question 0?"]
    app.selectbox(key="topic").select("biliary").run()
    assert "No question fits" in texts(app, "info")
    assert answers_shown(app) == []


def test_flags_narrow_the_list(folder: Path, ledger: Ledger, made: Made) -> None:
    sft, first = made.models
    ours, theirs = answer(made.prompts[5], first), answer(made.prompts[5], sft)
    ledger.append([compared(ours, theirs, "b", "surgeon:meyer", harm=True)])
    app = opened(folder)
    for flag in ("disagree", "harm", "surgeons_harm"):
        app.selectbox(key="flagged").select(flag).run()
        assert listed(app) == ["Question 5?"]
    assert app.dataframe[LIST].value["flags"].tolist() == ["disagree, harm"]
    line = texts(app, "markdown")
    assert (
        "metric:reference prefers Round 1 (dpo); a surgeon prefers SFT; critical harm flagged: Round 1 (dpo)." in line
    )
    assert "meyer" not in texts(app, *INTERPRETED)
    app.selectbox(key="flagged").select("flipped").run()
    assert "No question fits" in texts(app, "info")


def test_a_filter_that_the_open_prompt_does_not_fit_opens_the_first_that_does(folder: Path, made: Made) -> None:
    app = opened(folder, prompt=made.prompts[5].id)
    app.selectbox(key="mode").select("clinical").run()
    assert "Question 5?" in texts(app, "text")  # it fits, and stays
    app.selectbox(key="topic").select("biliary").run()
    assert "Question 9?" in texts(app, "text")
    assert "prompt" not in app.query_params


def test_what_nobody_chose_is_not_in_the_address_and_stays_open_when_others_come(
    folder: Path, ledger: Ledger, made: Made
) -> None:
    def harmed(number: int) -> None:
        ours, theirs = (answer(made.prompts[number], model) for model in made.models)
        ledger.append([compared(ours, theirs, "b", "surgeon:meyer", harm=True)])
        counted(folder, PROMPTS)

    harmed(5)
    app = opened(folder, flagged="harm")
    harmed(3)
    app.run()
    assert listed(app) == ["Question 3?", "Question 5?"]
    assert selected(app) == "Question 5?"
    assert "prompt" not in app.query_params


def test_the_address_opens_a_prompt_that_the_filters_leave_out(folder: Path, made: Made) -> None:
    app = opened(folder, prompt=PROMPT_TRAINED_ON)
    assert "A training question?" in texts(app, "text")
    assert "does not fit the filters" in texts(app, "caption")
    assert len(listed(app)) == 12
    press(app, "Next")
    assert "Question 0?" in texts(app, "text")


PROMPT_TRAINED_ON = Prompt((Message("user", "A training question?"),), topic="hernia").id


def test_the_address_holds_the_filters(folder: Path, made: Made) -> None:
    app = opened(folder, mode="exam", topic="biliary", text="QUESTION")
    assert listed(app) == ["Question 8?", "Question 10?"]
    assert "Question 8?" in texts(app, "text")


@pytest.mark.parametrize("unknown", ["nothing", NASTY, "0" * 32])
def test_an_unknown_prompt_is_said_to_be_unknown(folder: Path, made: Made, unknown: str) -> None:
    app = opened(folder, prompt=unknown)
    assert "There is no question" in texts(app, "warning")
    assert not MARKUP.search(app.warning[0].value)
    assert "Question 0?" in texts(app, "text")


def test_neighbours_are_a_button_away(folder: Path, made: Made) -> None:
    app = opened(folder)
    previous = next(button for button in app.button if button.label == "Previous")
    assert previous.disabled
    press(app, "Next")
    assert "Question 1?" in texts(app, "text")
    assert "Question 2 of 12" in texts(app, "caption")
    press(app, "Previous")
    assert "Question 0?" in texts(app, "text")


def test_the_row_of_the_open_prompt_is_selected(folder: Path, made: Made) -> None:
    app = opened(folder)
    assert selected(app) == "Question 0?"
    app.query_params["prompt"] = made.prompts[7].id
    app.run()
    assert selected(app) == "Question 7?"
    assert "Question 7?" in texts(app, "text")


def selected(app: AppTest) -> str:
    rows: list[int] = app.session_state[str(app.dataframe[LIST].key)]["selection"]["rows"]
    return listed(app)[rows[0]]


def test_at_most_a_hundred_rows_are_sent(folder: Path, ledger: Ledger, made: Made) -> None:
    ledger.append([Prompt((Message("user", f"More {n}?"),), split="eval") for n in range(250)])
    app = opened(folder)
    assert len(listed(app)) == 100
    press(app, "100 on")
    assert "Question 101 of 262" in texts(app, "caption")
    assert len(listed(app)) == 100
    assert "More 88?" in listed(app)


def searched(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, *, at_once: int) -> AppTest:
    """Look for a text so slowly that one has to press "Search on" after so many questions."""
    monkeypatch.setattr("dashboards.findings.prompt_choice.AT_ONCE", at_once)
    monkeypatch.setattr("dashboards.shown.prompt_search.SECONDS", 0.0)
    app = opened(folder)
    return app.text_input(key="text").input(text).run()


def test_a_search_that_takes_long_can_be_gone_on_with(
    folder: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = searched(folder, "question", monkeypatch, at_once=5)
    assert "Found in 5 of the first 5 of 12" in texts(app, "caption")
    press(app, "Search on")
    assert len(listed(app)) == 10
    press(app, "Search on")
    assert len(listed(app)) == 12
    assert "Search on" not in [button.label for button in app.button]


def test_a_ledger_that_fails_while_searching_on_is_one_line(
    folder: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = searched(folder, "question", monkeypatch, at_once=5)
    config = (folder / "wardround.toml").read_text()
    (folder / "wardround.toml").write_text('[ledger]\nurl = "sqlite:///nowhere.db"\n')
    press(app, "Search on")
    assert "there is no ledger here" in texts(app, "error")
    (folder / "wardround.toml").write_text(config)
    app.run()
    press(app, "Search on")
    assert len(listed(app)) == 10


def test_a_search_in_vain_opens_nothing(folder: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    app = searched(folder, "nowhere", monkeypatch, at_once=6)
    assert not app.info
    press(app, "Search on")
    assert "No question fits" in texts(app, "info")
    assert answers_shown(app) == []
    assert "prompt" not in app.query_params


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
    theirs = Candidate(prompt.id, sft.id, f"{NASTY} too")
    ledger.append([prompt, ours, theirs, compared(ours, theirs, "a", f"judge:{NASTY}")])
    app = opened(folder, prompt=prompt.id)
    assert texts(app, "text").count(NASTY) == 3  # question, passage, reference
    assert answers_shown(app) == [NASTY, NASTY, f"{NASTY} too"]  # the second is the reasoning
    assert not MARKUP.search("\n".join(str(each.value) for kind in INTERPRETED for each in getattr(app, kind)))
