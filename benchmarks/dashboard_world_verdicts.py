"""Answers and verdicts of the generated ledger, written down as the stages do: train, held-out, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from align.scores import PromptScore
from annotate.assessor_kinds import SURGEON
from annotate.passport import passport
from annotate.passport_contests import Setting, contests_of
from benchmarks.dashboard_world_answers import Answer, Answering, Question, question_of
from benchmarks.dashboard_world_judging import LARGE, SMALL, Contest, Judging, Nature, contest
from ledger.records import Comparison, Prompt
from ledger.tables import comparisons as table
from ledger.workspace import Workspace
from sampling.engines.protocol import batches

AT_ONCE = 20_000  # prompts: few large appends are sooner done than many small ones
MOST_PAIRS = 4_000  # of a round
EXAMINED = 3_000  # contests that a passport in the log is of


class Verdicts:
    """What is answered and judged; models by their numbers."""

    def __init__(
        self,
        workspace: Workspace,
        answering: Answering,
        held: Sequence[Prompt],
        seed: int,
        later: Callable[[float], None],
    ) -> None:
        """``held``: the held-out questions; ``later`` lets so many seconds pass."""
        self.workspace, self.answering, self.held, self.later = workspace, answering, held, later
        self.judging = Judging(answering.models, seed)
        self.answers: list[list[Answer]] = []  # of each model, to the held-out questions

    def on_train(self, prompts: Sequence[Prompt], policy: int) -> list[Comparison]:
        """Two answers of the policy to each, compared; the comparisons of as many as pairs are made of."""
        kept: list[Comparison] = []
        met: list[Contest] = []
        with self.workspace.stage("sample", model=self.answering.models[policy], split="train") as outcome:
            for some in batches(prompts, AT_ONCE):
                drawn = self.answering.answers(some, policy, 2)
                self.workspace.ledger.append(candidate for candidate, _ in drawn)
                pairs = zip(some, drawn[::2], drawn[1::2], strict=True)
                met += [contest(question_of(prompt), one[1], other[1]) for prompt, one, other in pairs]
            outcome.update(candidates=2 * len(prompts), prompts=len(prompts), split="train")
        for said in self._judge(met, LARGE, (policy,), "train"):
            kept += said if len(kept) < 3 * MOST_PAIRS else []
        return kept

    def answer_held_out(self, model: int) -> None:
        """An answer of the newest model to each held-out question."""
        found: list[Answer] = []
        with self.workspace.stage("sample", model=self.answering.models[model], split="eval") as outcome:
            for some in batches(self.held, AT_ONCE):
                drawn = self.answering.answers(some, model)
                self.workspace.ledger.append(candidate for candidate, _ in drawn)
                found += [answer for _, answer in drawn]
            outcome.update(candidates=len(found), prompts=len(found), split="eval")
        self.answers.append(found)

    def on_held_out(self, model: int, policy: int) -> tuple[list[Contest], list[Comparison], list[PromptScore]]:
        """The new model against its policy, and against SFT where that is another one."""
        met = self._met(model, policy)
        first: list[Comparison] = []
        scores: list[PromptScore] = []
        for said in self._judge(met, LARGE, (model, policy), "eval"):
            first += said if len(first) < 3 * EXAMINED else []
            scores += _scores(said, self.answering.models[model])
        if policy:
            for _ in self._judge(self._met(model, 0), LARGE, (model, 0), "eval"):
                pass
        return met, first, scores

    def examine(self, said: Sequence[Comparison]) -> None:
        """A passport in the log, as `wardround judge --passport` writes one, of a part of the round."""
        asked = [each for each in said if each.assessor == LARGE.name]
        settings = {prompt.id: Setting(prompt.mode, prompt.topic) for prompt in self.held}
        with self.workspace.stage("passport", assessor=LARGE.name) as outcome:
            made = passport(LARGE.name, contests_of(asked, {}, settings=settings), resamples=500)
            outcome.update(made.facts())

    def fill_up(self, comparisons: int, rounds: int) -> None:
        """What is left of the comparisons is another judge's, on the newest rounds."""
        ledger = self.workspace.ledger
        left = comparisons - ledger.count(Comparison, ~table.c.assessor.startswith(SURGEON))
        newest = reversed(range(1, rounds + 1))
        met = (each for number in newest for each in self._met(number, 0))
        while left > 0 and (some := list(islice(met, AT_ONCE))):
            said = list(self.judging.judged([_open_to_judges(each) for each in some], SMALL))
            ledger.append(_first(said, left))
            left -= sum(isinstance(each, Comparison) for each in said)
            self.later(60)

    def _met(self, model: int, opponent: int) -> list[Contest]:
        both = zip(self.held, self.answers[model], self.answers[opponent], strict=True)
        return [contest(question_of(prompt), ours, theirs) for prompt, ours, theirs in both]

    def _judge(
        self, met: Sequence[Contest], nature: Nature, models: Sequence[int], split: str
    ) -> Iterator[list[Comparison]]:
        """Judge contests and write it down, some at a time."""
        ids = [self.answering.models[each] for each in models]
        with self.workspace.stage("judge", assessors=[nature.name], models=ids, split=split) as outcome:
            new = 0
            for some in batches(met, AT_ONCE):
                said = list(self.judging.judged(some, nature))
                self.workspace.ledger.append(said)
                found = [each for each in said if isinstance(each, Comparison)]
                new += len(found)
                self.later(len(found) / 40)
                yield found
            outcome.update(new=new, known=0, assessors={nature.name: {"new": new, "cost": new * nature.cost}})


def _open_to_judges(each: Contest) -> Contest:
    """Without the answer key, which has decided already."""
    question = each.question
    return Contest(Question(question.id, question.mode, question.topic, ""), each.a, each.b)


def _first(said: Iterable[object], most: int) -> Iterator[Comparison]:
    """The first so many comparisons, and the calls that go before them."""
    left = most
    for each in said:
        if isinstance(each, Comparison):
            left -= 1
        if left < 0:
            return
        yield each  # type: ignore[misc]


def _scores(said: Sequence[Comparison], model: str) -> Iterator[PromptScore]:
    """Each contest is a prompt's only one here."""
    by_prompt: dict[str, list[float | None]] = {}
    for each in said:
        points = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}.get(each.verdict)
        ours = points if points is None or each.model_a == model else 1 - points
        by_prompt.setdefault(each.prompt, []).append(ours)
    for prompt, every in by_prompt.items():
        valid = [points for points in every if points is not None]
        yield PromptScore(prompt, sum(valid), len(valid), len(every) - len(valid))
