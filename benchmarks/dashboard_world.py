"""A ledger as it is after many rounds, for the dashboard: a million comparisons, and all else that its pages show.

    python benchmarks/dashboard_world.py WORKSPACE [--comparisons 1000000] [--rounds 12] [--seed 0]

Nothing is asked of any model: texts are sentences of the bundled references, and each answer has a hidden quality that
grows with the rounds, by which judges and surgeons decide with errors of their own. Records, ids, seals, stages,
queues, the gate's rules and its reasons are the real ones. Times stand as if the rounds had been walked every few days
until now. The main judge's calls are left out (they would double the time that it takes); the other judge's are there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from align.scores import PromptScore
from annotate.passport import passport
from annotate.passport_contests import Setting, contests_of
from annotate.review.surgeons import SURGEONS_FILE
from benchmarks.dashboard_world_answers import Answer, Answering, Planned, Question, made_prompts, planned, question_of
from benchmarks.dashboard_world_gate import Probing, decided, opened_round
from benchmarks.dashboard_world_judging import LARGE, SMALL, Contest, Judging, Nature, contest
from benchmarks.dashboard_world_reviews import SETTINGS, Reviewing
from benchmarks.dashboard_world_training import begin_training, made_pairs, train, weights_in
from ledger.config import CONFIG_NAME
from ledger.records import Candidate, Comparison, ModelVersion, Prompt
from ledger.tables import comparisons as table
from ledger.weights import weights_hash
from ledger.workspace import Workspace, open_workspace
from sampling.engines.protocol import batches

COMPARISONS, ROUNDS = 1_000_000, 12
AT_ONCE = 20_000  # prompts: few large appends are sooner done than many small ones
MOST_PAIRS = 4_000  # of a round
REVIEWED = 2_500  # contests of a round that a push chooses from
EXAMINED = 3_000  # contests that a passport in the log is of
PUSHES = 3  # of the last rounds
DAYS_PER_ROUND = 4
HUNDRED_PER_DAY = 0.05  # surgeons rate for an hour or so a day: their seconds pass this much more slowly
CONFIG = """\
# A generated ledger: see benchmarks/dashboard_world.py.

[judge]
model = "large"
base_url = "http://127.0.0.1:9/v1"

[sample]
engine = "vllm"
n = 2

[evaluate]
resamples = 10000

[review]
minutes = 200

[probes]
most_questions = 300

[gate]
exam_accuracy = 0.2
forgetting = 0.2
win_rate_by_mode = 0.1
"""


class Clock:
    """Stands in for the ledger's clock; in Unix milliseconds."""

    def __init__(self, now: float) -> None:
        """``now``: in Unix seconds."""
        self.now = now

    def __call__(self) -> int:
        """The time, which never stands still."""
        self.now += 0.01
        return int(self.now * 1000)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True)
class Size:
    """How much there is."""

    comparisons: int
    rounds: int

    @property
    def prompts(self) -> int:
        """A train prompt is compared once in both orders; a held-out one in each round against SFT and the policy."""
        a_prompt = 0.8 * 2 + 0.2 * 2 * (2 * self.rounds - 1)
        return int(self.comparisons / a_prompt)


def make_world(
    root: Path, comparisons: int = COMPARISONS, rounds: int = ROUNDS, seed: int = 0, now: float | None = None
) -> None:
    """Write a workspace with so many comparisons by judges and the answer key.

    Args:
        root: a folder that is not there yet.
        comparisons: how many; the surgeons' come on top.
        rounds: how many were walked.
        seed: the same seed gives the same records.
        now: when the last round ended, in Unix seconds; by default now.
    """
    root.mkdir(parents=True)
    (root / CONFIG_NAME).write_text(CONFIG, encoding="utf-8")
    (root / SURGEONS_FILE).write_text(SETTINGS, encoding="utf-8")
    clock = Clock((now or time.time()) - (rounds + 1) * DAYS_PER_ROUND * 86_400)
    with patch("ledger.store._now", clock), open_workspace(root) as workspace:
        World(workspace, clock, Size(comparisons, rounds), seed).make()


class World:
    """A ledger in the making."""

    def __init__(self, workspace: Workspace, clock: Clock, size: Size, seed: int) -> None:
        """Nothing is written yet."""
        self.workspace, self.clock, self.size, self.seed = workspace, clock, size, seed
        self.answering = Answering(seed)
        self.judging = Judging(self.answering.models, seed)
        self.models: list[ModelVersion] = []
        self.held: list[Prompt] = []
        self.train: list[Prompt] = []
        self.answers: list[list[Answer]] = []  # of each model, to the held-out questions

    def make(self) -> None:
        """All of it."""
        self._import()
        sft = weights_hash(weights_in(self.workspace.root / "models" / "sft", "sft"))
        self._add(ModelVersion("sft", "sft", sft, path="models/sft"), 0.0)
        self.workspace.ledger.append(self.models)
        probing = Probing(self.workspace, self.seed)
        probing.probe(self.models[0], 0.0)
        reviewing = Reviewing(self.workspace, lambda seconds: self.clock.later(seconds / HUNDRED_PER_DAY), self.seed)
        self._answer_held_out(0)
        policy = 0
        contests: list[Contest] = []
        for number in range(1, self.size.rounds + 1):
            plan = planned(number, policy, self.answering.skills[policy])
            policy, met, said = self._round(plan, probing)
            if number > self.size.rounds - PUSHES:
                some = met[:REVIEWED]
                contests += some
                reviewing.push(some, said, all_answered=number < self.size.rounds)
            self._until(number + 1)
        reviewing.adjudicate({(each.a.id, each.b.id): each for each in contests})
        self._fill_up()
        last = planned(self.size.rounds + 1, policy, self.answering.skills[policy])
        opened_round(self.workspace, last, self.models[policy])
        begin_training(self.workspace, last, self.models[policy], self.seed)

    def _import(self) -> None:
        prompts = made_prompts(self.size.prompts, self.seed)
        with self.workspace.stage("import", source="generated.jsonl", layout="wardround") as outcome:
            for some in batches(prompts, AT_ONCE):
                self.workspace.ledger.append(some)
                for prompt in some:
                    (self.held if prompt.split == "eval" else self.train).append(prompt)
            outcome.update(new=self.size.prompts, known=0, rejected=0, source="generated.jsonl")

    def _add(self, model: ModelVersion, skill: float) -> None:
        self.models.append(model)
        self.answering.models.append(model.id)
        self.answering.skills.append(skill)

    def _round(self, plan: Planned, probing: Probing) -> tuple[int, list[Contest], list[Comparison]]:
        """One round; the policy after it, what was compared on held-out questions, and what was said of it first."""
        policy = self.models[plan.policy]
        begun = opened_round(self.workspace, plan, policy)
        train_set = self._slice(plan.number)
        pairs = made_pairs(self._judge_train(train_set, plan.policy))[:MOST_PAIRS]
        with self.workspace.stage("pairs", policy=policy.id) as outcome:
            outcome.update(pairs=len(pairs), new=len(pairs), prompts=len(train_set))
        self._add(train(self.workspace, plan, policy, pairs, self.seed), plan.skill)
        model = self.models[plan.number]
        self._answer_held_out(plan.number)
        contests, said, scores = self._judge_held_out(plan)
        self._examine(said)
        probing.probe(model, plan.skill)
        decision = decided(probing, begun, (model, policy), scores, {each.id: each.mode for each in self.held})
        return (plan.number if decision.promoted else plan.policy), contests, said

    def _slice(self, number: int) -> list[Prompt]:
        each = -(-len(self.train) // self.size.rounds)
        return self.train[(number - 1) * each : number * each]

    def _judge_train(self, prompts: Sequence[Prompt], policy: int) -> list[Comparison]:
        """Two answers of the policy to each, compared; the comparisons of as many as pairs are made of."""
        kept: list[Comparison] = []
        met: list[Contest] = []
        with self.workspace.stage("sample", model=self.models[policy].id, split="train") as outcome:
            for some in batches(prompts, AT_ONCE):
                drawn = self.answering.answers(some, policy, 2)
                self.workspace.ledger.append(candidate for candidate, _ in drawn)
                pairs = zip(some, drawn[::2], drawn[1::2], strict=True)
                met += [contest(question_of(prompt), one[1], other[1]) for prompt, one, other in pairs]
            outcome.update(candidates=2 * len(prompts), prompts=len(prompts), split="train")
        for said in self._judge(met, LARGE, (policy,), "train"):
            kept += said if len(kept) < 3 * MOST_PAIRS else []
        return kept

    def _answer_held_out(self, model: int) -> None:
        found: list[Answer] = []
        with self.workspace.stage("sample", model=self.models[model].id, split="eval") as outcome:
            for some in batches(self.held, AT_ONCE):
                drawn = self.answering.answers(some, model)
                self.workspace.ledger.append(candidate for candidate, _ in drawn)
                found += [answer for _, answer in drawn]
            outcome.update(candidates=len(found), prompts=len(found), split="eval")
        self.answers.append(found)

    def _met(self, model: int, opponent: int) -> list[Contest]:
        both = zip(self.held, self.answers[model], self.answers[opponent], strict=True)
        return [contest(question_of(prompt), ours, theirs) for prompt, ours, theirs in both]

    def _judge_held_out(self, plan: Planned) -> tuple[list[Contest], list[Comparison], list[PromptScore]]:
        """The new model against its policy, and against SFT where that is another one."""
        number, policy = plan.number, plan.policy
        met = self._met(number, policy)
        first: list[Comparison] = []
        scores: list[PromptScore] = []
        for said in self._judge(met, LARGE, (number, policy), "eval"):
            first += said if len(first) < 3 * EXAMINED else []
            scores += _scores(said, self.models[number].id)
        if policy:
            for _ in self._judge(self._met(number, 0), LARGE, (number, 0), "eval"):
                pass
        return met, first, scores

    def _judge(
        self, met: Sequence[Contest], nature: Nature, models: Sequence[int], split: str
    ) -> Iterator[list[Comparison]]:
        """Judge contests and write it down, some at a time."""
        ids = [self.models[each].id for each in models]
        with self.workspace.stage("judge", assessors=[nature.name], models=ids, split=split) as outcome:
            new = 0
            for some in batches(met, AT_ONCE):
                said = list(self.judging.judged(some, nature))
                self.workspace.ledger.append(said)
                found = [each for each in said if isinstance(each, Comparison)]
                new += len(found)
                self.clock.later(len(found) / 40)
                yield found
            outcome.update(new=new, known=0, assessors={nature.name: {"new": new, "cost": new * nature.cost}})

    def _examine(self, said: Sequence[Comparison]) -> None:
        """A passport in the log, as `wardround judge --passport` writes one, of a part of the round."""
        asked = [each for each in said if each.assessor == LARGE.name]
        settings = {prompt.id: Setting(prompt.mode, prompt.topic) for prompt in self.held}
        with self.workspace.stage("passport", assessor=LARGE.name) as outcome:
            made = passport(LARGE.name, contests_of(asked, {}, settings=settings), resamples=500)
            outcome.update(made.facts())

    def _fill_up(self) -> None:
        """What is left of the comparisons is another judge's, on the newest rounds."""
        ledger = self.workspace.ledger
        left = self.size.comparisons - ledger.count(Comparison, ~table.c.assessor.startswith("surgeon:"))
        newest = reversed(range(1, self.size.rounds + 1))
        met = (each for number in newest for each in self._met(number, 0))
        while left > 0 and (some := list(islice(met, AT_ONCE))):
            said = list(self.judging.judged([_open_to_judges(each) for each in some], SMALL))
            ledger.append(_first(said, left))
            left -= sum(isinstance(each, Comparison) for each in said)
            self.clock.later(60)

    def _until(self, number: int) -> None:
        """The next round begins at its time, or at once where this one took longer."""
        self.clock.later(DAYS_PER_ROUND * 86_400 * 0.8)


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


def main() -> None:
    """Make one, and print what it holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    make_world(options.workspace, options.comparisons, options.rounds, options.seed)
    seconds = round(time.monotonic() - began, 1)
    with open_workspace(options.workspace, create=False) as workspace:
        kinds = (Prompt, Candidate, Comparison, ModelVersion)
        held = {kind.__name__: workspace.ledger.count(kind) for kind in kinds}
    print(json.dumps({"seconds": seconds, **held}))


if __name__ == "__main__":
    main()
