"""Prompts in, candidate answers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from ledger.config import Config, SampleConfig
from ledger.errors import StageError
from ledger.records import Candidate, ModelVersion, Prompt, Split, canonical_json, digest, storable
from ledger.screen import progress, say
from ledger.store import Ledger
from ledger.tables import candidates, prompts
from ledger.workspace import Workspace
from sampling.engines.choice import engine_name, open_engine
from sampling.engines.protocol import Answer, Request, batches
from sampling.failures import Failure, write_failures

SEED_SPAN = 2**31
CHAT_DIGITS = 8
PAGE = 500  # prompts that are read at once
# Of [sample.vllm], what changes answers; what does not (memory, parallelism) may differ when a run goes on.
VLLM_CHANGES_ANSWERS = ("quantization", "kv_cache_dtype", "dtype", "hf_overrides", "revision", "load_format")

Drawn = Mapping[tuple[str, float], int]  # samples there are, by prompt and temperature


@dataclass
class SampleReport:
    """What a sampling run did."""

    model: str
    split: Split
    engine: str
    prompts: int
    known: int = 0  # prompts that had their answers before
    drawn: int = 0  # samples that were there before
    candidates: int = 0  # new
    truncated: int = 0  # new ones that ran into the token limit
    empty: int = 0  # new ones without a word
    shortened: int = 0  # prompts of which passages were cut
    unanimous: int = 0  # prompts of the split whose answers are all the same: they teach nothing
    failed: Counter[str] = field(default_factory=Counter)  # prompts that are still without answers, by cause
    failures: str = ""  # the file that lists them
    limit: int | None = None  # as asked

    def text(self) -> str:
        """For people."""
        asked = f"{self.prompts} {self.split} prompts ({self.known} had theirs)"
        lines = [f"{self.model}: {self.candidates} new answers to {asked}, by the {self.engine} engine"]
        notes = (
            (self.truncated, "answers ran into sample.max_new_tokens; they cannot be chosen"),
            (self.empty, "answers are empty"),
            (self.shortened, "prompts were too long: passages were cut from their end"),
            (self.unanimous, "prompts got the same answer every time: they teach nothing"),
        )
        lines += [f"{count} {said}" for count, said in notes if count]
        if self.failed:
            causes = ", ".join(f"{cause}: {count}" for cause, count in self.failed.most_common(5))
            limit = f" --limit {self.limit}" if self.limit else ""
            again = f"wardround sample --split {self.split} --model {self.model}{limit}"
            lines.append(f"{self.failed.total()} prompts failed ({causes}), as {self.failures} lists")
            lines.append(f"`{again}` tries them again; all else is kept")
        return "\n".join(lines)

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log."""
        return dict(vars(self))


def sampling_parameters(config: Config, temperature: float) -> dict[str, object]:
    """What the answers depend on beside prompt, model and seed; part of every candidate.

    ``chat`` is a hash of ``[chat]``, whose texts the log of the run holds.
    """
    engine = engine_name(config.sample)
    chosen = config.sample.model_dump(include={"top_p", "max_new_tokens", "seed"})
    loaded = config.model.model_dump(include={"quantization", "dtype"})
    own = {name: config.sample.vllm[name] for name in VLLM_CHANGES_ANSWERS if name in config.sample.vllm}
    if engine == "openai":
        own = {"served": config.server.model} if config.server.model else {}
    elif engine == "ray":
        own = {"worker": config.ray.worker, **own}
    elif engine == "transformers":
        own = {}
    chat = digest(config.chat.model_dump(mode="json"))[:CHAT_DIGITS]
    return {"engine": engine, "temperature": temperature, **chosen, **loaded, **own, "chat": chat}


def seeds_for(prompt: str, model: str, config: SampleConfig, temperature: float, drawn: int) -> tuple[int, ...]:
    """The seeds of the samples still to be drawn at one temperature.

    They depend on prompt, model and temperature, never on the place in a batch.
    """
    first = int(digest([config.seed, model, prompt, temperature]), 16) % SEED_SPAN
    return tuple(range(first + drawn, first + _share(config, temperature)))


def to_candidates(answer: Answer, model: str, config: Config) -> list[Candidate]:
    """One candidate for each distinct answer, with how often it was drawn."""
    parameters = sampling_parameters(config, answer.request.temperature)
    distinct: dict[tuple[str, str], Candidate] = {}
    for sample in answer.samples:
        said = (storable(sample.text), storable(sample.reasoning))
        if said in distinct:
            distinct[said] = replace(distinct[said], count=distinct[said].count + 1)
        else:
            distinct[said] = Candidate(
                prompt=answer.request.prompt.id,
                model=model,
                text=said[0],
                reasoning=said[1],
                seed=sample.seed,
                parameters=parameters,
                finish_reason=sample.finish_reason,
                passages=answer.request.passages,
                tokens=sample.tokens,
                logprob=sample.logprob,
            )
    return list(distinct.values())


def drawn_so_far(ledger: Ledger, model: str, config: Config) -> dict[tuple[str, float], int]:
    """How many samples each prompt has from this model at each temperature, all else being as configured."""
    same = {canonical_json(sampling_parameters(config, rung)): rung for rung in config.sample.temperatures}
    row = candidates.c
    query = (
        sa.select(row.prompt, row.parameters, sa.func.sum(row.count).label("drawn"))
        .where(row.model == model, row.parameters.in_(list(same)))
        .group_by(row.prompt, row.parameters)
    )
    return {(found.prompt, same[found.parameters]): int(found.drawn) for found in ledger.rows(query)}


def sample(
    workspace: Workspace,
    model: ModelVersion,
    split: Split,
    limit: int | None = None,
    only: Collection[str] | None = None,
) -> SampleReport:
    """Draw what is missing of ``n`` answers to every prompt of a split (the first ``limit``, or ``only`` those ids).

    Prompts that cannot be answered are listed with their causes, and tried again by the next run.

    Raises:
        StageError: there are no prompts.
        ModelError: the model does not load.
        EndpointError: the server refuses or cannot be reached.
    """
    config = workspace.config
    ids = [each for each in _prompt_ids(workspace.ledger, split, limit) if only is None or each in only]
    if not ids:
        raise StageError(f"there are no {split} prompts", where="ledger", advice="`wardround import FILE` brings some")
    drawn = drawn_so_far(workspace.ledger, model.id, config)
    report = SampleReport(model.name, split, engine_name(config.sample), len(ids), limit=limit)
    asked = set(ids)
    report.known = sum(_has_all(prompt, drawn, config.sample) for prompt in ids)
    report.drawn = sum(
        min(count, _share(config.sample, rung)) for (prompt, rung), count in drawn.items() if prompt in asked
    )
    report.unanimous = unanimous(workspace.ledger, model.id, config, split)
    if report.known == len(ids):
        return report
    chat = config.chat.model_dump(mode="json")
    with workspace.stage("sample", model=model.id, split=split, chat=chat) as outcome:
        _draw(workspace, model, _requests(workspace, model.id, ids, drawn), report)
        report.unanimous = unanimous(workspace.ledger, model.id, config, split)
        outcome.update(report.facts())
    return report


def sample_for(workspace: Workspace, model: ModelVersion, split: Split, only: Collection[str] | None = None) -> None:
    """Draw what is missing for a stage that goes on without the prompts that fail: the person who watches is told.

    Raises:
        StageError, ModelError, EndpointError: see `sample`.
    """
    report = sample(workspace, model, split, only=only)
    if report.failed:
        say(report.text())


def unanimous(ledger: Ledger, model: str, config: Config, split: Split) -> int:
    """How many prompts of a split got one and the same answer every time."""
    same = [canonical_json(sampling_parameters(config, rung)) for rung in config.sample.temperatures]
    row = candidates.c
    agreed = (
        sa.select(row.prompt)
        .join(prompts, prompts.c.id == row.prompt)
        .where(row.model == model, row.parameters.in_(same), prompts.c.split == split)
        .group_by(row.prompt)
        .having(sa.func.count(row.text.distinct()) == 1, sa.func.sum(row.count) > 1)
    )
    return int(ledger.scalar(sa.select(sa.func.count()).select_from(agreed.subquery())))


def _prompt_ids(ledger: Ledger, split: Split, limit: int | None) -> list[str]:
    row = prompts.c
    query = sa.select(row.id).where(row.split == split).order_by(row.row).limit(limit)
    return [found.id for found in ledger.rows(query)]


def _has_all(prompt: str, drawn: Drawn, config: SampleConfig) -> bool:
    return all(drawn.get((prompt, rung), 0) >= _share(config, rung) for rung in config.temperatures)


def _share(config: SampleConfig, temperature: float) -> int:
    """How many of the n answers are drawn at one rung of the ladder."""
    return len(range(config.temperatures.index(temperature), config.n, len(config.temperatures)))


def _requests(workspace: Workspace, model: str, ids: Sequence[str], drawn: Drawn) -> Iterator[Request]:
    """One request for each prompt and temperature, read by the page, those that have their answers without seeds."""
    chat, config = workspace.config.chat, workspace.config.sample
    for page in batches(ids, PAGE):
        found = workspace.ledger.get_many(Prompt, page)
        for prompt in (found[prompt_id] for prompt_id in page):
            for rung in config.temperatures:
                seeds = seeds_for(prompt.id, model, config, rung, drawn.get((prompt.id, rung), 0))
                yield Request(prompt, chat, rung, seeds)


def _draw(workspace: Workspace, model: ModelVersion, requests: Iterable[Request], report: SampleReport) -> None:
    say(f"Sampling from {model.name} by the {report.engine} engine")
    failed: dict[Failure, None] = {}  # a prompt may fail at several temperatures for one cause
    wanted = report.prompts * workspace.config.sample.n
    shortened: set[str] = set()
    ended = False
    try:
        with (
            open_engine(workspace, model) as engine,
            progress(f"Sampling {model.name}, {report.split}", wanted, report.drawn) as advance,
            closing(engine.sample(requests)) as answered,
        ):
            for answers in answered:
                _keep(workspace, model, answers, report)
                shortened |= {each.request.prompt.id for each in answers if each.request.passages is not None}
                failed |= {Failure(each.request.prompt.id, each.cause): None for each in answers if each.cause}
                advance(sum(len(each.samples) for each in answers))
        ended = True
    finally:
        report.shortened = len(shortened)
        if failed or ended:
            report.failed = Counter(failure.kind for failure in failed)
            report.failures = write_failures(workspace.root, f"sample-{report.split}-{model.name}", list(failed))


def _keep(workspace: Workspace, model: ModelVersion, answers: Sequence[Answer], report: SampleReport) -> None:
    new = [made for answer in answers for made in to_candidates(answer, model.id, workspace.config)]
    report.candidates += workspace.ledger.append(new)
    report.truncated += sum(made.finish_reason == "length" for made in new)
    report.empty += sum(not made.text for made in new)
