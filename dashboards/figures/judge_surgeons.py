"""A judge held against surgeons: the reliability diagram, and agreement by mode and topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.figures.estimates import FORMATS, Row, estimates_chart, estimates_table, percent, tooltips
from dashboards.figures.judge_trust import method_of
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Format, Line, Missing, Part
from dashboards.figures.style import BLUE, INK
from dashboards.findings.judges import Judge, Judges

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart

TITLE = "Against surgeons"
TOPICS = 8  # shown; the table of a passport has all
SIDE = 300  # pixels of the reliability diagram
BINS: dict[str, Format] = {
    "judge is sure": "percent",
    "rate": "percent",
    "from": "percent",
    "to": "percent",
    "of": "count",
}


def missing_reference(judge: Judge, findings: Judges) -> Missing | None:
    """What is missing before anything can be said of its being right; None where nothing is."""
    if judge.passport.surgeons.raw.n_items:
        return None
    if not findings.sent and not findings.rated:
        return Missing("Nothing says how often it is right: no surgeon was asked yet.", "wardround review push")
    if not findings.rated:
        sent = n_of(findings.sent, "item")
        return Missing(
            f"Nothing says how often it is right: {sent} sent to surgeons, no answer is here yet.",
            "wardround review pull",
        )
    return Missing(
        f"Surgeons have rated answers to {findings.rated:,} questions, none of them in contests that it has judged.",
        "wardround judge",
    )


def surgeons_part(judge: Judge, findings: Judges) -> Part:
    """Calibration and agreement by kind; or what is missing."""
    missing = missing_reference(judge, findings)
    if missing:
        return Part(TITLE, missing=missing)
    every = judge.passport.surgeons
    lines = [_beyond_chance(judge)] if every.kappa.estimate is not None else []
    if every.worst is not None and every.best is not None and every.worst != every.best:
        bounds = f"between {percent(every.worst)} and {percent(every.best)}"
        lines.append(Line(f"With its invalid verdicts counted against it or for it, agreement lies {bounds}."))
    figures = [each for each in (_reliability(judge), _by_kind(judge)) if each is not None]
    return Part(TITLE, tuple(figures), tuple(lines))


def _beyond_chance(judge: Judge) -> Line:
    kappa = judge.passport.surgeons.kappa
    edges = "" if kappa.low is None or kappa.high is None else f", 95% interval {kappa.low:.2f} to {kappa.high:.2f}"
    return Line(f"Beyond chance (Cohen's kappa, 0: chance, 1: always): {kappa.estimate:.2f}{edges}.")


def _reliability(judge: Judge) -> Figure | None:
    """The reliability diagram (Guo et al., 2017): how often it is right where it says how sure it is."""
    import pandas as pd

    found = judge.passport.calibration
    if not found.bins:
        return None
    rows = [
        (f"{each.low:.0%} to {each.high:.0%}", each.confidence, each.accuracy, each.accuracy_low, each.accuracy_high)
        for each in found.bins
    ]
    table = pd.DataFrame(rows, columns=["strength", "judge is sure", "rate", "from", "to"])
    table = table.astype(dict.fromkeys(["judge is sure", "rate", "from", "to"], "float64"))
    table["of"] = [each.n_items for each in found.bins]
    error = "" if found.error.estimate is None else f" Expected calibration error {found.error.estimate:.3f}"
    brier = "" if found.brier.estimate is None else f", Brier score {found.brier.estimate:.3f} (0.25 knows nothing)."
    n = int(table["of"].sum())
    return Figure(
        name="judge_reliability",
        title="When it is sure, is it right?",
        says=f"How often {judge.name} is right against how sure it is; on the diagonal both are the same.",
        method=f"{n:,} contests that surgeons decided, in bins of the judge's strength; n below each point. Above the "
        f"diagonal it is too modest, below too sure. 95% intervals over questions.{error}{brier}",
        table=table,
        chart=_diagram(table),
        formats=BINS,
    )


def _diagram(table: DataFrame) -> Chart:
    import altair as alt
    import pandas as pd

    shown = table.assign(n=[f"n = {each:,}" for each in table["of"]])
    across = alt.Scale(domain=[0.47, 1.02], nice=False)  # so that the labels at both ends have room
    lowest = float(table[["rate", "from"]].min().min())
    up = alt.Scale(domain=[max(0.0, min(0.4, lowest // 0.1 * 0.1 - 0.1)), 1], nice=False)
    ticks = [place / 10 for place in range(5, 11)]
    x = alt.X(
        "judge is sure:Q", scale=across, axis=alt.Axis(format="%", values=ticks, grid=False, title="how sure it is")
    )
    y, low = (
        alt.Y(f"{name}:Q", scale=up, axis=alt.Axis(format="%", tickCount=5, title="how often it is right"))
        for name in ("rate", "from")
    )
    ends = pd.DataFrame({"judge is sure": [0.5, 1.0], "rate": [0.5, 1.0]})
    told = [*tooltips(["strength"], shown), alt.Tooltip("judge is sure:Q", format=".1%")]
    drawn = alt.Chart(shown).encode(x=x, tooltip=told)
    layers: list[Any] = [
        alt.Chart(ends).mark_line(color=INK, strokeDash=[6, 4]).encode(x=x, y=y),
        drawn.mark_rule(strokeWidth=4, opacity=0.45, color=BLUE).encode(y=low, y2="to:Q"),
        drawn.mark_point(size=90, filled=True, opacity=1, color=BLUE).encode(y=y),
        drawn.mark_text(baseline="bottom", color=INK, fontSize=12, y=alt.expr("height - 3")).encode(text="n:N"),
    ]
    return alt.layer(*layers).properties(height=SIDE)


def _by_kind(judge: Judge) -> Figure | None:
    """Raw agreement, by mode first, then by the topics that surgeons rated most."""
    said = judge.passport
    modes = [Row(f"Mode {mode}", part.raw) for mode, part in said.surgeons_by_mode.items()]
    topics = [Row(f"Topic {topic or '(none)'}", part.raw) for topic, part in said.surgeons_by_topic.items()]
    rows = [row for row in [*modes, *topics[:TOPICS]] if row.rate.estimate is not None]
    if not rows:
        return None
    table = estimates_table(rows)
    kappas = {f"Mode {name}": part.kappa.estimate for name, part in said.surgeons_by_mode.items()}
    kappas |= {f"Topic {name or '(none)'}": part.kappa.estimate for name, part in said.surgeons_by_topic.items()}
    more = f" The {TOPICS} topics with most ratings of {len(topics)}." if len(topics) > TOPICS else ""
    return Figure(
        name="judge_agreement_by_kind",
        title="Agreement with surgeons by mode and topic",
        says="How often the judge prefers what most surgeons prefer, by mode and topic, with intervals.",
        method=method_of(judge, f"The table adds Cohen's kappa.{more}"),
        table=table.assign(kappa=table["what"].map(kappas).astype("float64")),
        chart=estimates_chart(table),
        formats={**FORMATS, "kappa": "number"},
    )
