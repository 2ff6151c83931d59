"""Which contests surgeons reviewed, and what everybody said of them: what assessors are measured by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from annotate.assessor_kinds import SIMULATED, SURGEON
from annotate.mcq import ASSESSOR as KEY
from annotate.reliability import Reviewed
from annotate.settle import settle
from ledger.queries import ComparisonRow, comparisons_by_prompt
from ledger.store import Ledger
from ledger.tables import comparisons, prompts


def reviewed_contests(ledger: Ledger) -> Iterator[Reviewed]:
    """The contests of train prompts on which a surgeon gave a valid verdict, whoever's answers they are of.

    Held-out prompts stay out, as what is measured here decides on what is trained. So do corrections: their author
    prefers them.
    """
    row = comparisons.c
    by_surgeons = row.assessor.startswith(SURGEON, autoescape=True)
    chances = {each.id: each.selection_probability for each in ledger.rows(_chances(by_surgeons))}
    if not chances:
        return
    corrections = sa.or_(row.model_a.startswith(SURGEON), row.model_b.startswith(SURGEON))
    train = sa.select(prompts.c.id).where(prompts.c.split == "train")
    asked = sa.select(row.prompt).where(by_surgeons)
    for _, rows in comparisons_by_prompt(ledger, row.prompt.in_(asked), row.prompt.in_(train), ~corrections):
        yield from reviewed_of(rows, chances)


def _chances(by_surgeons: sa.ColumnElement[bool]) -> sa.Select[tuple[str, float]]:
    return sa.select(comparisons.c.id, comparisons.c.selection_probability).where(by_surgeons)


def reviewed_of(rows: Sequence[ComparisonRow], chances: Mapping[str, float]) -> Iterator[Reviewed]:
    """The reviewed contests of one prompt.

    Of a contest that was sent twice, from a random queue and from a routed one, the likelier way counts.

    Args:
        rows: the prompt's comparisons, in the order of their ids.
        chances: id of a surgeon's comparison -> its selection probability.
    """
    contests: dict[tuple[str, str], dict[str, list[ComparisonRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.verdict != "invalid" and not row.hidden:
            contests[row.a, row.b][row.assessor].append(row)
    for said in contests.values():
        stated = {who: settle(theirs).strength for who, theirs in said.items()}
        surgeons = {who: strength for who, strength in stated.items() if who.startswith(SURGEON)}
        if surgeons:
            machines = {
                who: strength
                for who, strength in stated.items()
                if who not in surgeons and who != KEY and not who.startswith(SIMULATED)
            }
            yield Reviewed(surgeons, machines, max(chances[row.id] for who in surgeons for row in said[who]))
