"""How far surgeons agree, and what they are to settle. Never of one surgeon: all of them together."""

from __future__ import annotations

from annotate.bootstrap import Estimate
from dashboards.figures.estimates import FORMATS, Row, estimates_chart, estimates_table, interval, percent
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Format, Line, Missing, Part
from dashboards.findings.reviewing import Agreed, Reviewing

TITLE = "Agreement"
SEVERAL = 2
COEFFICIENTS: dict[str, Format] = {"value": "number", "from": "number", "to": "number", "of": "count"}


def agreement_part(findings: Reviewing) -> Part:
    """With each other and with themselves; or what is missing."""
    found = findings.agreed
    if found is None:
        missing = Missing("No surgeon's answer is here yet, so there is no agreement.", "wardround review pull")
        return Part(TITLE, missing=missing)
    figures = [each for each in (_rates(found), _coefficients(found)) if each is not None]
    if found.overall.raw.estimate is not None:
        share = f"{percent(found.overall.raw.estimate)} of {found.overall.raw.n_items:,} items"
        line = Line(f"Two surgeons prefer the same on {share}, {interval(found.overall.raw, found.confidence)}.")
        return Part(TITLE, tuple(figures), (line,))
    return Part(TITLE, tuple(figures), missing=_too_few(findings))


def _too_few(findings: Reviewing) -> Missing:
    if findings.surgeons < SEVERAL:
        return Missing(
            "Only one surgeon has answered, so there is no agreement between surgeons yet. Name another one in "
            "surgeons.toml, then let them in.",
            "wardround review up",
        )
    return Missing(
        "No random or calibration item has answers by two surgeons yet; more come with time.", "wardround review pull"
    )


def _rates(found: Agreed) -> Figure | None:
    rows = [
        Row("Same preference", found.overall.raw),
        Row("Same harm flag", found.overall.harm_raw),
        Row("With themselves, asked again", found.repeats.raw),
        *(Row(f"Mode {name}", part.raw) for name, part in found.by_mode.items()),
        *(
            Row({"mcq": "Multiple choice", "open": "Open questions"}.get(name, name), part.raw)
            for name, part in found.by_kind.items()
        ),
        *(Row(f"Queue {name}, chosen as hard", part.raw) for name, part in found.chosen.items()),
    ]
    table = estimates_table([row for row in rows if row.rate.estimate is not None])
    if table.empty:
        return None
    return Figure(
        name="review_agreement",
        title="How often surgeons say the same",
        says="How often two surgeons prefer the same answer, in all and by mode, kind and queue, with intervals.",
        method="Pairs of surgeons on one item who prefer the same: a, b or neither. On random and calibration items, "
        "unless a queue is named: those were chosen for being hard or risky, so that surgeons agree on them less. With "
        f"themselves: hidden repeats. {found.confidence:.0%} intervals from a bootstrap over questions.",
        table=table,
        chart=estimates_chart(table),
        formats=FORMATS,
    )


def _coefficients(found: Agreed) -> Figure | None:
    """Beyond chance, as a table: the paper's figures."""
    import pandas as pd

    said = found.overall
    named: dict[str, Estimate] = {
        "Cohen's kappa, mean over pairs": said.kappa,
        "Fleiss' kappa": said.fleiss,
        "Gwet's AC1": said.ac1,
        "Krippendorff's alpha, ordinal": said.alpha,
        "Harm: Krippendorff's alpha": said.harm_alpha,
        "With themselves: Krippendorff's alpha": found.repeats.alpha,
    }
    rows = [(name, e.estimate, e.low, e.high, e.n_items) for name, e in named.items() if e.estimate is not None]
    if not rows:
        return None
    return Figure(
        name="review_agreement_beyond_chance",
        title="Agreement beyond chance (0: chance, 1: always)",
        says="Coefficients of agreement with their intervals.",
        method=f"On random and calibration items. {found.confidence:.0%} intervals from a bootstrap over questions; "
        "of: items with two ratings or more.",
        table=pd.DataFrame(rows, columns=["coefficient", *COEFFICIENTS]),
        formats=COEFFICIENTS,
    )


def unsettled_part(findings: Reviewing) -> Part | None:
    """What surgeons differ over; None before anybody has answered."""
    import pandas as pd

    if findings.agreed is None or findings.n_unsettled is None:
        return None
    title, counts = "Adjudication", findings.n_unsettled
    if not sum(counts.values()):
        return Part(title, lines=(Line("Surgeons contradict each other nowhere; no third one needs to look."),))
    rows = [
        (" and ".join(each.about), each.state, each.question, f"/answers?prompt={each.prompt}")
        for each in findings.unsettled
    ]
    total = sum(counts.values())
    shown = f" The first {len(rows):,} of {total:,}." if total > len(rows) else ""
    figure = Figure(
        name="review_adjudication",
        title="Where surgeons differ",
        says="The questions on which surgeons prefer opposite answers, or flag harm differently.",
        method="Opposite preferences, or harm that one flags and another does not, in any queue; settled: a third "
        f"surgeon has answered. n: {total:,} contests.{shown}",
        table=pd.DataFrame(rows, columns=["over", "state", "question", "see"]),
        formats={"see": "link"},
    )
    left = counts["to send"]
    said = ", ".join(f"{number:,} {state}" for state, number in counts.items() if number)
    missing = None
    if left:
        what = f"{n_of(left, 'disagreement')} not yet sent to a third surgeon."
        missing = Missing(what, "wardround review push --adjudicate")
    line = Line(f"Surgeons differ on {n_of(total, 'contest')}: {said}.")
    return Part(title, (figure,), (line,), missing)
