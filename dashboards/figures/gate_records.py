"""What the gate wrote down beside its figures: conditions, what would settle it, examples, rules, and all decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from align.gate.checks import Check
from align.probes.areas import ACCURACY, FORGOTTEN, HARMS, OVER_REFUSALS
from dashboards.figures.gate_words import OUTCOMES, settled_by
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Line, Part
from dashboards.figures.shifts import of_check
from dashboards.figures.style import series_scale
from dashboards.findings.gate_verdicts import Gated
from dashboards.findings.safety import Safety

if TYPE_CHECKING:
    from pandas import DataFrame

    from dashboards.figures.page import Chart

FOLLOWED = (HARMS, OVER_REFUSALS, ACCURACY, FORGOTTEN)
STATUS = {"ok": "as it should be", "failed": "not as it should be", "not asked": "does not apply"}


def conditions(decision: Gated) -> Iterator[Figure]:
    """What must be as it should, beside the figures."""
    import pandas as pd

    found = [check for check in decision.checks if check.unit == "condition"]
    if not found:
        return
    rows = [(check.name, STATUS.get(check.status, check.status), check.said) for check in found]
    failed = sum(check.status == "failed" for check in found)
    yield Figure(
        name="conditions",
        title="Beside the figures",
        says=f"{failed} of {len(found)} conditions are not as they should be.",
        method="Each must be as it should be before a model is promoted; what does not apply does not count.",
        table=pd.DataFrame(rows, columns=["condition", "standing", "what was found"]),
    )


def needed(decision: Gated) -> Iterator[Figure]:
    """How much would settle what is not shown."""
    import pandas as pd

    if not decision.needed:
        return
    rows = [(each.name, each.have, each.prompts, settled_by(each)) for each in decision.needed]
    yield Figure(
        name="needed",
        title="What would settle it",
        says="How many questions would show what is not shown, if what was observed is the truth.",
        method="For a chance of 80% of showing it, if the truth is what has been observed.",
        table=pd.DataFrame(rows, columns=["figure", "questions now", "questions needed", "in words"]),
        formats={"questions now": "count", "questions needed": "count"},
    )


def examples(decision: Gated) -> Part:
    """Questions on which the model has become worse, with links to their answers."""
    import pandas as pd

    worse_on: dict[str, list[str]] = {}
    for each in decision.examples:
        worse_on.setdefault(each.prompt, []).append(each.check.partition(", ")[0])
    questions = {each.prompt: each.question for each in decision.examples}
    rows = [
        (questions[prompt], ", ".join(dict.fromkeys(axes)), f"/answers?prompt={prompt}")
        for prompt, axes in worse_on.items()
    ]
    table = Figure(
        name="became_worse",
        title="Questions on which it became worse",
        says=f"{n_of(len(rows), 'question')}, at most ten a figure.",
        method="The questions with the largest loss of each figure, overall and by mode, as the decision names them.",
        table=pd.DataFrame(rows, columns=["question", "worse", "answers"]),
        formats={"answers": "link"},
    )
    return Part("Became worse, for example", (table,))


def rules(findings: Safety) -> Part:
    """Which rules were registered, when."""
    import pandas as pd

    labels = {each.id: each.label for each in findings.models}
    rows = [
        (labels.get(each.model, each.model), each.at[:16].replace("T", " "), each.answers, each.hash[:12], key, value)
        for each in reversed(findings.rules)
        for key, value in sorted(each.settings.items(), key=lambda item: (not item[0].startswith("gate."), item[0]))
    ]
    columns = ["model", "registered (UTC)", "answers by then", "rules", "setting", "value"]
    table = Figure(
        name="rules",
        title="Rules as registered",
        says="Every setting that a decision depends on, as it was before the evaluation began.",
        method="Written into the ledger before the first held-out question or probe is asked; what is changed "
        "afterwards holds the model.",
        table=pd.DataFrame(rows, columns=columns),
        formats={"answers by then": "count"},
    )
    return Part("Written down beforehand", (table,))


def history(decisions: Sequence[Gated]) -> Part:
    """All decisions, and what became of the main figures from round to round."""
    figures = [_decisions(decisions)]
    levels = _levels(decisions)
    if levels["round"].nunique() > 1:
        figures.insert(0, _over_rounds(levels))
    forced = [each for each in decisions if each.forced]
    lines = tuple(
        Line(
            f"{each.label} was {'promoted' if each.promoted else 'withdrawn'} by force on {each.when[:10]}: "
            f"“{each.forced}”; by the rules it was {OUTCOMES.get(each.outcome, 'not decided')}.",
            "warning",
        )
        for each in forced
    )
    return Part("Decisions over rounds", tuple(figures), lines)


def _decisions(decisions: Sequence[Gated]) -> Figure:
    import pandas as pd

    rows = [
        (
            each.label,
            each.when[:16].replace("T", " "),
            OUTCOMES.get(each.outcome, "before there were rules"),
            "yes" if each.promoted else "no",
            each.forced,
            *_superiority(each.superiority),
            "; ".join(each.reasons),
            "" if each.holds else "replaced later",
        )
        for each in decisions
    ]
    columns = ["model", "decided (UTC)", "by the rules", "promoted", "forced because", "win rate", "from", "to"]
    table = pd.DataFrame(rows, columns=[*columns, "questions", "win rate by", "reasons", "standing"])
    return Figure(
        name="decisions",
        title="All decisions",
        says=f"{n_of(len(rows), 'decision')}, the newest first.",
        method="As the ledger holds them; the last decision on a model holds. Win rates are against the policy, and "
        "those that the gate went by: where surgeons have rated enough, theirs together with the judge's.",
        table=table.astype(dict.fromkeys(("win rate", "from", "to"), "float64")),
        formats={"win rate": "percent", "from": "percent", "to": "percent", "questions": "count"},
    )


def _superiority(found: Check) -> tuple[float | None, float | None, float | None, int, str]:
    """The win rate with its interval, its questions, and whose it is."""
    return found.after, found.low, found.high, found.n_prompts, found.said.removeprefix("by ")


def _levels(decisions: Sequence[Gated]) -> DataFrame:
    """The main figures of the models of each round, both modes together; exam accuracy as the mean of its modes."""
    import pandas as pd

    rows = []
    for each in decisions:
        for axis in FOLLOWED if each.holds else ():
            own = [found for check in each.checks if (found := of_check(check)) and found.axis == axis]
            whole = [shift for shift in own if not shift.mode] or own
            n = sum(shift.n for shift in whole)
            if n:
                level = sum(shift.after * shift.n for shift in whole) / n
                rows.append((each.round, each.label, axis, level, n))
    return pd.DataFrame(rows, columns=["round", "model", "figure", "share", "questions"])


def _over_rounds(levels: DataFrame) -> Figure:
    return Figure(
        name="over_rounds",
        title="From round to round",
        says="Harm, over-refusal, exam accuracy and general abilities of each round's model.",
        method="Shares of each round's model on the probes of that round's decision; modes weighted by questions. "
        "Harm and over-refusal should stay low, exam accuracy and general abilities high.",
        table=levels,
        chart=_lines(levels),
        formats={"share": "percent", "questions": "count"},
    )


def _lines(levels: DataFrame) -> Chart:
    import altair as alt

    colours, dashes = series_scale([axis for axis in FOLLOWED if axis in set(levels["figure"])])
    legend: Any = alt.Legend(orient="bottom", columns=1, title=None, symbolOpacity=1)
    drawn = alt.Chart(levels).encode(
        x=alt.X("round:O", title="round", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("figure:N", scale=colours, legend=legend),
        tooltip=[
            alt.Tooltip("model:N"),
            alt.Tooltip("figure:N"),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("questions:Q"),
        ],
    )
    line = drawn.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("figure:N", scale=dashes, legend=legend))
    return alt.layer(line, drawn.mark_point(size=60, filled=True, opacity=1)).properties(height=340)
