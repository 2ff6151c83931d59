"""Tasks of EleutherAI's lm-evaluation-harness (Gao et al., 2024), with a score for each document."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from ledger.errors import ConfigError, InputError
from sampling.quiet import quiet

WHERE = "wardround.toml, probes.lm_eval"
DEFAULT_FILTER = "none"
RESAMPLES = 1_000  # for the standard error of a metric that is no mean
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
# Where libraries that were imported before remember it.
REMEMBERED = (("huggingface_hub.constants", "HF_HUB_OFFLINE"), *(("datasets.config", name) for name in OFFLINE))


@dataclass(frozen=True)
class TaskScore:
    """One metric of one task."""

    task: str
    metric: str  # "acc"; "exact_match,strict-match" where answers went through a filter first
    higher_is_better: bool
    values: Mapping[str, float]  # by the document's number in the task; two models' are pairs
    mean: float  # as the harness aggregates it
    stderr: float | None


def run_tasks(
    policy: Path | tuple[Any, Any],
    tasks: Sequence[str],
    *,
    include_path: Path | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    device: str | None = None,
    chat: bool = False,
) -> list[TaskScore]:
    """Ask a model the documents of ``tasks``; nothing is downloaded.

    Random numbers of the caller are left as they are. The harness's own tasks take it about a quarter of a minute to
    list; where all stand in ``include_path``, they are not.

    Args:
        policy: a model's folder, or a loaded model and its tokenizer.
        tasks: names of tasks, groups or tags that the harness knows, or that stand in ``include_path``.
        include_path: a folder with tasks of one's own (YAML).
        limit: the first so many documents of each task; None: all.
        batch_size: documents at once.
        device: of a model that is given by its folder; None: a GPU where there is one.
        chat: ask through the tokenizer's chat template.

    Raises:
        ConfigError: the harness is not installed, a task is unknown, or it does not load, as where its data are not on
            this machine.
        InputError: ``include_path`` is no folder, or a task has no score by document.
    """
    if not tasks:
        return []
    if include_path is not None and not include_path.is_dir():
        raise InputError("there is no such folder", where=f"probes.lm_eval_tasks {include_path}", advice="check it")
    with _installed(), quiet(), _offline(), _hushed(), _own_random_numbers():
        manager, asked = _loaded(tasks, include_path)
        found = import_module("lm_eval").simple_evaluate(
            model=_harness_model(policy, batch_size, device),
            tasks=asked,
            task_manager=manager,  # else it would list its own tasks once more
            limit=limit,
            log_samples=True,
            bootstrap_iters=RESAMPLES,
            apply_chat_template=chat,
        )
    return [score for task in found["samples"] for score in _scores(task, found)]


@contextmanager
def _installed() -> Iterator[None]:
    try:
        import_module("lm_eval")
    except ImportError as error:
        raise ConfigError(
            "lm-evaluation-harness is not installed", where=WHERE, advice="pip install 'wardround[lm-eval]'"
        ) from error
    yield


@contextmanager
def _offline() -> Iterator[None]:
    """No library asks the hub, not for data and not for models."""
    environment = {name: os.environ.get(name) for name in OFFLINE}
    remembered = [(import_module(module), name) for module, name in REMEMBERED]
    before = [(module, name, getattr(module, name)) for module, name in remembered]
    try:
        os.environ.update(dict.fromkeys(OFFLINE, "1"))
        for module, name in remembered:
            setattr(module, name, True)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        for name, said in environment.items():
            if said is None:
                del os.environ[name]
            else:
                os.environ[name] = said


@contextmanager
def _own_random_numbers() -> Iterator[None]:
    """The harness seeds the generators that all share: afterwards they go on as if it had not."""
    import numpy as np
    import torch

    plain, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(arrays)


@contextmanager
def _hushed() -> Iterator[None]:
    """Of the harness's own log, errors only."""
    log = logging.getLogger("lm_eval")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _loaded(names: Sequence[str], include_path: Path | None) -> tuple[Any, list[Any]]:
    """The tasks of these names, and what found them.

    Raises:
        ConfigError: see `run_tasks`.
    """
    make = import_module("lm_eval.tasks").TaskManager
    folder = None if include_path is None else str(include_path)
    if folder is not None:
        own = make(include_path=folder, include_defaults=False)
        if set(names) <= set(own.all_tasks):
            try:
                return own, _built(own, names)
            except ConfigError as error:
                if not isinstance(error.__cause__, KeyError):  # a group of one's own can hold tasks of the harness
                    raise
    manager = make(include_path=folder)
    for name in names:
        if name not in manager.all_tasks:
            near = get_close_matches(name, manager.all_tasks, 3)
            advice = f"did you mean {', '.join(near)}?" if near else "`lm-eval ls tasks` lists those that it comes with"
            raise ConfigError(f"lm-evaluation-harness has no task {name}", where=WHERE, advice=advice)
    return manager, _built(manager, names)


def _built(manager: Any, names: Sequence[str]) -> list[Any]:
    tasks: list[Any] = []
    for name in names:
        try:
            tasks += manager.load([name])["tasks"].values()
        except Exception as error:  # loaders of data raise whatever they like
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ConfigError(
                f"task {name} of lm-evaluation-harness does not load: {said}",
                where=WHERE,
                advice="nothing is downloaded here: run the task by `lm-eval run` once where there is a network, "
                "or correct its YAML file",
            ) from error
    return tasks


def _harness_model(policy: Path | tuple[Any, Any], batch_size: int, device: str | None) -> Any:
    wrap = import_module("lm_eval.models.huggingface").HFLM
    if isinstance(policy, Path):
        return wrap(pretrained=str(policy), batch_size=batch_size, **({} if device is None else {"device": device}))
    model, tokenizer = policy
    return wrap(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)


def _scores(task: str, found: Mapping[str, Any]) -> list[TaskScore]:
    """The metrics of one task that have a number for each document.

    Raises:
        InputError: there is none, as where a metric is of the whole corpus.
    """
    values: dict[tuple[str, str], dict[str, float]] = {}
    for sample in found["samples"][task]:
        for metric in sample["metrics"]:
            if isinstance(value := sample[metric], int | float):
                values.setdefault((metric, sample["filter"]), {})[str(sample["doc_id"])] = float(value)
    if not values:
        raise InputError(
            f"task {task} of lm-evaluation-harness has no score by document", where=WHERE, advice="leave it out"
        )
    return [_score(task, metric, through, by_document, found) for (metric, through), by_document in values.items()]


def _score(task: str, metric: str, through: str, values: Mapping[str, float], found: Mapping[str, Any]) -> TaskScore:
    results = found["results"][task]
    stderr = results.get(f"{metric}_stderr,{through}")
    return TaskScore(
        task=task,
        metric=metric if through == DEFAULT_FILTER else f"{metric},{through}",
        higher_is_better=found["higher_is_better"][task].get(metric) is not False,
        values=values,
        mean=float(results[f"{metric},{through}"]),
        stderr=float(stderr) if isinstance(stderr, int | float) else None,  # "N/A" for one document
    )
