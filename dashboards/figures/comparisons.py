"""Every comparison on one prompt, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards.figures.numbers import n_of
from dashboards.figures.page import Figure, Line, Missing, Part
from dashboards.findings.answers import Opinion, Said, harmed, opinions

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
    told = [_told(each, names) for each in opinions(between)]
    flagged = {answer for each in between for answer in harmed(each)}
    told += [f"critical harm flagged: {names[each]}" for each in (left, right) if each in flagged]
    return Line(f"{'; '.join(told)}.", "warning" if flagged else "plain")


def _told(said: Opinion, names: Mapping[str, str]) -> str:
    won = {"win": said.first, "loss": said.second}.get(said.verdict)
    if won:
        return f"{said.assessor} prefers {names[won]}"
    if said.flipped:
        return f"{said.assessor} flipped with the order, which is a tie"
    return f"{said.assessor} says {WORDS[said.verdict]}"


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
