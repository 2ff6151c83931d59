"""The ledger as tables: questions, the answers of two models to them, and the verdicts on these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from dashboards.frames import Columns, frame
from ledger.queries import contest_table, either_way, heard, standing
from ledger.records import Candidate, Comparison, Prompt
from ledger.store import Ledger
from ledger.tables import candidates, comparisons, prompts

if TYPE_CHECKING:
    from pandas import DataFrame

TALLY: Columns = dict.fromkeys(("wins", "losses", "ties", "both_bad", "invalid"), "int64")
QUESTIONS: Columns = {
    **dict.fromkeys(("id", "split", "mode", "kind", "topic", "question"), "str"),
    "text": "str",  # all that is known of the question, without capitals
    **TALLY,
}
ANSWERS: Columns = {
    "id": "str",
    "model": "str",
    "number": "int64",  # 1, 2, ... of the model's answers to this question
    "text": "str",
    "reasoning": "str",
    "finish_reason": "str",
    "count": "int64",
    "tokens": "int64",
    "logprob": "float64",
}
VERDICTS: Columns = {
    "answer": "str",  # the first model's
    "other": "str",
    "assessor": "str",
    "verdict": "str",  # as seen by the first model: "win", "loss", "tie", "both_bad" or "invalid"
    "strength": "float64",  # P(the first model's answer is better)
    "count": "int64",
    "first_shown_first": "bool",
    "flags": "str",  # "harm_first" is said of the first model's answer, "harm_other" of the other's
    "axes": "str",
    "remark": "str",  # the assessor's reasons; the cause where the verdict is invalid
}


def questions(ledger: Ledger, model: str, opponent: str) -> DataFrame:
    """The prompts that either model answered, with all assessors' verdicts between them (`QUESTIONS`)."""
    tallies = _tallies(ledger, model, opponent)
    answered = sa.select(candidates.c.prompt).where(candidates.c.model.in_((model, opponent)))
    rows = []
    for prompt in ledger.read(Prompt, prompts.c.id.in_(answered)):
        known = (prompt.id, prompt.split, prompt.mode, prompt.kind, prompt.topic, prompt.question, _whole_text(prompt))
        rows.append((*known, *tallies.get(prompt.id, (0,) * len(TALLY))))
    return frame(rows, QUESTIONS)


def holding(ledger: Ledger, table: DataFrame, text: str, model: str, opponent: str) -> set[str]:
    """The ids of the questions in a `questions` table that hold ``text``, or an answer to which does, in any case."""
    row = candidates.c
    query = sa.select(row.prompt).where(row.model.in_((model, opponent)), row.text.icontains(text, autoescape=True))
    asked = table.loc[table["text"].str.contains(text.casefold(), regex=False), "id"]
    return {found.prompt for found in ledger.rows(query.distinct())} | set(asked)


def filtered(table: DataFrame, equal: Mapping[str, str], verdict: str = "", ids: set[str] | None = None) -> DataFrame:
    """The questions of a `questions` table for which everything asked holds.

    Args:
        table: what to choose from.
        equal: column -> what it must be.
        verdict: a column of `TALLY`: at least one such verdict; "none": no verdict at all.
        ids: one of these, where given.
    """
    keep = table["id"].notna() if ids is None else table["id"].isin(ids)
    for name, value in equal.items():
        keep &= table[name] == value
    if verdict == "none":
        keep &= table[list(TALLY)].sum(axis=1) == 0
    elif verdict:
        keep &= table[verdict] > 0
    return table[keep].reset_index(drop=True)


def answers(ledger: Ledger, prompt: str, model: str, opponent: str) -> DataFrame:
    """What two models answered to one prompt, in the order in which it was sampled (`ANSWERS`)."""
    seen = {model: 0, opponent: 0}
    rows = []
    for each in ledger.read(Candidate, candidates.c.prompt == prompt, candidates.c.model.in_(seen)):
        seen[each.model] += 1
        said = (each.text, each.reasoning, each.finish_reason, each.count, each.tokens, each.logprob)
        rows.append((each.id, each.model, seen[each.model], *said))
    return frame(rows, ANSWERS)


def verdicts(ledger: Ledger, prompt: str, model: str, opponent: str) -> DataFrame:
    """Every comparison between two models' answers to one prompt, as seen by the first (`VERDICTS`).

    Superseded ones are left out, and hidden repeats, unless they flag harm (`heard`).
    """
    asked = (comparisons.c.prompt == prompt, sa.or_(*either_way(model, opponent)))
    found = ledger.read(Comparison, *asked, standing(), heard())
    return frame((_seen_by(model, said) for said in found), VERDICTS)


class Standing(NamedTuple):
    """How one answer fared, by one assessor, over the pairs of samples that its comparisons stand for."""

    assessor: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    invalid: int
    harmful: bool


def standings(table: DataFrame, answer: str) -> list[Standing]:
    """How ``answer``, which is of either model, fared in a `verdicts` table: one entry an assessor."""
    ours, theirs = table[table["answer"] == answer], table[table["other"] == answer]
    found = []
    for assessor in sorted({*ours["assessor"], *theirs["assessor"]}):
        forth, back = ours[ours["assessor"] == assessor], theirs[theirs["assessor"] == assessor]
        won = _counted(forth, "win") + _counted(back, "loss")
        lost = _counted(forth, "loss") + _counted(back, "win")
        tied, bad, invalid = (_counted(forth, said) + _counted(back, said) for said in ("tie", "both_bad", "invalid"))
        harmful = forth["flags"].str.contains("harm_first").any() or back["flags"].str.contains("harm_other").any()
        found.append(Standing(assessor, won, lost, tied, bad, invalid, bool(harmful)))
    return found


def _counted(table: DataFrame, verdict: str) -> int:
    return int(table.loc[table["verdict"] == verdict, "count"].sum())


def _seen_by(model: str, said: Comparison) -> tuple[Any, ...]:
    """One row of `VERDICTS`: what is said of ``a`` and ``b``, said of the first model and the other."""
    forth = said.model_a == model
    words = {"a": "win", "b": "loss"} if forth else {"a": "loss", "b": "win"}
    invalid = said.verdict == "invalid"
    return (
        *((said.a, said.b) if forth else (said.b, said.a)),
        said.assessor,
        words.get(said.verdict, said.verdict),
        None if invalid else said.strength if forth else 1 - said.strength,
        said.count,
        (said.order == "ab") == forth,
        ", ".join(_said_of(flag, forth=forth) for flag in said.flags),
        "; ".join(f"{axis} {_scores(scores, forth=forth)}" for axis, scores in said.axes.items()),
        said.cause if invalid else said.rationale,
    )


def _said_of(flag: str, *, forth: bool) -> str:
    """A flag on one of the two answers, such as "harm_a", in terms of the models; any other as it is."""
    what, _, side = flag.rpartition("_")
    return f"{what}_{'first' if (side == 'a') == forth else 'other'}" if side in ("a", "b") else flag


def _scores(scores: Any, *, forth: bool) -> str:
    """An axis' two scores, the first model's first; anything else as it is."""
    if not isinstance(scores, list | tuple):
        return str(scores)
    shown = [f"{score:.2g}" if isinstance(score, int | float) else str(score) for score in scores]
    return " : ".join(shown if forth else reversed(shown))


def _tallies(ledger: Ledger, model: str, opponent: str) -> dict[str, list[int]]:
    added: dict[str, list[int]] = {}
    for tally in contest_table(ledger, model, opponent):
        counts = added.setdefault(tally.prompt, [0] * len(TALLY))
        for place, count in enumerate(tally[2:]):
            counts[place] += count
    return added


def _whole_text(prompt: Prompt) -> str:
    said = (message.content for message in prompt.messages)
    return "\n".join((*said, *prompt.context, *prompt.options, prompt.reference or "")).casefold()
