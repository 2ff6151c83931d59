"""What the dashboard says in words. Names come from users: `escaped` shows them as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dashboards.frames import FEW

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from dashboards.questions import Standing

NOTICE = "For research; no clinical advice."
WORD_JOINER = "\u2060"  # invisible; breaks up what would become a link even where its punctuation is escaped
LINK_STARTS = re.compile(r"(https?:|www|@)", re.IGNORECASE)
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

CONCLUSIONS = {
    "better": "better",
    "worse": "worse",
    "not shown": "a difference is not shown",
    "too few": f"not shown, with fewer than {FEW} questions",
}
ASSESSORS = {
    "metric:reference": "computed from the reference answer and a rubric; neither an LLM nor a surgeon",
    "metric:key": "the answer key of multiple-choice questions",
    "metric:": "a computed metric; neither an LLM nor a surgeon",
    "panel": "what most of the configured LLM judges say",
    "judge:": "an LLM judge",
    "surgeon:": "a surgeon",
    "simulated:": "a simulated assessor; neither an LLM nor a surgeon",
}
METHOD = (
    "A win rate is the mean over questions of each question's share of wins; a tie and “both bad” count a half, "
    "so 50% is no difference. Intervals come from a bootstrap over questions."
)
LEGEND = (
    ":blue[▶] better · :gray[●] not shown · :orange[◀] worse · "
    f":gray[◆] fewer than {FEW} questions, too few to say. Bar: the interval. Dashed line at 50%: no difference."
)


def escaped(text: str) -> str:
    """``text`` as Markdown that shows just this text, in one line: no link, image, formula or emphasis."""
    return PUNCTUATION.sub(r"\\\1", LINK_STARTS.sub(r"\1" + WORD_JOINER, " ".join(text.split())))


def headline(rate: Series) -> str:
    """One sentence on a row of `WIN_RATES`."""
    figures = f"beats {rate['opponent_label']} on {rate['win_rate']:.0%} of {rate['n_prompts']} held-out questions"
    interval = f"{rate['confidence']:.0%} interval {rate['low'] * 100:.0f} to {rate['high'] * 100:.0f}"
    conclusion = CONCLUSIONS[str(rate["outcome"])]
    return f"{rate['label']} {figures}, {interval}, judged by {rate['assessors']}: {conclusion}."


def invalid_note(rate: Series) -> str:
    """What the invalid verdicts could change; empty where there are none."""
    if not rate["n_invalid"]:
        return ""
    bounds = f"between {rate['worst']:.0%} and {rate['best']:.0%}"
    verdicts = "1 verdict is" if rate["n_invalid"] == 1 else f"{rate['n_invalid']} verdicts are"
    return f"{verdicts} invalid and left out; counted against or for the model, the win rate lies {bounds} (the ticks)."


def assessor_note(name: str) -> str:
    """What kind of assessor this is: a metric is never called an LLM or a surgeon."""
    kind = ASSESSORS.get(name) or ASSESSORS.get(name.split(":", maxsplit=1)[0] + ":", "an assessor")
    return f"**{escaped(name)}**: {kind}."


def standing(fared: Standing) -> str:
    """One line on how an answer fared, as Markdown."""
    counts = {"won": fared.wins, "lost": fared.losses, "tied": fared.ties, "both bad": fared.both_bad}
    said = [f"{word} {count}" for word, count in counts.items() if count or word in ("won", "lost")]
    if fared.invalid:
        said.append(f"invalid {fared.invalid}")
    if fared.harmful:
        said.append("**critical harm**")
    colour = "blue" if fared.wins > fared.losses else "orange" if fared.losses > fared.wins else "gray"
    sign = {"blue": "▶", "orange": "◀", "gray": "●"}[colour]
    return f":{colour}[{sign}] {' · '.join(said)} · {escaped(fared.assessor)}"


def in_words(verdicts: DataFrame, answers: DataFrame, label: str, opponent_label: str) -> DataFrame:
    """A `VERDICTS` table for people."""
    import pandas as pd

    numbers = dict(zip(answers["id"], answers["number"], strict=True))
    words = {"win": label, "loss": opponent_label, "both_bad": "both bad"}
    flags = verdicts["flags"].str.replace("harm_first", f"harm: {label}", regex=False)
    return pd.DataFrame(
        {
            label: verdicts["answer"].map(numbers),
            f"against {opponent_label}": verdicts["other"].map(numbers),
            "better": verdicts["verdict"].replace(words),
            f"P({label} is better)": verdicts["strength"].round(3),
            "pairs of samples": verdicts["count"],
            "assessor": verdicts["assessor"],
            "shown first": verdicts["first_shown_first"].map({True: label, False: opponent_label}),
            "flags": flags.str.replace("harm_other", f"harm: {opponent_label}", regex=False),
            "scores": verdicts["axes"],
            "remark": verdicts["remark"],
        }
    )


def not_evaluated(models: DataFrame, rates: DataFrame) -> str:
    """Whether the model trained last has no win rate yet; empty where it has."""
    newest = models[models["parent"] != ""].iloc[0]
    if newest["id"] in set(rates["model"]):
        return ""
    return f"{escaped(str(newest['label']))} was trained since and has no win rate here yet: run `wardround evaluate`."


def no_valid_verdict(assessor: str) -> str:
    """There are comparisons, but no valid one."""
    return f"No valid verdict by {escaped(assessor)} yet. `wardround log` shows the causes of invalid ones."


def missing_for_win_rates(questions: int, models: DataFrame, contests: DataFrame) -> str:
    """What must be done before there is a win rate, and by which command; empty where nothing is missing."""
    if not questions:
        return "No questions yet. `wardround import FILE` brings them in."
    trained = models[models["parent"] != ""]
    if trained.empty:
        return "No round yet: no model was trained. `wardround round` walks one round, from sampling to a win rate."
    if contests.empty:
        return (
            f"No evaluation yet: {escaped(str(trained['label'].iloc[0]))} was not compared on held-out questions. "
            "`wardround evaluate` does it."
        )
    return ""


def missing_for_answers(questions: int, models: DataFrame) -> str:
    """What must be done before two models' answers can be shown; empty where nothing is missing."""
    if not questions:
        return "No questions yet. `wardround import FILE` brings them in."
    answering = models[models["answers"] > 0]
    if answering.empty:
        return "No answers yet. `wardround sample` draws them, and `wardround round` does all that follows too."
    if len(answering) < 2:
        only = escaped(str(answering["label"].iloc[0]))
        return f"Only {only} has answered so far. `wardround round` trains a model and lets it answer too."
    return ""
