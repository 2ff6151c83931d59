"""What the page "Judge" says of one judge: the plain sentence, how far to trust it, what sways it, what it costs."""

from __future__ import annotations

from align.gate.conditions import LEAST_RATED
from annotate.bootstrap import Estimate
from dashboards.figures.estimates import interval, percent
from dashboards.figures.judge_bias import bias_part, invalid_part
from dashboards.figures.judge_cost import cost_part
from dashboards.figures.judge_surgeons import missing_reference, surgeons_part
from dashboards.figures.judge_time import time_part
from dashboards.figures.judge_trust import attack_part, trust_part
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Line, Missing, Page, Part
from dashboards.findings.judges import Judge, Judges


def judges_page(findings: Judges, judge: str | None = None) -> Page:
    """The whole page, of the judge of this name; by default of the first, which is the configured one."""
    chosen = chosen_judge(findings, judge)
    if chosen is None:
        waiting = f" ({', '.join(findings.waiting)} is configured)" if findings.waiting else ""
        return Page(missing=Missing(f"No judge has compared answers yet{waiting}.", "wardround judge"))
    parts: list[Part | None] = [
        trust_part(chosen),
        time_part(chosen, findings.limits),
        surgeons_part(chosen, findings),
        bias_part(chosen),
        invalid_part(chosen),
        attack_part(chosen),
        cost_part(chosen, priced=findings.priced),
    ]
    return Page(headline(chosen), notes(chosen, findings), tuple(part for part in parts if part))


def chosen_judge(findings: Judges, name: str | None) -> Judge | None:
    """The judge of this name, else the first; None where there is none."""
    return next((each for each in findings.judges if each.name == name), next(iter(findings.judges), None))


def headline(judge: Judge) -> Line:
    """How far it can be trusted, in one sentence."""
    said = judge.passport
    agrees, flips = said.surgeons.raw, said.order.consistency
    changes = None if flips.estimate is None else f"changes its verdict with the order in {percent(1 - flips.estimate)}"
    if agrees.estimate is None:
        other = f"it {changes}" if changes else f"{_invalid(said.invalid)} of its verdicts are invalid"
        return Line(f"No surgeon has checked {judge.name} yet; {other}.", "warning")
    few = ": too few to say" if agrees.n_items < LEAST_RATED else ""
    share = f"{percent(agrees.estimate)} of {n_of(agrees.n_items, 'contest')}, {interval(agrees, said.confidence)}"
    rest = f"; it {changes}" if changes else ""
    return Line(
        f"{judge.name} agrees with surgeons on {share}{few}{rest}.", "warning" if judge.fit is False else "plain"
    )


def notes(judge: Judge, findings: Judges) -> tuple[Line, ...]:
    """What must be known to read the sentence: what it is, by which rubric, and what the gate makes of it."""
    kind = "A computed metric, neither an LLM nor a surgeon" if judge.metric else "An LLM judge"
    compared = f"{judge.n_comparisons:,} verdicts on {judge.n_prompts:,} questions, by {', '.join(judge.rubrics)}"
    lines = [Line(f"{kind}. {compared}.")]
    if judge.configured and not judge.present:
        lines.append(Line("By the present rubric it has judged nothing yet: wardround judge", "warning"))
    if not judge.configured:
        lines.append(Line("It is not in the present configuration.", "plain"))
    if judge.fit is False:
        lines.append(Line(f"The promotion gate does not accept this judge: {judge.found}.", "warning"))
    elif judge.fit:
        lines.append(Line(f"The promotion gate accepts this judge: {judge.found}."))
    missing = missing_reference(judge, findings)
    if missing:
        lines.append(Line(f"{missing.what} {missing.command}", "warning"))
    if findings.waiting:
        lines.append(Line(f"Configured, and has not judged yet: {', '.join(findings.waiting)}. wardround judge"))
    return tuple(lines)


def _invalid(share: Estimate) -> str:
    return "none" if not share.estimate else percent(share.estimate)
