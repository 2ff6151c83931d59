"""The page "Lineage": what a model was trained on, back to its ratings, and what a round changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from annotate.assessor_kinds import SURGEONS
from dashboards.figures.ancestry import ancestry_chart
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Line, Missing, Page, Part
from dashboards.findings.lineage import Descent, Lineage, RoundSettings

NOT_SET = "(not set)"


def lineage_page(found: Lineage, model: str | None = None, rounds: tuple[int, int] | None = None) -> Page:
    """The way back of one model (the newest by default), and how two rounds (by default the last two) differ."""
    if not found.models:
        return Page(missing=Missing("No model is known yet, so nothing has a lineage.", "wardround round"))
    chosen = _chosen(found, model)
    line = tuple(ancestry(found, chosen))
    return Page(
        headline=Line(_headline(chosen, line)),
        notes=tuple(Line(note) for note in _notes(chosen)),
        parts=(_way_back(chosen, line), _difference(found, rounds)),
    )


def ancestry(found: Lineage, model: Descent) -> Iterator[Descent]:
    """The model, its parent, and so on to the first."""
    known = {each.id: each for each in found.models}
    at: Descent | None = model
    while at is not None:
        yield at
        at = known.get(at.parent or "")


def _chosen(found: Lineage, model: str | None) -> Descent:
    return next((each for each in found.models if each.id == model), found.models[-1])


def _headline(model: Descent, line: tuple[Descent, ...]) -> str:
    if not model.pairs:
        return f"{model.label} was not trained on preference pairs here: it is where the lineage begins."
    ratings = sum(model.ratings.values())
    surgeons = model.ratings.get(SURGEONS, 0)
    by = f", {surgeons:,} of them by surgeons" if surgeons else ", none of them by surgeons"
    since = f"; it descends from {line[-1].label}" if len(line) > 1 else ""
    return (
        f"{model.label} was trained on {n_of(model.pairs, 'pair')}, resting on {n_of(ratings, 'rating')}{by}, "
        f"of {n_of(sum(model.answers.values()), 'answer')} to {n_of(sum(model.questions.values()), 'question')}{since}."
    )


def _notes(model: Descent) -> Iterator[str]:
    facts = {"id": model.id, "weights": model.weights, "code": model.code}
    yield " · ".join(f"{name} {value}" for name, value in facts.items() if value)
    yield f"wardround trace {model.id[:12]} verifies the hash of every record on the way."


def _way_back(model: Descent, line: tuple[Descent, ...]) -> Part:
    import pandas as pd

    rows = [row for each in reversed(line) for row in _rows(each)]
    figure = Figure(
        name="lineage",
        title="The way back",
        says=f"What {model.label} and the models before it were trained on, from questions to ratings to pairs.",
        method=(
            "Every record names the ones that it rests on by a hash of their content. Counted once each: the "
            "comparisons that a model's pairs rest on, the answers in its pairs, and the questions that these answer."
        ),
        table=pd.DataFrame(rows, columns=["model", "step", "of", "records"]),
        chart=ancestry_chart(line),
        formats={"records": "count"},
    )
    return Part("", (figure,))


def _rows(model: Descent) -> Iterator[tuple[str, str, str, int]]:
    steps: Mapping[str, Mapping[str, int]] = {
        "questions": model.questions,
        "answers": model.answers,
        "ratings": model.ratings,
    }
    for step, counts in steps.items():
        yield from ((model.label, step, name, count) for name, count in counts.items())
    yield model.label, "pairs", "", model.pairs


def _difference(found: Lineage, rounds: tuple[int, int] | None) -> Part:
    title = "What a round changed"
    if len(found.rounds) < 2:
        some = "No round has begun yet." if not found.rounds else "One round so far: nothing to compare it with."
        return Part(title, missing=Missing(some, "wardround round"))
    known = {each.number: each for each in found.rounds}
    last = tuple(sorted(known)[-2:])
    before, after = (known[number] for number in (rounds if rounds and set(rounds) <= set(known) else last))
    figure = _difference_figure(before, after)
    if figure.table.empty:
        return Part(title, lines=(Line(f"Rounds {before.number} and {after.number} have the same settings."),))
    return Part(title, (figure,))


def _difference_figure(before: RoundSettings, after: RoundSettings) -> Figure:
    import pandas as pd

    names = sorted(before.settings.keys() | after.settings.keys())
    said = [(name, before.settings.get(name, NOT_SET), after.settings.get(name, NOT_SET)) for name in names]
    rows = [row for row in said if row[1] != row[2]]
    columns = ["setting", _name(before), _name(after)]
    return Figure(
        name=f"settings_{before.number}_{after.number}",
        title=f"Settings of round {before.number} and of round {after.number}",
        says=f"Differing: {n_of(len(rows), 'setting')}; the other {len(names) - len(rows)} are the same.",
        method="The settings that each round wrote into the ledger when it began.",
        table=pd.DataFrame(rows, columns=columns),
    )


def _name(settings: RoundSettings) -> str:
    return f"round {settings.number}"
