"""Training runs of the generated ledger: pairs, step logs, alarms, and one run that is under way."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from align.training import training_config
from align.watching.alarms import Alarms
from align.watching.step_log import LEDGER_BATCH, STEP_LOG
from align.watching.steps import Step
from benchmarks.dashboard_world_answers import Planned
from ledger.records import Comparison, ModelVersion, Pair, digest, pairs_hash
from ledger.weights import weights_hash
from ledger.workspace import Workspace
from sampling.engines.protocol import batches

RUN = "training run"
STEPS = 220
BETA = 0.1
DISPLACED = 5  # in which round the chosen answers grow less likely
UNDER_WAY = 0.4  # share of the last run's steps that are done


def made_pairs(comparisons: Sequence[Comparison]) -> list[Pair]:
    """Of contests whose two orders agree, and of those that the key decides."""
    said: dict[tuple[str, str], list[Comparison]] = {}
    for each in comparisons:
        said.setdefault((each.a, each.b), []).append(each)
    return [pair for (a, b), some in said.items() if (pair := _pair(a, b, some))]


def _pair(a: str, b: str, some: Sequence[Comparison]) -> Pair | None:
    verdicts = {each.verdict for each in some}
    if len(verdicts) > 1 or not verdicts <= {"a", "b"}:
        return None
    strength = sum(each.strength for each in some) / len(some)
    chosen, rejected, weight = (a, b, strength) if verdicts == {"a"} else (b, a, 1 - strength)
    if weight <= 0.55:
        return None
    return Pair(some[0].prompt, chosen, rejected, round(weight, 6), tuple(each.id for each in some))


def train(workspace: Workspace, plan: Planned, policy: ModelVersion, pairs: Sequence[Pair], seed: int) -> ModelVersion:
    """Write down a training as the stage does: pairs, start, steps, alarms, model, end."""
    workspace.ledger.append(pairs)
    ids = [pair.id for pair in pairs]
    config = _config(workspace, plan)
    key = digest([policy.id, pairs_hash(ids), config])
    name = f"round-{plan.number}-{plan.method}"
    path = f"models/{name}-{key[:8]}"
    detail = {"policy": policy.id, "method": plan.method, "pairs": len(ids)}
    with workspace.stage("train", **detail) as outcome:
        steps = list(made_steps(plan, seed))
        _log_steps(workspace, key, steps)
        folder = weights_in(workspace.root / path, key)
        (folder / STEP_LOG).write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in steps))
        last = steps[-1]
        model = ModelVersion(
            name=name,
            method=plan.method,
            weights=weights_hash(folder),
            parent=policy.id,
            pairs=pairs_hash(ids),
            config=config,
            path=path,
            adapter=True,
            code="0.1.0",
            libraries={"torch": "2.13.0", "trl": "1.16.0"},
            metrics={"loss": last["loss"], "step": last["step"], "epoch": last["epoch"]},
        )
        workspace.ledger.append_trained(model, ids)
        outcome.update(model=model.id, path=path, **model.metrics)
    return model


def weights_in(folder: Path, said: str) -> Path:
    """A folder with something in place of weights, so that their hash can be checked."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_text(said, encoding="utf-8")
    return folder


def begin_training(workspace: Workspace, plan: Planned, policy: ModelVersion, seed: int) -> None:
    """A run that is under way: its first steps, and no end."""
    workspace.log("train", "started", policy=policy.id, method=plan.method, pairs=1_000)
    key = digest(["under way", policy.id])
    steps = list(made_steps(plan, seed))
    _log_steps(workspace, key, steps[: int(UNDER_WAY * STEPS)])


def _config(workspace: Workspace, plan: Planned) -> dict[str, Any]:
    """Later rounds learn more slowly, so that there is something to compare."""
    config = training_config(workspace)
    rate = round(5e-5 * 0.8 ** (plan.number - 1), 9)
    return {**config, "align": {**config["align"], "method": plan.method, "learning_rate": rate}}


def _log_steps(workspace: Workspace, key: str, steps: Sequence[dict[str, Any]]) -> None:
    alarms = Alarms()
    for some in batches(steps, LEDGER_BATCH):
        workspace.log(RUN, "step", training=key, steps=list(some))
        for each in some:
            for alarm in alarms.see(Step(**{name: each[name] for name in each if name in Step.__annotations__})):
                workspace.log(RUN, "alarm", training=key, **alarm.facts())


def made_steps(plan: Planned, seed: int) -> Iterator[dict[str, Any]]:
    """A run as its log has it: the margin grows, the chosen answers' log-probability rises, or falls in one round."""
    rng = random.Random(f"{seed} steps {plan.number}")
    learns = 1.6 if plan.gains else 0.5
    drift = -2.6 if plan.number == DISPLACED else 0.5
    for step in range(1, STEPS + 1):
        done = step / STEPS
        margin = learns * (1 - math.exp(-3 * done)) + rng.gauss(0, 0.12)
        chosen_ratio = drift * 4 * done + rng.gauss(0, 0.4)
        rejected_ratio = chosen_ratio - margin / BETA
        chosen_logp, rejected_logp = -210 + chosen_ratio + rng.gauss(0, 12), -205 + rejected_ratio + rng.gauss(0, 12)
        seconds = 1.4 + rng.random() / 3
        yield {
            "step": step,
            "epoch": round(3 * done, 4),
            "loss": math.log1p(math.exp(-margin)),
            "margin": margin,
            "accuracy": min(1.0, max(0.0, 0.5 + 0.22 * margin + rng.gauss(0, 0.06))),
            "chosen_reward": BETA * chosen_ratio,
            "rejected_reward": BETA * rejected_ratio,
            "chosen_logp": chosen_logp,
            "rejected_logp": rejected_logp,
            "chosen_ratio": chosen_ratio,
            "rejected_ratio": rejected_ratio,
            "kl": -(chosen_ratio + rejected_ratio) / 2,
            "grad_norm": 1.5 + rng.random(),
            "learning_rate": 5e-5 * (1 - done),
            "tokens": float(step * 9_000),
            "tokens_per_second": 9_000 / seconds,
            "seconds": seconds,
            "peak_mib": 31_000.0,
            "chosen_length": 160 + rng.gauss(0, 12),
            "rejected_length": 150 + rng.gauss(0, 12),
        }
