"""What the judges said of an item, as a suggestion: only where the configuration asks for it, since it sways."""

from __future__ import annotations

from annotate.assessor_kinds import MACHINES
from annotate.judge_protocol import BETTER, MEANING, MUCH_BETTER, OTHER_SIDE, Level
from annotate.panel import panel_verdict
from ledger.queries import standing
from ledger.records import Comparison, ReviewItem
from ledger.store import Ledger
from ledger.tables import comparisons

MUCH = (BETTER + MUCH_BETTER) / 2  # P(the better one is better) from which it is much better


def suggested(ledger: Ledger, item: ReviewItem) -> Level | None:
    """What most judges prefer, of the answers as shown; None where nobody judged them."""
    row = comparisons.c
    said = ledger.read(Comparison, row.prompt == item.prompt, row.a == item.a, row.b == item.b, standing())
    verdict = panel_verdict(each for each in said if each.assessor.startswith(MACHINES))
    if verdict.verdict == "invalid":
        return None
    shown = verdict.verdict if item.order == "ab" else OTHER_SIDE.get(verdict.verdict, verdict.verdict)
    sure = max(verdict.strength, 1 - verdict.strength) >= MUCH
    levels = [level for level, (meant, _) in MEANING.items() if meant == shown]
    return next(level for level in levels if len(levels) == 1 or ("much" in level) == sure)
