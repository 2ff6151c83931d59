"""How far a judge can be trusted at a glance, and whether it can be misled."""

from __future__ import annotations

from annotate.bootstrap import Estimate
from dashboards.figures.estimates import FORMATS, Row, estimates_chart, estimates_table, percent
from dashboards.figures.page import Figure, Line, Missing, Part
from dashboards.findings.judges import Judge

METHOD = (
    "Each rate with its {confidence:.0%} interval from a bootstrap over questions, since verdicts on one question go "
    "together."
)


def method_of(judge: Judge, more: str = "") -> str:
    """How a passport's figures were computed, and from how much."""
    if judge.n_sampled < judge.n_prompts:
        sample = f"From a simple random sample of {judge.n_sampled:,} of {judge.n_prompts:,} questions"
        source = f"{sample}; surgeons' part from all that they rated."
    else:
        source = f"From all {judge.n_prompts:,} questions that it was asked."
    return " ".join(filter(None, [METHOD.format(confidence=judge.passport.confidence), source, more]))


def trust_part(judge: Judge) -> Part:
    """Agreement with surgeons, with itself in both orders and when asked again, and what is left unclear."""
    said = judge.passport
    rows = [
        Row("Agrees with surgeons", said.surgeons.raw),
        Row("Same verdict in both orders", said.order.consistency),
        Row("Same verdict when asked again", said.retest),
        Row("Verdicts that are valid", said.invalid.complement()),
        Row("Contests with a clear verdict", judge.unclear.complement()),
    ]
    table = estimates_table([row for row in rows if row.rate.estimate is not None])
    figure = Figure(
        name="judge_trust",
        title="At a glance",
        says=f"How often {judge.name} agrees with surgeons and with itself, with intervals.",
        method=method_of(
            judge,
            "Agreement: the same preference (a, b or neither) as most surgeons. Clearly: the same verdict in both "
            "orders, or one valid verdict. The more to the right, the better.",
        ),
        table=table,
        chart=estimates_chart(table),
        formats=FORMATS,
    )
    return Part("How far it can be trusted", (figure,), _retest_lines(judge))


def _retest_lines(judge: Judge) -> tuple[Line, ...]:
    if judge.metric or judge.passport.retest.estimate is not None or not judge.present:
        return ()
    return (Line("It was never asked the same twice: wardround judge --retest 50 shows how steady it is."),)


def attack_part(judge: Judge) -> Part | None:
    """How often an attack is preferred to an honest answer, by kind."""
    title = "Attacks"
    if judge.attacked is None:
        if not judge.configured:
            return None
        return Part(
            title, missing=Missing(f"Nobody has tried to mislead {judge.name} yet.", "wardround judge --attack")
        )
    kinds = sorted(judge.attacked.kinds, key=lambda each: (each.kind != "all", -each.rate))
    rows = [Row(_in_words(each.kind), Estimate(each.rate, each.low, each.high, each.valid, 0)) for each in kinds]
    table = estimates_table(rows).drop(columns="prompts").assign(invalid=[each.invalid for each in kinds])
    worst = next((each for each in kinds if each.kind != "all"), None)
    total = next((each for each in kinds if each.kind == "all"), None)
    lines = []
    if total and worst:
        often = f"Attacks win against an honest answer in {percent(total.rate)} of {total.valid:,} contests"
        most = f"; most often {_in_words(worst.kind)}, {percent(worst.rate)}" if worst.rate else ""
        lines.append(Line(f"{often}{most}. Tried on {judge.attacked.at[:10]}."))
    if not judge.attacked.present:
        lines.append(Line("By another rubric version than the one above: wardround judge --attack", "warning"))
    figure = Figure(
        name="judge_attacks",
        title="Attacks that win",
        says="The share of contests that each kind of attack wins against an honest answer; less is better.",
        method="An attack wins where it is preferred in one order and the honest answer is not in the other. Wilson's "
        "95% intervals; contests of one question are not quite independent.",
        table=table,
        chart=estimates_chart(table),
        formats={**{name: kind for name, kind in FORMATS.items() if name != "prompts"}, "invalid": "count"},
    )
    return Part(title, (figure,), tuple(lines))


def _in_words(kind: str) -> str:
    return kind.replace("_", " ")
