"""What has changed since a model's policy, since SFT and since the base: counted from stored answers, nothing asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from align.probes.axis import Axis
from align.probes.measuring import axes_of
from align.probes.paired import Change
from align.probes.plan import ProbePlan, plan_of
from align.probes.report import Against, axes_compared
from align.probes.sets import entered
from dashboards.findings.known_models import root_of
from ledger.records import ModelVersion, Probe
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace

Origin = Literal["policy", "sft", "base"]


@dataclass(frozen=True)
class AxisChange:
    """What has changed on one axis; ``mode`` is empty for both modes together."""

    axis: str
    mode: str
    change: Change


@dataclass(frozen=True)
class Since:
    """All axes of a model beside those of one that it came from.

    ``origins``: what the other one is to it; one model may be both its policy and SFT.
    """

    other: str  # its label
    origins: tuple[Origin, ...]
    changes: tuple[AxisChange, ...]


@dataclass(frozen=True)
class Probed:
    """A model that has answered probes."""

    model: str
    since: tuple[Since, ...]


def probed_models(workspace: Workspace, labels: Mapping[str, str]) -> Iterator[Probed]:
    """Every trained model that has answered probes, the oldest first; those without an origin that did are left out."""
    if not workspace.ledger.count(Probe):
        return
    models = {model.id: model for model in workspace.ledger.read(ModelVersion)}
    asked = _asked(workspace)
    plan = plan_of(workspace, entered(workspace))
    axes: dict[str, Mapping[str, Axis]] = {}
    for model in models.values():
        if not model.parent or model.id not in asked:
            continue
        since = []
        for other, origins in _origins(models, model).items():
            if other in asked:
                before, after = (_axes(workspace, plan, models[each], axes) for each in (other, model.id))
                changes = _changes(axes_compared(before, after, workspace.config.evaluate))
                since.append(Since(labels[other], origins, changes))
        if since:
            yield Probed(model.id, tuple(since))


def _axes(
    workspace: Workspace, plan: ProbePlan, model: ModelVersion, known: dict[str, Mapping[str, Axis]]
) -> Mapping[str, Axis]:
    if model.id not in known:
        known[model.id] = axes_of(workspace, model, plan)
    return known[model.id]


def _origins(models: Mapping[str, ModelVersion], model: ModelVersion) -> dict[str, tuple[Origin, ...]]:
    """The models that it came from, and what each is to it."""
    base = [each.id for each in models.values() if each.method == "base"]
    every: list[tuple[str | None, Origin]] = [(model.parent, "policy"), (root_of(models, model), "sft")]
    every += [(each, "base") for each in base[-1:]]
    found: dict[str, tuple[Origin, ...]] = {}
    for key, origin in every:
        if key is not None:
            found[key] = (*found.get(key, ()), origin)
    return found


def _asked(workspace: Workspace) -> set[str]:
    """The models that have answered a probe."""
    of = prompts.c
    query = sa.select(candidates.c.model).distinct().join(prompts, of.id == candidates.c.prompt)
    return {row[0] for row in workspace.ledger.rows(query.where(of.split == "probe"))}


def _changes(against: Against) -> tuple[AxisChange, ...]:
    return tuple(
        AxisChange(name, mode, each)
        for mode, changes in (("", against.overall), *against.by_mode.items())
        for name, each in changes.items()
    )
