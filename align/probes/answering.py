"""The answers that probes are judged by: one a prompt, nearly the likeliest, kept apart from those of a win rate."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ledger.records import Candidate, ModelVersion, canonical_json
from ledger.tables import candidates
from ledger.workspace import Workspace
from sampling.engines.protocol import batches
from sampling.sample import sample_for, sampling_parameters

ASKED_AT_ONCE = 500


def probing(workspace: Workspace) -> Workspace:
    """The workspace with the sampling parameters of ``[probes]``."""
    config, probes = workspace.config.sample, workspace.config.probes
    sample = config.model_copy(
        update={
            "n": 1,
            "temperature": probes.temperature,
            "max_new_tokens": probes.max_new_tokens or config.max_new_tokens,
            "batch_size": config.batch_size * config.n,  # as many rows at once
        }
    )
    return replace(workspace, config=workspace.config.model_copy(update={"sample": sample}))


def answer_probes(workspace: Workspace, model: ModelVersion, prompts: Collection[str]) -> None:
    """Draw what is missing of one answer to each of these prompts, by id.

    Raises:
        ModelError, EndpointError: see `sampling.sample.sample`.
    """
    if prompts:
        sample_for(probing(workspace), model, "probe", only=frozenset(prompts))


def probe_answers(workspace: Workspace, model: ModelVersion, prompts: Iterable[str]) -> dict[str, Candidate]:
    """A model's answers to probes, by prompt; those that could not be drawn are left out."""
    told = probing(workspace)
    temperature = told.config.sample.temperatures[0]
    same = canonical_json(sampling_parameters(told.config, temperature))
    row = candidates.c
    return {
        answer.prompt: answer
        for some in batches(prompts, ASKED_AT_ONCE)
        for answer in workspace.ledger.read(
            Candidate, row.prompt.in_(some), row.model == model.id, row.parameters == same
        )
    }
