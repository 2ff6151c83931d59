"""Prompts in, candidate answers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa

from ledger.config import Config, SampleConfig
from ledger.errors import StageError
from ledger.records import Candidate, ModelVersion, Prompt, Split, canonical_json, digest, storable
from ledger.screen import progress, say
from ledger.store import Ledger
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace
from sampling.chat import conversation
from sampling.engines.choice import engine_name, load_engine
from sampling.engines.protocol import Engine, Request, Sample
from sampling.models import source_of

SEED_SPAN = 2**31
CHAT_DIGITS = 8


@dataclass(frozen=True)
class SampleReport:
    """What a sampling run did."""

    model: str
    split: Split
    prompts: int
    known: int  # prompts that had their answers before
    candidates: int  # new
    truncated: int  # new ones that ran into the token limit
    unanimous: int  # prompts whose answers were all the same: they teach nothing

    def text(self) -> str:
        """For people."""
        asked = f"{self.prompts} {self.split} prompts ({self.known} had theirs)"
        lines = [f"{self.model}: {self.candidates} new answers to {asked}"]
        if self.truncated:
            lines.append(f"{self.truncated} ran into sample.max_new_tokens; they cannot be chosen")
        if self.unanimous:
            lines.append(f"{self.unanimous} prompts got the same answer every time: they teach nothing")
        return "\n".join(lines)


def sampling_parameters(config: Config) -> dict[str, object]:
    """What the answers depend on beside prompt, model and seed; part of every candidate.

    ``chat`` is a hash of ``[chat]``, whose texts the log of the run holds.
    """
    chosen = config.sample.model_dump(include={"temperature", "top_p", "max_new_tokens", "seed"})
    loaded = config.model.model_dump(include={"quantization", "dtype"})
    chat = digest(config.chat.model_dump(mode="json"))[:CHAT_DIGITS]
    return {"engine": engine_name(config.sample), **chosen, **loaded, "chat": chat}


def seeds_for(prompt: str, model: str, config: SampleConfig, drawn: int) -> tuple[int, ...]:
    """The seeds of the samples still to be drawn: they depend on prompt and model, never on the place in a batch."""
    first = int(digest([config.seed, model, prompt]), 16) % SEED_SPAN
    return tuple(range(first + drawn, first + config.n))


def to_candidates(request: Request, samples: Sequence[Sample], model: str, config: Config) -> list[Candidate]:
    """One candidate for each distinct answer, with how often it was drawn."""
    parameters = sampling_parameters(config)
    distinct: dict[tuple[str, str], Candidate] = {}
    for sample in samples:
        said = (storable(sample.text), storable(sample.reasoning))
        if said in distinct:
            distinct[said] = replace(distinct[said], count=distinct[said].count + 1)
        else:
            distinct[said] = Candidate(
                prompt=request.prompt,
                model=model,
                text=said[0],
                reasoning=said[1],
                seed=sample.seed,
                parameters=parameters,
                finish_reason=sample.finish_reason,
                tokens=sample.tokens,
                logprob=sample.logprob,
            )
    return list(distinct.values())


def batches(requests: Iterable[Request], engine: Engine, size: int) -> Iterator[list[Request]]:
    """Batches of prompts of like length, longest first, so that a batch that does not fit fails early.

    They are cut from *all* prompts, answered ones too, so that a run that was killed goes on with the same batches.
    """
    by_length = sorted(requests, key=lambda request: (-engine.length(request), request.prompt))
    for start in range(0, len(by_length), size):
        yield by_length[start : start + size]


def drawn_so_far(ledger: Ledger, model: str, config: Config) -> dict[str, int]:
    """How many samples each prompt has from this model under these parameters."""
    same = canonical_json(sampling_parameters(config))
    query = (
        sa.select(candidates.c.prompt, sa.func.sum(candidates.c.count).label("drawn"))
        .where(candidates.c.model == model, candidates.c.parameters == same)
        .group_by(candidates.c.prompt)
    )
    return {row.prompt: int(row.drawn) for row in ledger.rows(query)}


def sample(workspace: Workspace, model: ModelVersion, split: Split, limit: int | None = None) -> SampleReport:
    """Draw what is missing of ``n`` answers to every prompt of a split (the first ``limit`` of them).

    Raises:
        StageError: there are no prompts.
        ModelError: the model does not load.
    """
    config = workspace.config.sample
    wanted = list(workspace.ledger.read(Prompt, prompts.c.split == split))[:limit]
    if not wanted:
        raise StageError(f"there are no {split} prompts", where="ledger", advice="`wardround import FILE` brings some")
    drawn = drawn_so_far(workspace.ledger, model.id, workspace.config)
    missing = [prompt for prompt in wanted if drawn.get(prompt.id, 0) < config.n]
    report = SampleReport(model.name, split, len(wanted), len(wanted) - len(missing), 0, 0, 0)
    if not missing:
        return report
    chat = workspace.config.chat.model_dump(mode="json")
    with workspace.stage("sample", model=model.id, split=split, chat=chat) as outcome:
        report = _draw(workspace, model, wanted, drawn, report)
        outcome.update(asdict(report))
    return report


def _draw(
    workspace: Workspace, model: ModelVersion, wanted: Sequence[Prompt], drawn: dict[str, int], report: SampleReport
) -> SampleReport:
    config = workspace.config.sample
    say(f"Loading {model.name} into the {engine_name(config)} engine")
    engine = load_engine(source_of(workspace, model), config)
    requests = [_request(prompt, model.id, workspace, drawn.get(prompt.id, 0)) for prompt in wanted]
    with progress(f"Sampling {model.name}, {report.split}", len(wanted), report.known) as advance:
        for batch in batches(requests, engine, config.batch_size):
            todo = [request for request in batch if request.seeds]
            if not todo:
                continue
            new: list[Candidate] = []
            for request, samples in engine.sample(todo):
                answers = to_candidates(request, samples, model.id, workspace.config)
                report = replace(report, unanimous=report.unanimous + (len(answers) == 1 and len(samples) > 1))
                new.extend(answers)
            cut = sum(candidate.finish_reason == "length" for candidate in new)
            added = workspace.ledger.append(new)
            report = replace(report, candidates=report.candidates + added, truncated=report.truncated + cut)
            advance(len(todo))
    return report


def _request(prompt: Prompt, model: str, workspace: Workspace, drawn: int) -> Request:
    turns = tuple(conversation(prompt, workspace.config.chat))
    return Request(prompt.id, turns, seeds_for(prompt.id, model, workspace.config.sample, drawn))
