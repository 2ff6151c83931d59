"""What is judged in `benchmarks/judging.py`, and what the judge says: texts of the usual length, always the same."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from annotate.judge import ALTERNATIVES
from annotate.judge_protocol import LEVELS
from annotate.rubric import load_rubric
from ledger.records import Candidate, Message, ModelVersion, Prompt
from ledger.workspace import make_workspace, open_workspace

QUESTIONS = Path(__file__).resolve().parent.parent / "sampling" / "bundled" / "questions.jsonl"
ANSWERS = 4  # of a prompt, as `[sample] n` has it; each meets each, in both orders
JUDGMENTS = ANSWERS * (ANSWERS - 1)  # of a prompt
ANSWER, RATIONALE = 900, 400  # characters, about
WARMING = 20  # prompts of the eval split, judged before the clock starts
POLICY = ModelVersion("policy", "sft", "of nobody")
AT_ONCE = 500  # prompts

CONFIG = """\
[judge]
model = "judge"
base_url = "{url}"
concurrency = {in_flight}
"""
# Roughly as tokenizers cut: words with the space before them, parts of the levels' names, marks, digits.
TOKEN = re.compile(r" ?[A-Za-z]+|_[a-z]+|\d| ?[^\sA-Za-z\d_]+|\s|_")
OTHERS = (" the", " is", ",", " and", " of", "a", "b", "tie", "both", "_better", "_much")


def make_judging_workspace(root: Path, url: str, in_flight: int, judgments: int) -> int:
    """A workspace with answers for (about) so many judgments, and a few more to warm up on; return how many it has."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "wardround.toml").write_text(CONFIG.format(url=url, in_flight=in_flight), encoding="utf-8")
    make_workspace(root)
    prompts = -(-judgments // JUDGMENTS)
    numbers = iter(range(WARMING + prompts))
    with open_workspace(root) as workspace:
        workspace.ledger.append([POLICY])
        while some := list(islice(numbers, AT_ONCE)):
            asked = [_prompt(number) for number in some]
            workspace.ledger.append(asked)
            workspace.ledger.append(answer for prompt in asked for answer in _answers(prompt))
    return prompts * JUDGMENTS


def _prompt(number: int) -> Prompt:
    rng = random.Random(number)
    asked = f"{rng.choice(questions())} The patient is {20 + number % 70} years old, file {number}."
    split = "eval" if number < WARMING else "train"
    return Prompt((Message("user", asked),), reference=said(rng, 300), split=split)  # type: ignore[arg-type]


def _answers(prompt: Prompt) -> Iterator[Candidate]:
    for seed in range(ANSWERS):
        yield Candidate(prompt.id, POLICY.id, said(random.Random(f"{prompt.id}{seed}"), ANSWER), seed=seed)


def said(rng: random.Random, characters: int) -> str:
    """Whole sentences of the bundled references, about so many characters."""
    words = ""
    while len(words) < characters:
        words = f"{words} {rng.choice(sentences())}".lstrip()
    return words


@cache
def bundled() -> list[dict[str, Any]]:
    """The rows of the bundled questions."""
    return [orjson.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


@cache
def questions() -> list[str]:
    """The bundled questions."""
    return [row["messages"][-1]["content"] for row in bundled()]


@cache
def sentences() -> list[str]:
    """Those of the bundled references."""
    every = " ".join(row["reference"] or "" for row in bundled())
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", every) if len(sentence) > 20]


def completion(number: int, *, logprobs: bool) -> bytes:
    """One of the judge's responses, as servers give them."""
    text = _verdict(random.Random(number))
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None, "tool_calls": []},
        "logprobs": {"content": _told(text)} if logprobs else None,
        "finish_reason": "stop",
    }
    tokens = len(TOKEN.findall(text))
    return orjson.dumps(
        {
            "id": f"chatcmpl-{number:032x}",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "judge",
            "choices": [choice],
            "usage": {"prompt_tokens": 1_800, "completion_tokens": tokens, "total_tokens": 1_800 + tokens},
        }
    )


def _verdict(rng: random.Random) -> str:
    axes = load_rubric("surgical", Path()).of("clinical").axes
    scores = {axis: {"a": rng.randint(2, 5), "b": rng.randint(2, 5)} for axis in axes}
    return json.dumps({"rationale": said(rng, RATIONALE - 40), "scores": scores, "verdict": rng.choice(LEVELS)})


def _told(text: str) -> list[dict[str, Any]]:
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text
    return [_token(token, -0.1) | {"top_logprobs": _alternatives(token)} for token in tokens]


def _alternatives(token: str) -> list[dict[str, Any]]:
    others = [other for other in OTHERS if other != token]
    least = sum(map(ord, token)) % (len(others) - ALTERNATIVES)
    near = others[least : least + ALTERNATIVES - 1]
    return [_token(token, -0.1), *(_token(other, -3.0 - 0.7311 * place) for place, other in enumerate(near))]


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
