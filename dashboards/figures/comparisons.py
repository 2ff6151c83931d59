"""Every comparison on one prompt, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from annotate.settle import UNDECIDED, settle
from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Line, Missing, Part
from dashboards.findings.answers import Said
from ledger.records import Verdict

CANONICAL: Mapping[str, Verdict] = {"win": "a", "loss": "b", "tie": "tie", "both_bad": "both_bad", "invalid": "invalid"}
WORDS = {"tie": "tie", "both_bad": "both bad", "invalid": "invalid"}
NO_COMPARISON = Missing(
    "No verdict on these answers yet. The judge compares answers to training questions, an evaluation compares two "
    "models on held-out ones.",
    "wardround judge\nwardround evaluate",
)
METHOD = (
    "One row a comparison. Superseded ones are left out, and hidden repeats too, unless they flag harm. Scores: the "
    "first answer's first. Pairs: how many pairs of samples it stands for; 0 is a hidden repeat that flags harm."
)


class _Opinion(NamedTuple):
    verdict: Verdict
    strength: float


def comparisons_part(said: Sequence[Said], names: Mapping[str, str]) -> Part:
    """All comparisons on a prompt; ``names``: what each answer is called, by id."""
    if not said:
        return Part("Comparisons", missing=NO_COMPARISON)
    return Part("", (comparisons_figure(said, names),))


def pair_line(said: Sequence[Said], left: str, right: str, names: Mapping[str, str]) -> Line:
    """What each assessor says of two answers, all orders taken together, in one sentence."""
    between = [each for each in said if {each.first, each.second} == {left, right}]
    if not between:
        return Line("Nobody has compared these two answers with each other.")
    told = [_opinion(some, names) for some in _by_assessor(between).values()]
    harmed = {_harmed(flag, each) for each in between for flag in each.flags} - {""}
    told += [f"critical harm flagged: {names[each]}" for each in (left, right) if each in harmed]
    return Line(f"{'; '.join(told)}.", "warning" if harmed else "plain")


def _by_assessor(said: Sequence[Said]) -> dict[str, list[Said]]:
    """What each said by the rubric that it used last, and that counts."""
    counting = [each for each in said if each.count]
    last = {each.assessor: each.rubric for each in counting}
    found: dict[str, list[Said]] = {}
    for each in counting:
        if each.rubric == last[each.assessor]:
            found.setdefault(each.assessor, []).append(each)
    return found


def _opinion(said: Sequence[Said], names: Mapping[str, str]) -> str:
    settled = settle([_Opinion(CANONICAL[each.verdict], UNDECIDED) for each in said])
    won = {"a": said[0].first, "b": said[0].second}.get(settled.verdict)
    if won:
        return f"{said[0].assessor} prefers {names[won]}"
    if settled.flipped:
        return f"{said[0].assessor} flipped with the order, which is a tie"
    return f"{said[0].assessor} says {WORDS[settled.verdict]}"


def _harmed(flag: str, said: Said) -> str:
    return {"harm_first": said.first, "harm_second": said.second}.get(flag, "")


def comparisons_figure(said: Sequence[Said], names: Mapping[str, str]) -> Figure:
    """The table."""
    import pandas as pd

    table = pd.DataFrame(
        [
            {
                "first": names[each.first],
                "second": names[each.second],
                "better": _better(each, names),
                "assessor": each.assessor,
                "P(first is better)": each.strength,
                "flags": ", ".join(_flag(flag, each, names) for flag in each.flags),
                "remark": each.remark,
                "scores": each.axes,
                "shown first": names[each.first if each.first_shown_first else each.second],
                "pairs": each.count,
                "rubric": each.rubric,
            }
            for each in said
        ]
    )
    table = table.drop(columns=[name for name in ("flags", "remark", "scores", "rubric") if not table[name].any()])
    by = len({each.assessor for each in said})
    return Figure(
        "comparisons",
        "Every comparison on this question",
        f"{n_of(len(said), 'comparison')} by {n_of(by, 'assessor')}.",
        METHOD,
        table,
        formats={"P(first is better)": "number", "pairs": "count"},
    )


def _better(said: Said, names: Mapping[str, str]) -> str:
    won = {"win": said.first, "loss": said.second}.get(said.verdict)
    return names[won] if won else WORDS.get(said.verdict, said.verdict)


def _flag(flag: str, said: Said, names: Mapping[str, str]) -> str:
    what, _, side = flag.rpartition("_")
    which = {"first": said.first, "second": said.second}.get(side)
    return f"{what}: {names[which]}" if which else flag.replace("_", " ")
