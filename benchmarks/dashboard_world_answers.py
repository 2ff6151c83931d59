"""Questions, models and answers of the generated ledger; each answer has a hidden quality, by which all is judged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.judging_material import bundled, said
from ledger.records import Candidate, Message, Method, Mode, Prompt
from sampling.chat import LETTERS

MORE_TOPICS = ("bariatric", "cardiac", "ear_nose_throat", "emergency", "gynaecology", "neurosurgery", "plastic",
    "spine", "thoracic")  # fmt: skip
HELD_OUT = 5  # every fifth question
CHARACTERS = (250, 1_100)  # of an answer, before it grows with the rounds
GROWTH = 0.02  # of the answers' length with each round
POOL = 1_500  # different texts; a question's number makes each answer its own
METHODS: tuple[Method, ...] = ("dpo", "dpo", "ipo", "dpo", "orpo", "dpo", "kto", "dpo")
HELD = 4  # every fourth round brings nothing, and should not be promoted
FIRST_GAIN, FADING = 0.5, 0.92  # of quality, by a round; in standard deviations of one answer's quality


@dataclass(frozen=True)
class Planned:
    """A round: from which model it starts (0 is SFT), by which method, how good its model is, and is that better?"""

    number: int
    policy: int
    method: Method
    skill: float
    gains: bool


class Answer(NamedTuple):
    """What judging needs of a candidate."""

    id: str
    model: int
    quality: float
    length: int
    option: str  # that it states, of a multiple-choice question


class _Lots(NamedTuple):
    """What chance has to do with an answer."""

    quality: float  # standard normal
    text: int  # place in the pool
    luck: float  # in [0, 1)
    seed: int


class Question(NamedTuple):
    """What judging needs of a prompt."""

    id: str
    mode: Mode
    topic: str
    key: str  # the right option, of a multiple-choice question


def planned(number: int, policy: int, skill: float) -> Planned:
    """A round on top of a policy of this skill: gains fade from round to round, and every fourth brings nothing."""
    gains = number % HELD != HELD - 1
    gain = FIRST_GAIN * FADING ** (number - 1) if gains else -0.03
    return Planned(number, policy, METHODS[(number - 1) % len(METHODS)], skill + gain, gains)


def made_prompts(number: int, seed: int) -> Iterator[Prompt]:
    """So many questions, of both modes, a quarter multiple-choice, a fifth held out."""
    rng = random.Random(f"{seed} prompts")
    rows = {kind: [row for row in bundled() if row["kind"] == kind] for kind in ("open", "mcq")}
    topics = sorted({row["topic"] for row in bundled()})
    for place in range(number):
        row = rng.choice(rows["mcq" if rng.random() < 0.25 else "open"])
        topic = rng.choice(MORE_TOPICS) if rng.random() < 0.3 else str(row["topic"] or rng.choice(topics))
        yield _prompt(row, place, topic, rng)


def _prompt(row: dict[str, Any], place: int, topic: str, rng: random.Random) -> Prompt:
    messages = tuple(Message(each["role"], each["content"]) for each in row["messages"])
    asked = f"{messages[-1].content} The patient is {20 + place % 70} years old, file {place}."
    mcq = row["kind"] == "mcq"
    return Prompt(
        messages=(*messages[:-1], messages[-1]._replace(content=asked)),
        mode="exam" if mcq or rng.random() < 0.3 else "clinical",
        kind=row["kind"],
        context=tuple(said(rng, 400) for _ in range(2)) if place % 11 == 0 else (),
        reference=row["reference"],
        options=tuple(row.get("options") or ()),
        answer=row.get("answer"),
        split="eval" if place % HELD_OUT == 0 else "train",
        topic=topic,
        source="generated.jsonl",
    )


def question_of(prompt: Prompt) -> Question:
    """What judging needs of it."""
    return Question(prompt.id, prompt.mode, prompt.topic, prompt.answer or "")


class Answering:
    """Draws answers of all models, a batch of questions at a time."""

    def __init__(self, seed: int) -> None:
        """No model yet: append its id and its skill to ``models`` and ``skills``, SFT first."""
        self.models: list[str] = []
        self.skills: list[float] = []
        self.numbers = np.random.default_rng(seed)
        rng = random.Random(f"{seed} texts")
        self.pool = [said(rng, rng.randint(*CHARACTERS)) for _ in range(POOL)]
        self.bent: dict[str, float] = {}  # how much more or less than elsewhere a topic gains

    def answers(self, prompts: Sequence[Prompt], model: int, number: int = 1) -> list[tuple[Candidate, Answer]]:
        """So many answers of one model to each."""
        drawn = self.numbers.normal(size=len(prompts) * number).tolist()
        texts = self.numbers.integers(POOL, size=len(drawn)).tolist()
        lucky = self.numbers.random(len(drawn)).tolist()
        seeds = self.numbers.integers(2**31, size=len(drawn)).tolist()
        asked = [prompt for prompt in prompts for _ in range(number)]
        lots = map(_Lots, drawn, texts, lucky, seeds)
        return [self._answer(prompt, model, each) for prompt, each in zip(asked, lots, strict=True)]

    def _answer(self, prompt: Prompt, model: int, lots: _Lots) -> tuple[Candidate, Answer]:
        drawn, place, lucky, seed = lots
        if prompt.topic not in self.bent:
            self.bent[prompt.topic] = float(self.numbers.uniform(0.4, 1.6))
        quality = self.skills[model] * self.bent[prompt.topic] + drawn
        whole = self.pool[place]
        text = whole[: int(len(whole) * min(1.0, 0.7 + GROWTH * model))]
        option = ""
        if prompt.answer:
            right = lucky < 0.45 + 0.18 * self.skills[model]
            option = prompt.answer if right else _wrong(prompt, seed)
            text = f"The answer is {option}, {prompt.options[LETTERS.index(option)]}. Reason: {text}"
        candidate = Candidate(
            prompt=prompt.id,
            model=self.models[model],
            text=text,
            seed=seed,
            parameters=PARAMETERS,
            finish_reason="length" if lucky > 0.99 else "stop",
            tokens=len(text) // 4,
            logprob=-1.2 + 0.05 * drawn,
        )
        return candidate, Answer(candidate.id, model, quality, len(text), option)


PARAMETERS = {"chat": "2f2b3fc2", "engine": "vllm", "max_new_tokens": 512, "seed": 0, "temperature": 0.9, "top_p": 1.0}


def _wrong(prompt: Prompt, seed: int) -> str:
    others = [letter for letter in LETTERS[: len(prompt.options)] if letter != prompt.answer]
    return others[seed % len(others)]
