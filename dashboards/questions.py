"""The ledger as tables: questions, the answers of two models to them, and the verdicts on these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dashboards.frames import Columns, frame
from ledger.queries import contest_table
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
    "flags": "str",
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
    """Every comparison between two models' answers to one prompt, as seen by the first (`VERDICTS`)."""
    row = comparisons.c
    forth = sa.and_(row.model_a == model, row.model_b == opponent)
    back = sa.and_(row.model_a == opponent, row.model_b == model)
    found = ledger.read(Comparison, row.prompt == prompt, sa.or_(forth, back))
    return frame((_seen_by(model, said) for said in found), VERDICTS)


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
        ", ".join(said.flags if forth else map(_swapped, said.flags)),
        "; ".join(f"{axis} {_scores(scores, forth=forth)}" for axis, scores in said.axes.items()),
        said.cause if invalid else said.rationale,
    )


def _swapped(flag: str) -> str:
    return {"harm_a": "harm_b", "harm_b": "harm_a"}.get(flag, flag)


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
