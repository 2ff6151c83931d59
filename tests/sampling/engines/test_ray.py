"""Answers drawn on a cluster of this machine are the embedded engine's, whoever dies while they are drawn."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.config import ChatConfig, Config, parse_config
from ledger.errors import ModelError
from ledger.records import Message, Prompt
from sampling.engines.protocol import Answer, Request, Sample
from sampling.engines.ray import LOST, open_ray
from sampling.engines.ray_work import TransformersWork, TransformersWorker, packed, unpacked
from sampling.engines.transformers import open_transformers
from sampling.models import PolicySource

QUESTIONS = ("What is a hernia?", "Which wall contains a hernia?", "Of what is it a protrusion?", "What bulges?")
TOKENS = 8
WORKER = b"ray::MapWorker"


def configured(**sample: Any) -> Config:
    config = parse_config("[ray]\nreplicas = 2\n")
    return config.model_copy(
        update={"sample": config.sample.model_copy(update={"max_new_tokens": TOKENS, "batch_size": 4, **sample})}
    )


def source_at(folder: Path, config: Config) -> PolicySource:
    return PolicySource(str(folder), (), config.model)


def request(number: int, seeds: int = 2, temperature: float = 0.9, context: tuple[str, ...] = ()) -> Request:
    prompt = Prompt((Message("user", f"{number}. {QUESTIONS[number % len(QUESTIONS)]}"),), context=context)
    first = 1000 * number
    return Request(prompt, ChatConfig(), temperature, tuple(range(first, first + seeds)))


def asked() -> list[Request]:
    """Requests with one, two or three seeds, at two temperatures; the sixth has its answers already."""
    return [request(number, (number % 3) + 1 if number != 5 else 0, 0.7 + (number % 2) / 2) for number in range(40)]


def told(samples: Iterable[Sample]) -> list[tuple[Any, ...]]:
    return [(sample.text, sample.seed, sample.finish_reason, sample.tokens) for sample in samples]


def by_question(answers: Iterable[Answer]) -> dict[str, list[tuple[Any, ...]]]:
    listed = list(answers)
    assert not [answer.cause for answer in listed if answer.cause]
    found = {answer.request.prompt.question: told(answer.samples) for answer in listed}
    assert len(found) == len(listed)
    return found


@pytest.fixture(scope="module")
def embedded(tiny_policy: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What the embedded engine answers."""
    config = configured()
    with open_transformers(source_at(tiny_policy, config), config.sample) as engine:
        return by_question(answer for ended in engine.sample(asked()) for answer in ended)


def worker_pids() -> list[int]:
    """The processes of this process's cluster that hold a model."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            title, parent = (place / "cmdline").read_bytes(), parent_of(int(place.name))
            if title.startswith(WORKER) and parent_of(parent) == os.getpid():
                found.append(int(place.name))
        except OSError:  # it has ended
            continue
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_costs_a_retry_and_the_answers_are_those_of_the_embedded_engine(
    tiny_policy: Path, embedded: dict[str, list[tuple[Any, ...]]]
) -> None:
    config = configured(batch_size=2, overlong="cut_context")
    cut = request(90, context=("It bulges. " * 40, "It is a wall. " * 300))
    refused = Request(Prompt((Message("user", "wall " * 3000),)), ChatConfig(), 0.9, (7,))
    ended: list[Sequence[Answer]] = []
    killed = 0
    with open_ray(source_at(tiny_policy, config), config) as engine:
        for answers in engine.sample(iter([*asked()[::-1], cut, refused])):
            ended.append(answers)
            if not killed:
                killed = worker_pids()[0]
                os.kill(killed, signal.SIGKILL)
    assert killed not in worker_pids()
    assert max(map(len, ended)) == 2  # as batches end, not all in the end
    found = {answer.request.prompt.id: answer for answers in ended for answer in answers}
    assert found.pop(refused.prompt.id).cause.startswith("too long: ")
    shortened = found.pop(cut.prompt.id)
    assert shortened.request.passages == 1
    assert [sample.seed for sample in shortened.samples] == [90_000, 90_001]
    assert by_question(found.values()) == embedded
    assert found[asked()[1].prompt.id].request == asked()[1]
    assert asked()[5].prompt.id not in found


class Fatal:
    """Ends the worker that it comes to."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, ("__import__('os')._exit(1) if 'default_worker' in __import__('sys').argv[0] else None",)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_prompt_that_kills_its_worker_is_told_as_lost_and_what_is_left_early_ends(
    tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sampling.engines.ray.READ_AHEAD", 1)  # 32 prompts: two passes
    monkeypatch.setattr("sampling.engines.ray_work.ATTEMPTS", 1)
    config = parse_config(f"[ray]\nreplicas = 1\n[sample]\nmax_new_tokens = {TOKENS}\nbatch_size = 1\n")
    deadly = Request(request(0).prompt, ChatConfig(template={"fatal": Fatal()}), 0.9, (1,))
    read: list[Request] = []

    def requests() -> Iterator[Request]:
        for each in [deadly, *(request(number) for number in range(1, 60))]:
            read.append(each)
            yield each

    causes: dict[str, str] = {}
    with open_ray(source_at(tiny_policy, config), config) as engine, closing(engine.sample(requests())) as answers:
        while len(causes) < 32:
            causes |= {answer.request.prompt.question: answer.cause for answer in next(answers)}
            assert len(read) == 32
        next(answers)
        assert len(read) == 60
        assert worker_pids()
    assert causes == {request(number).prompt.question: "" if number else LOST for number in range(32)}
    assert ended_soon(worker_pids())


def test_what_a_worker_cannot_do_is_told_in_one_line(tmp_path: Path, tiny_policy: Path) -> None:
    config = configured()
    refusal = TransformersWorker(source_at(tmp_path, config), config.sample, 1, None).answered([request(1)])
    with pytest.raises(ModelError, match=r"model.* does not load") as caught:
        TransformersWork(source_at(tmp_path, config), config, 1).read({"number": 0, "came": packed(refusal)})
    assert str(tmp_path) in str(caught.value)
    assert caught.value.advice
    broken = configured(top_p=None)
    came = TransformersWorker(source_at(tiny_policy, broken), broken.sample, 1, None).answered([request(1)])
    (answer,) = TransformersWork(source_at(tiny_policy, broken), broken, 1).read({"number": 0, "came": packed(came)})
    assert answer.request == request(1)
    assert answer.cause.startswith("broken off by a worker: TypeError: ")
    assert not answer.samples


def ended_soon(pids: Iterable[int]) -> bool:
    """Do all of the processes end within some seconds?"""
    for pid in pids:
        with suppress(ProcessLookupError):
            ending = os.pidfd_open(pid)
            ended, _, _ = select.select([ending], [], [], 20)
            os.close(ending)
            if not ended:
                return False
    return True


def test_without_anything_to_draw_no_cluster_is_looked_for(tiny_policy: Path) -> None:
    config = parse_config('[ray]\naddress = "127.0.0.1:1"\n')
    with open_ray(source_at(tiny_policy, config), config) as engine:
        assert engine.name == "ray"
        assert list(engine.sample([request(1, 0), request(2, 0)])) == []


def test_batches_are_of_like_length_and_the_same_when_some_have_their_answers(tiny_policy: Path) -> None:
    config = configured(batch_size=2)
    work = TransformersWork(source_at(tiny_policy, config), config, 1)
    asks = [
        Request(Prompt((Message("user", "x" * length),)), ChatConfig(), 0.9, (length,)) for length in (10, 40, 20, 30)
    ]

    def lengths(requests: Sequence[Request]) -> list[list[int]]:
        batches = [unpacked(row["requests"]) for block in work.blocks(requests) for row in block.rows]
        return [[len(each.prompt.question) for each in batch] for batch in batches]

    assert lengths(asks) == [[40, 30], [20, 10]]
    known = [Request(each.prompt, each.chat, 0.9, () if each.seeds[0] in (40, 20, 10) else each.seeds) for each in asks]
    assert lengths(known) == [[30]]
    numbers = [row["number"] for block in work.blocks(asks) for row in block.rows]
    assert numbers == [3, 4]


@pytest.mark.slow
def test_the_command_starts_a_cluster_and_leaves_none(tmp_path: Path, tiny_policy: Path) -> None:
    (tmp_path / "wardround.toml").write_text(
        f'[model]\npath = "{tiny_policy}"\n'
        f'[sample]\nengine = "ray"\nn = 2\nmax_new_tokens = {TOKENS}\n'
        "[import]\neval_share = 0.0\n[ray]\nreplicas = 1\n"
    )
    rows = b"".join(orjson.dumps({"question": question}) + b"\n" for question in QUESTIONS)
    (tmp_path / "questions.jsonl").write_bytes(rows)
    command = [sys.executable, "-m", "wardround"]
    for arguments in (["import", "questions.jsonl"], ["sample", "--json"]):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    facts = orjson.loads(done.stdout)
    assert facts["engine"] == "ray"
    assert facts["candidates"] == 2 * len(QUESTIONS)
    assert "Traceback" not in done.stderr
