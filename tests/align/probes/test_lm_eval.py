from __future__ import annotations

import json
import logging
import os
import random
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from align.probes.likelihood import text_logprobs
from align.probes.lm_eval import TaskScore, run_tasks
from ledger.config import ModelConfig
from ledger.errors import ConfigError, InputError
from sampling.models import PolicySource, load_policy, load_tokenizer
from tests.align.probes.local_task import TASK

CHOICES = ["the back wall", "the front wall which contains it", "a roof"]
CORPUS = """
task: ward_corpus
dataset_path: json
dataset_kwargs:
  data_files: {data}
output_type: loglikelihood_rolling
test_split: train
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list:
  - metric: word_perplexity
    aggregation: weighted_perplexity
    higher_is_better: false
"""
TOLD = """
task: ward_told
dataset_path: json
dataset_kwargs:
  data_files: {data}
output_type: generate_until
test_split: train
doc_to_text: "{{{{question}}}}"
doc_to_target: "the"
generation_kwargs:
  max_gen_toks: 3
  until: ["!"]
filter_list:
  - name: first
    filter: [{{function: take_first}}]
  - name: plain
    filter: [{{function: take_first}}, {{function: lowercase}}]
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
FROM_THE_HUB = """
task: ward_hub
dataset_path: nobody/nothing-of-this-name
output_type: multiple_choice
test_split: test
doc_to_text: "{{question}}"
doc_to_choice: ["a", "b"]
doc_to_target: 0
"""


@pytest.fixture(scope="module")
def policy(tiny_policy: Path) -> tuple[Any, Any]:
    source = PolicySource(str(tiny_policy), (), ModelConfig(device="cpu"))
    return load_policy(source), load_tokenizer(source)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that are read once are kept by ``datasets``: here, for this test alone."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    data = tasks / "ward.jsonl"
    rows = [{"question": f"Which wall is weak in case {n}?", "choices": CHOICES, "gold": n % 3} for n in range(7)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tasks / "ward.yaml").write_text(TASK.format(name="ward_walls", data=data), encoding="utf-8")
    (tasks / "corpus.yaml").write_text(CORPUS.format(data=data), encoding="utf-8")
    (tasks / "told.yaml").write_text(TOLD.format(data=data), encoding="utf-8")
    (tasks / "hub.yaml").write_text(FROM_THE_HUB, encoding="utf-8")
    (tasks / "gone.yaml").write_text(TASK.format(name="ward_gone", data=tasks / "gone.jsonl"), encoding="utf-8")
    return tasks


def likeliest(policy: tuple[Any, Any], case: int) -> int:
    """The choice whose text the model finds likeliest, by our own log-probabilities."""
    start = f"Which wall is weak in case {case}?\nAnswer:"
    texts = [start, *(f"{start} {choice}" for choice in CHOICES)]
    scored = sorted(text_logprobs(*policy, texts), key=lambda each: each.place)
    behind = [each.logprobs[0] - scored[0].logprobs[0] for each in scored[1:]]
    return behind.index(max(behind))


def test_a_task_of_one_s_own_has_a_score_for_each_document(policy: tuple[Any, Any], folder: Path) -> None:
    found = {each.metric: each for each in run_tasks(policy, ["ward_walls"], include_path=folder)}
    accuracy = found["acc"]
    expected = {str(case): float(likeliest(policy, case) == case % 3) for case in range(7)}
    assert accuracy.values == expected
    assert accuracy.mean == pytest.approx(sum(expected.values()) / 7)
    assert accuracy.stderr is not None
    assert (accuracy.task, accuracy.higher_is_better) == ("ward_walls", True)


def test_a_model_by_its_folder_and_a_limit(tiny_policy: Path, policy: tuple[Any, Any], folder: Path) -> None:
    (whole,) = _of(run_tasks(policy, ["ward_walls"], include_path=folder))
    (some,) = _of(run_tasks(tiny_policy, ["ward_walls"], include_path=folder, limit=3, batch_size=2, device="cpu"))
    assert some.values == {case: whole.values[case] for case in ("0", "1", "2")}


def _of(scores: list[TaskScore]) -> list[TaskScore]:
    return [each for each in scores if each.metric == "acc"]


def test_answers_that_go_through_filters_are_metrics_of_their_own(policy: tuple[Any, Any], folder: Path) -> None:
    found = run_tasks(policy, ["ward_told"], include_path=folder, limit=2, chat=True)
    assert [each.metric for each in found] == ["exact_match,first", "exact_match,plain"]
    assert all(each.values.keys() == {"0", "1"} for each in found)


def test_the_caller_s_world_is_left_as_it_was(
    policy: tuple[Any, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import torch

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "0")
    random.seed(99)  # else an earlier run of the harness could have left what it leaves now
    np.random.seed(99)
    torch.manual_seed(99)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    told = _remembered(), logging.getLogger("lm_eval").level, logging.getLogger().level
    run_tasks(policy, ["ward_walls"], include_path=folder, limit=1)
    assert "HF_HUB_OFFLINE" not in os.environ
    assert os.environ["HF_DATASETS_OFFLINE"] == "0"
    assert (_remembered(), logging.getLogger("lm_eval").level, logging.getLogger().level) == told
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]
    assert torch.get_rng_state().tolist() == states[2]


def _remembered() -> Mapping[str, bool]:
    hub, data = import_module("huggingface_hub.constants"), import_module("datasets.config")
    return {"hub": hub.HF_HUB_OFFLINE, "data": data.HF_HUB_OFFLINE, "older": data.HF_DATASETS_OFFLINE}


def test_data_that_are_not_here_are_not_fetched(
    policy: tuple[Any, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refused(*arguments: Any, **_named: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr("socket.create_connection", refused)
    with pytest.raises(ConfigError, match=r"ward_hub of lm-evaluation-harness does not load.*nothing is downloaded"):
        run_tasks(policy, ["ward_hub"], include_path=folder)
    assert not asked
    with pytest.raises(ConfigError, match="ward_gone of lm-evaluation-harness does not load"):
        run_tasks(policy, ["ward_gone"], include_path=folder)


def test_a_task_without_scores_by_document_is_refused(policy: tuple[Any, Any], folder: Path) -> None:
    with pytest.raises(InputError, match="ward_corpus of lm-evaluation-harness has no score by document"):
        run_tasks(policy, ["ward_corpus"], include_path=folder)


def test_no_folder_and_no_task(policy: tuple[Any, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run_tasks(policy, ["ward_walls"], include_path=tmp_path / "absent")
    assert run_tasks(policy, []) == []


def test_the_harness_is_not_installed(policy: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ConfigError, match=r"not installed -> pip install 'wardround\[lm-eval\]'"):
        run_tasks(policy, ["ward_walls"])


@pytest.mark.slow
def test_an_unknown_task_is_refused_with_those_of_like_names(policy: tuple[Any, Any], folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no task ward_wals -> did you mean ward_walls"):
        run_tasks(policy, ["ward_wals"], include_path=folder)
