"""What a model is asked beside the held-out questions of its win rate: probes, exam questions, references, texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from align.probes.areas import EXAM
from align.probes.option_orders import REORDERED, Showing, orders, reordered, showings
from align.probes.sets import Asked, probe_sets
from ledger.lots import lot
from ledger.records import Check, Prompt
from ledger.screen import say
from ledger.tables import prompts
from ledger.workspace import Workspace

READ: Check = "text"  # passages that are read, not answered


@dataclass(frozen=True)
class ProbePlan:
    """What every model of a comparison is asked.

    Attributes:
        probes: rows of the probe sets that are answered, but for exam questions
        passages: rows that are read
        questions: multiple-choice questions as they are written, by id
        showings: the orders in which these are shown
        fixed: questions whose options cannot change places and which are held out: not asked
        references: held-out open questions with a reference answer
    """

    probes: Sequence[Asked]
    passages: Sequence[Asked]
    questions: Mapping[str, Prompt]
    showings: Sequence[Showing]
    fixed: int
    references: Sequence[Prompt]

    @property
    def answered(self) -> list[str]:
        """The ids of all prompts that are answered."""
        return [*(each.prompt.id for each in self.probes), *(each.prompt.id for each in self.showings)]


def probe_plan(workspace: Workspace) -> ProbePlan:
    """The configured sets, and the exam questions and references of the ledger; what is new is entered into it.

    Raises:
        InputError: a probe set cannot be read.
    """
    plan = plan_of(workspace, probe_sets(workspace))
    workspace.ledger.append([each.prompt for each in plan.showings])
    return plan


def plan_of(workspace: Workspace, asked: Sequence[Asked]) -> ProbePlan:
    """The same for rows of probe sets that are known; nothing is entered."""
    config = workspace.config.probes
    held_out = {each.id: each for each in workspace.ledger.read(Prompt, prompts.c.split == "eval")}
    probes = _not_held_out([each for each in asked if not _is_exam(each) and each.probe.check != READ], held_out)
    others = {each.prompt.id for each in asked if not _is_exam(each)}
    known = workspace.ledger.read(Prompt, prompts.c.split == "probe", prompts.c.kind == "mcq")
    keyed = [
        prompt
        for prompt in (*held_out.values(), *known)
        if prompt.kind == "mcq"
        and prompt.answer
        and prompt.id not in others
        and not prompt.source.startswith(REORDERED)
    ]
    questions = _some(keyed, config.most_questions)
    shown = {prompt.id: _showings(prompt, config.orders) for prompt in questions}
    every = [each for some in shown.values() for each in some]
    referred = [prompt for prompt in held_out.values() if prompt.kind == "open" and prompt.reference]
    return ProbePlan(
        probes=probes,
        passages=[each for each in asked if each.probe.check == READ],
        questions={prompt.id: prompt for prompt in questions if shown[prompt.id]},
        showings=every,
        fixed=sum(not some for some in shown.values()),
        references=_some(referred, config.most_questions),
    )


def _is_exam(asked: Asked) -> bool:
    return asked.probe.area == EXAM and asked.probe.check == "option"


def _not_held_out(probes: Sequence[Asked], held_out: Mapping[str, Prompt]) -> list[Asked]:
    """Without the held-out questions: an answer of theirs would be one of the win rate."""
    kept = [each for each in probes if each.prompt.id not in held_out]
    if len(kept) < len(probes):
        said = "probes are held-out questions of this workspace; they are left out"
        say(f"Warning: {len(probes) - len(kept)} {said}")
    return kept


def _showings(prompt: Prompt, n: int) -> list[Showing]:
    """A held-out question is shown in other orders alone: its answers in the written one are those of the win rate."""
    if prompt.split == "probe":
        return showings(prompt, n)
    return [Showing(prompt.id, order, reordered(prompt, order)) for order in orders(prompt, n)]


def _some(found: Sequence[Prompt], most: int) -> list[Prompt]:
    """All, or a random sample that stays the same."""
    if not most or len(found) <= most:
        return list(found)
    return sorted(found, key=lambda prompt: lot("probed", prompt.id))[:most]
