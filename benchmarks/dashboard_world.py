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
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotate.review.surgeons import SURGEONS_FILE
from benchmarks.dashboard_world_answers import Answering, Planned, made_prompts, planned
from benchmarks.dashboard_world_gate import Probing, decided, opened_round
from benchmarks.dashboard_world_judging import Contest
from benchmarks.dashboard_world_reviews import SETTINGS, Reviewing
from benchmarks.dashboard_world_training import begin_training, made_pairs, train, weights_in
from benchmarks.dashboard_world_verdicts import AT_ONCE, MOST_PAIRS, Verdicts
from ledger.config import CONFIG_NAME
from ledger.records import Candidate, Comparison, ModelVersion, Prompt
from ledger.weights import weights_hash
from ledger.workspace import Workspace, open_workspace
from sampling.engines.protocol import batches

COMPARISONS, ROUNDS = 1_000_000, 12
REVIEWED = 2_500  # contests of a round that a push chooses from
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
        self.models: list[ModelVersion] = []
        self.held: list[Prompt] = []
        self.train: list[Prompt] = []
        self.verdicts = Verdicts(workspace, self.answering, self.held, seed, clock.later)

    def make(self) -> None:
        """All of it."""
        self._import()
        sft = weights_hash(weights_in(self.workspace.root / "models" / "sft", "sft"))
        self._add(ModelVersion("sft", "sft", sft, path="models/sft"), 0.0)
        self.workspace.ledger.append(self.models)
        probing = Probing(self.workspace, self.seed)
        probing.probe(self.models[0], 0.0)
        reviewing = Reviewing(self.workspace, lambda seconds: self.clock.later(seconds / HUNDRED_PER_DAY), self.seed)
        self.verdicts.answer_held_out(0)
        policy = 0
        contests: list[Contest] = []
        for number in range(1, self.size.rounds + 1):
            plan = planned(number, policy, self.answering.skills[policy])
            policy, met, said = self._round(plan, probing)
            if number > self.size.rounds - PUSHES:
                some = met[:REVIEWED]
                contests += some
                reviewing.push(some, said, all_answered=number < self.size.rounds)
            self.clock.later(DAYS_PER_ROUND * 86_400 * 0.8)  # until the next round begins
        reviewing.adjudicate({(each.a.id, each.b.id): each for each in contests})
        self.verdicts.fill_up(self.size.comparisons, self.size.rounds)
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
        pairs = made_pairs(self.verdicts.on_train(train_set, plan.policy))[:MOST_PAIRS]
        with self.workspace.stage("pairs", policy=policy.id) as outcome:
            outcome.update(pairs=len(pairs), new=len(pairs), prompts=len(train_set))
        self._add(train(self.workspace, plan, policy, pairs, self.seed), plan.skill)
        model = self.models[plan.number]
        self.verdicts.answer_held_out(plan.number)
        contests, said, scores = self.verdicts.on_held_out(plan.number, plan.policy)
        self.verdicts.examine(said)
        probing.probe(model, plan.skill)
        decision = decided(probing, begun, (model, policy), scores, {each.id: each.mode for each in self.held})
        return (plan.number if decision.promoted else plan.policy), contests, said

    def _slice(self, number: int) -> list[Prompt]:
        each = -(-len(self.train) // self.size.rounds)
        return self.train[(number - 1) * each : number * each]


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
