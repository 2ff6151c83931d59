"""The page "Win rates": is the newest model better than the SFT model, and on which questions."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from dashboards.figures import win_rate_words as words
from dashboards.figures.interval_chart import FORMATS, Interval, interval_chart, interval_table
from dashboards.figures.ladder import ladder_part
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Line, Missing, Page, Part
from dashboards.figures.rate_kinds import rate_kinds, ways
from dashboards.figures.round_curve import CurvePoint, curve_chart
from dashboards.figures.win_rate_choice import AGAINST, Choice, chosen
from dashboards.findings.known_models import Against
from dashboards.findings.win_rates import TOPIC_RESAMPLES, Matchup, WinRates

SHOWN = 40  # topics in a chart; its table has them all
KINDS = {"clinical": "clinical", "exam": "exam", "open": "open", "mcq": "multiple choice"}


def win_rates_page(
    findings: WinRates, assessor: str | None = None, against: Against = "sft", model: str | None = None
) -> Page:
    """All of it: the sentence, the curve over the rounds, one model in detail, the common scale.

    Args:
        findings: counted before.
        assessor: whose verdicts; by default, and where there are none of these, the configured one's.
        against: which opponent of each model; another one where there is no win rate against it.
        model: id of the one shown in detail; by default the newest that has a win rate.
    """
    if missing := missing_before(findings):
        return Page(missing=missing, parts=_ladder(findings, assessor) if findings.judged else ())
    choice = chosen(findings, assessor, against, model)
    if choice.matchup is None:
        return Page(notes=(Line(words.assessor_note(choice.judged)),), missing=_no_win_rate(findings, choice), parts=())
    parts = (_by_round(choice), _in_detail(choice), *_ladder(findings, choice.judged.assessor))
    return Page(_headline(choice, choice.matchup), _notes(findings, choice), parts)


def missing_before(findings: WinRates) -> Missing | None:
    """What must be done before there is any win rate."""
    if not findings.questions:
        return Missing("No questions yet.", "wardround import FILE")
    if not any(model.trained for model in findings.models):
        return Missing(
            "No round yet: no model was trained. A round leads from sampling to a win rate.", "wardround round"
        )
    if not findings.held_out:
        return Missing(
            "No question is held out, and models are compared on held-out questions alone. import.eval_share says how "
            "many of the questions that are imported next are.",
            "wardround import FILE",
        )
    if not any(judged.matchups for judged in findings.judged):
        newest = next(model for model in reversed(findings.models) if model.trained)
        what = f"No evaluation yet: {newest.label} was not compared on held-out questions."
        return Missing(what, f"wardround evaluate {quote(newest.name)}")
    return None


def _no_win_rate(findings: WinRates, choice: Choice) -> Missing:
    contests = sum(each.n_contests for each in choice.judged.matchups)
    if not contests:
        what = f"{choice.judged.assessor} has compared no trained model on held-out questions yet."
        return Missing(what, "wardround evaluate")
    what = f"No valid verdict by {choice.judged.assessor} yet: all {contests:,} are invalid. The log shows the causes."
    return Missing(what, "wardround log")


def _ladder(findings: WinRates, assessor: str | None) -> tuple[Part, ...]:
    judged = next((each for each in findings.judged if each.assessor == assessor), findings.judged[0])
    return (ladder_part(judged.ladder, {model.id: model.label for model in findings.models}),)


def _headline(choice: Choice, matchup: Matchup) -> Line:
    model, opponent = choice.label(matchup.model), choice.label(matchup.opponent)
    together = choice.with_surgeons(matchup)
    line = words.human_headline(model, opponent, together) if together else None
    if line is None:
        assert matchup.overall is not None
        line = words.headline(model, opponent, matchup.overall, words.who(choice.judged, matchup))
    return line


def _notes(findings: WinRates, choice: Choice) -> tuple[Line, ...]:
    matchup = choice.matchup
    assert matchup is not None
    assert matchup.overall is not None
    said = [_second(choice)]
    if together := choice.with_surgeons(matchup):
        said.append(Line(words.surgeons_note(together)))
    said.append(Line(words.assessor_note(choice.judged)))
    if invalid := words.invalid_note(matchup.overall):
        said.append(Line(invalid))
    since = findings.models[-1]
    if since.trained and not any(each.model == since.id and each.overall for each in choice.judged.matchups):
        text = (
            f"{since.label} was trained since and has no win rate here yet: run wardround evaluate {quote(since.name)}"
        )
        said.append(Line(text, "warning"))
    return tuple(said)


def _second(choice: Choice) -> Line:
    """The other opponent that matters: the last promoted model, or SFT where that one is in the headline."""
    which: Against = "promoted" if choice.against == "sft" else "sft"
    opponent = choice.model.opponents.get(which)
    first = choice.matchup.opponent if choice.matchup else None
    if opponent is None or opponent == first:
        return Line("No model was promoted before it." if which == "promoted" else "It was trained from SFT.")
    matchup = choice.judged_pair(choice.model.id, opponent)
    if matchup is None or matchup.overall is None:
        text = f"Against {choice.label(opponent)}, {AGAINST[which]}, there is no win rate yet."
        return Line(text, "warning")
    line = _headline(choice, matchup)
    return Line(f"Against {AGAINST[which]}: {line.text}", line.tone)


def _by_round(choice: Choice) -> Part:
    points = [
        CurvePoint(model, choice.label(matchup.opponent), matchup.overall)
        for model, matchup in choice.in_order
        if matchup.overall
    ]
    rows = [Interval.of(each.model.label, each.rate) for each in points]
    table = interval_table(rows, "model")
    table.insert(1, "against", [each.opponent for each in points])
    table["promoted"] = [{True: "yes", False: "no", None: "not decided"}[each.model.promoted] for each in points]
    figure = Figure(
        name="win_rate_by_round",
        title=f"Win rate against {AGAINST[choice.against]}",
        says=f"{len(rows)} model(s), from {rows[0].text} to {rows[-1].text}.",
        method=_method_of_all(choice),
        table=table,
        chart=curve_chart(points),
        formats=FORMATS,
    )
    legend = f"{words.LEGEND} Dashed line: no difference."
    return Part("Over the rounds", (figure,), (Line(legend),))


def _in_detail(choice: Choice) -> Part:
    matchup = choice.matchup
    assert matchup is not None
    kinds, reasons = rate_kinds(choice, matchup)
    title = f"{choice.label(matchup.model)} against {choice.label(matchup.opponent)}"
    figures = (
        _in_four_ways(choice, kinds),
        _by_mode_and_kind(choice, matchup),
        _by_topic(choice, matchup),
    )
    return Part(title, figures, tuple(Line(reason) for reason in reasons))


def _in_four_ways(choice: Choice, rows: list[Interval]) -> Figure:
    title = "Raw, at equal length, and by surgeons"
    findings, matchup = choice.findings, choice.matchup
    assert matchup is not None
    raw = (
        f"Raw: verdicts by {words.who(choice.judged, matchup)}; {_bootstrap(findings.resamples)}; {_counted(matchup)}."
    )
    method = " ".join((words.METHOD, f"{findings.confidence:.0%} intervals, row by row.", raw, *ways(rows)))
    return _rows(rows, method, name="win_rate_in_four_ways", title=title, first="counted")


def _by_mode_and_kind(choice: Choice, matchup: Matchup) -> Figure:
    rates = {**matchup.by.get("mode", {}), **matchup.by.get("kind", {})}
    rows = [Interval.of(name, rates[key]) for key, name in KINDS.items() if key in rates]
    title = "By mode and kind of question"
    return _rows(rows, _method(choice), name="win_rate_by_mode_and_kind", title=title, first="mode or kind")


def _by_topic(choice: Choice, matchup: Matchup) -> Figure:
    rates = matchup.by.get("topic", {})
    rows = [Interval.of(topic, rate) for topic, rate in rates.items()]
    rows.sort(key=lambda row: (-row.rate, row.name))
    largest = sorted(rows, key=lambda row: -(row.questions or 0))[:SHOWN]
    drawn = [row for row in rows if row in largest]
    title = "By topic" if len(drawn) == len(rows) else f"By topic: the {SHOWN} largest of {len(rows)}"
    method = f"{_method(choice, TOPIC_RESAMPLES)} {_TOPICS}"
    figure = _rows(drawn, method, name="win_rate_by_topic", title=title, first="topic")
    return figure if len(drawn) == len(rows) else _with_table_of(figure, rows)


_TOPICS = "Many topics are many comparisons: of 20 topics without any difference, one is expected to look like one."


def _rows(rows: list[Interval], method: str, *, name: str, title: str, first: str) -> Figure:
    said = max(rows, key=lambda row: row.rate).text
    return Figure(
        name=name,
        title=title,
        says=said if len(rows) == 1 else f"The highest of {len(rows)} win rates: {said}.",
        method=method,
        table=interval_table(rows, first),
        chart=interval_chart(rows),
        formats=FORMATS,
    )


def _with_table_of(figure: Figure, rows: list[Interval]) -> Figure:
    return replace(figure, table=interval_table(rows, str(figure.table.columns[0])))


def _method(choice: Choice, most: int | None = None) -> str:
    """Of the model in detail; ``most``: resamples, where they are limited."""
    matchup, resamples = choice.matchup, choice.findings.resamples
    assert matchup is not None
    made = _intervals(choice, min(resamples, most or resamples))
    return f"{made} {_counted(matchup)}. Verdicts by {words.who(choice.judged, matchup)}."


def _method_of_all(choice: Choice) -> str:
    who = words.who_of_all(choice.judged, [matchup for _, matchup in choice.in_order])
    return f"{_intervals(choice, choice.findings.resamples)} Verdicts by {who}."


def _intervals(choice: Choice, resamples: int) -> str:
    return f"{words.METHOD} {choice.findings.confidence:.0%} intervals: {_bootstrap(resamples)}."


def _bootstrap(resamples: int) -> str:
    return f"bootstrap over questions, {resamples:,} resamples"


def _counted(matchup: Matchup) -> str:
    assert matchup.overall is not None
    return f"n={matchup.overall.n_prompts:,} questions, {n_of(matchup.overall.n_comparisons, 'contest')} in all"
