"""The rules, written down before the evaluation begins: what is changed afterwards shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from align.probes.sets import set_files
from annotate.assessors import judging_config
from ledger.queries import every
from ledger.records import Candidate, ModelVersion, digest
from ledger.store import Ledger
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace

STAGE, EVENT = "gate", "rules registered"
# What is no rule: how soon it is done, and who comes next.
NOT_A_RULE = {"gate": {"next_policy"}, "evaluate": set[str](), "probes": {"base"}}


@dataclass(frozen=True)
class Registration:
    """The rules that were in force when the evaluation of a model against another began.

    Attributes:
        at: when, in UTC
        rules: every setting that the decision depends on
        answers: held-out and probe answers of the model that were there already
    """

    at: str
    rules: Mapping[str, Any]
    answers: int

    @property
    def hash(self) -> str:
        """Over the rules."""
        return digest(self.rules)

    def changes(self, now: Mapping[str, Any]) -> list[str]:
        """What is otherwise now, a phrase each."""
        before, after = flat(self.rules), flat(now)
        return [
            f"{key}: {before.get(key, 'nothing')} -> {after.get(key, 'nothing')}"
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]


def rules_of(workspace: Workspace) -> dict[str, Any]:
    """Every setting that a decision depends on, the contents of the probe sets among them."""
    config = workspace.config
    tables = {
        name: getattr(config, name).model_dump(mode="json", exclude=excluded) for name, excluded in NOT_A_RULE.items()
    }
    return {**tables, "judge": judging_config(config.judge), "sets": dict(_sets(workspace))}


def _sets(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """The hash of every probe set."""
    for path in set_files(workspace):
        if path.is_file():
            yield path.name, sha256(path.read_bytes()).hexdigest()[:16]


def flat(rules: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in rules.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def register(workspace: Workspace, model: ModelVersion, opponent: ModelVersion) -> Registration:
    """The rules of this evaluation: those written down when it began, which is now if it has not begun yet."""
    known = registered(workspace.ledger, model, opponent)
    if known:
        return known
    rules = rules_of(workspace)
    detail = {"model": model.id, "opponent": opponent.id, "hash": digest(rules), "rules": rules}
    workspace.log(STAGE, EVENT, **detail, answers=_answers(workspace.ledger, model))
    found = registered(workspace.ledger, model, opponent)
    assert found is not None
    return found


def registered(ledger: Ledger, model: ModelVersion, opponent: ModelVersion) -> Registration | None:
    """The first registration; None before the evaluation."""
    for done in every(ledger, STAGE, EVENT):
        if (done.detail["model"], done.detail["opponent"]) == (model.id, opponent.id):
            return Registration(done.when, done.detail["rules"], done.detail["answers"])
    return None


def _answers(ledger: Ledger, model: ModelVersion) -> int:
    asked = sa.select(prompts.c.id).where(prompts.c.split != "train")
    return ledger.count(Candidate, candidates.c.model == model.id, candidates.c.prompt.in_(asked))
