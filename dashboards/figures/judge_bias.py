"""What sways a judge that should not, and why its verdicts fail."""

from __future__ import annotations

from annotate.passport import Passport
from dashboards.figures.estimates import FORMATS, Row, estimates_chart, estimates_table, percent
from dashboards.figures.judge_trust import method_of
from dashboards.figures.page import Figure, Line, Part
from dashboards.findings.judges import Judge

SWAYED = 0.05  # points: a bias whose whole interval lies beyond is worth a word


def bias_part(judge: Judge) -> Part | None:
    """Position, length, and the judge's own family, each as points away from none."""
    said = judge.passport
    rows = [row for row in _rows(said) if row.rate.estimate is not None]
    if not rows:
        return None
    table = estimates_table(rows)
    figure = Figure(
        name="judge_biases",
        title="Biases: 0 is none",
        says="How far the place, the length and the author of an answer sway the judge, in points, with intervals.",
        method=method_of(
            judge,
            "Shown first: the share of decided verdicts for the answer shown first, less a half. Longer wins: the "
            "share of decided contests won by the longer answer, less a half; these may be better, so what surgeons "
            "see in them is taken off in “beyond surgeons” (equal opportunity: Hardt et al., 2016).",
        ),
        table=table,
        chart=estimates_chart(table, middle=0.0, signed=True),
        formats=FORMATS,
    )
    return Part("What sways it", (figure,), (*_lines(rows), *_slope(said)))


def _rows(said: Passport) -> list[Row]:
    return [
        Row("Shown first", said.order.bias),
        Row("Longer wins", said.length.longer_wins.minus(0.5)),
        Row("Longer wins, with surgeons", said.length.surgeons_longer_wins.minus(0.5)),
        Row("Longer, beyond surgeons", said.length.gap),
        Row("Own family, beyond surgeons", said.own.gap_to_surgeons),
    ]


def _lines(rows: list[Row]) -> tuple[Line, ...]:
    words = {
        "Shown first": ("It favours the answer shown first", "It favours the answer shown second"),
        "Longer, beyond surgeons": (
            "It favours longer answers more than surgeons do",
            "It favours shorter answers more than surgeons do",
        ),
        "Own family, beyond surgeons": ("It favours answers of its own family", "It is harder on its own family"),
    }
    found = []
    for what, rate in rows:
        if what not in words or rate.low is None or rate.high is None or rate.estimate is None:
            continue
        if rate.low > 0 or rate.high < 0:
            said = words[what][0 if rate.low > 0 else 1]
            strong = min(abs(rate.low), abs(rate.high)) > SWAYED
            found.append(Line(f"{said}, by {abs(100 * rate.estimate):.1f} points.", "warning" if strong else "plain"))
    return tuple(found)


def _slope(said: Passport) -> tuple[Line, ...]:
    slope = said.length.slope
    if slope.estimate is None or slope.low is None or slope.high is None:
        return ()
    return (
        Line(
            f"Length and winning: log-odds slope {slope.estimate:+.2f} per tanh of a standard deviation, 95% interval "
            f"{slope.low:+.2f} to {slope.high:+.2f}, n = {slope.n_items:,} (0: none)."
        ),
    )


def invalid_part(judge: Judge) -> Part | None:
    """Why verdicts are invalid; None where none is."""
    said = judge.passport
    if not said.invalid.estimate:
        return None
    table = estimates_table([Row(cause, share) for cause, share in said.invalid_by_cause.items()])
    figure = Figure(
        name="judge_invalid_by_cause",
        title="Invalid verdicts by cause",
        says="The share of verdicts that are invalid, by cause, with intervals.",
        method=method_of(judge, "Of all verdicts asked for; one that was asked again counts as it ended."),
        table=table,
        chart=estimates_chart(table, close=True),
        formats=FORMATS,
    )
    share = f"{percent(said.invalid.estimate)} of the verdicts on {said.invalid.n_items:,} contests are invalid"
    return Part("Invalid verdicts", (figure,), (Line(f"{share}: never a tie, never dropped."),))
