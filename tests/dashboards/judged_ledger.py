"""A ledger with a judge, and with surgeons who check it: figures that can be told by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from annotate.assessors import configured_assessors
from annotate.contests import contest
from annotate.rated import derived
from annotate.review.answers import VERSION
from ledger.records import (
    Call,
    Candidate,
    Comparison,
    Message,
    ModelVersion,
    Order,
    Prompt,
    Queue,
    Rating,
    ReviewItem,
    Verdict,
)
from ledger.store import Ledger
from ledger.workspace import Workspace, open_workspace

JUDGE = "judge:large"
CONFIG = '\n[judge]\nmodel = "large"\nbase_url = "http://127.0.0.1:9/v1"\n'
SFT, FIRST = ModelVersion("sft", "sft", "w0"), ModelVersion("round-1-dpo", "dpo", "w1")
DAY = 86_400_000
MORNING = 20_000 * DAY + DAY // 3  # 2024-10-04, 8:00 UTC, in Unix milliseconds


@dataclass(frozen=True)
class Contest:
    """Two answers; the first, the canonical ``a``, is the better one, and the longer one in every other contest."""

    number: int
    prompt: Prompt
    a: Candidate
    b: Candidate


def configured(folder: Path) -> Workspace:
    """The workspace in a folder, with the judge in its configuration."""
    with (folder / "wardround.toml").open("a", encoding="utf-8") as file:
        file.write(CONFIG)
    with open_workspace(folder) as workspace:
        return workspace


def rubric_of(workspace: Workspace) -> str:
    """The present version of the judge's rubric."""
    (assessor,) = configured_assessors(workspace)
    return assessor.versions[0]


@contextmanager
def on_day(day: int) -> Iterator[None]:
    """What is appended meanwhile is written down on the morning of this day."""
    with patch("ledger.store._now", lambda: MORNING + day * DAY):
        yield


def contests(ledger: Ledger, numbers: Sequence[int]) -> list[Contest]:
    """Write questions with two answers each."""
    made = [_contest(number) for number in numbers]
    ledger.append([SFT, FIRST, *(each.prompt for each in made), *(side for each in made for side in (each.a, each.b))])
    return made


def _contest(number: int) -> Contest:
    prompt = Prompt(
        (Message("user", f"Question {number}?"),),
        mode="clinical" if number % 4 else "exam",
        split="eval",
        topic="hernia" if number % 2 else "biliary",
    )
    models = (SFT.id, FIRST.id)
    one, other = sorted((Candidate(prompt.id, model, f"{model} on {number}") for model in models), key=lambda c: c.id)
    longer = "so " * 20
    sides = (longer, "") if number % 2 else ("", longer)
    a, b = (replace(each, text=more + each.text) for each, more in zip((one, other), sides, strict=True))
    a, b = sorted((a, b), key=lambda each: each.id)
    return Contest(number, prompt, a, b)


def judged(ledger: Ledger, on: Sequence[Contest], rubric: str, judge: str = JUDGE) -> list[Comparison]:
    """Of ten contests the judge flips on one, fails in one order on one, and is wrong in both on one."""
    said = [verdict_of(each, order, rubric, judge) for each in on for order in ("ab", "ba")]
    calls = [Call(each.call or "", judge, run=each.id, tokens_in=90, tokens_out=10, cost=0.001) for each in said]
    ledger.append([*said, *calls])
    return said


def verdict_of(on: Contest, order: Order, rubric: str, judge: str = JUDGE) -> Comparison:
    """What the judge says of one contest in one order."""
    kind = on.number % 10
    verdict: Verdict = "a" if order == "ab" else "b"  # whichever is shown first
    if kind == 1:
        verdict = "a" if order == "ab" else "invalid"
    elif kind:
        verdict = "b" if kind == 2 else "a"
    sure = 0.6 + 0.05 * (on.number % 8)
    return Comparison(
        on.prompt.id,
        on.a.id,
        on.b.id,
        on.a.model,
        on.b.model,
        judge,
        verdict,
        strength={"a": sure, "b": 1 - sure}.get(verdict, 0.5),
        order=order,
        rubric=rubric,
        cause="timeout: no answer" if verdict == "invalid" else "",
        call=f"{judge} {on.number} {order}",
        tokens=100,
        cost=0.001,
        seconds=1.0,
    )


def pointed(ledger: Ledger, on: Sequence[Contest], criteria: str, judge: str = JUDGE) -> list[Comparison]:
    """The judge rates each answer by itself, the first one better; the comparisons that this amounts to."""
    rates = [(_points(each.a, criteria, judge, 0.9), _points(each.b, criteria, judge, 0.2)) for each in on]
    made = [derived(contest(each.prompt, each.a, each.b), *both) for each, both in zip(on, rates, strict=True)]
    ledger.append([*(each for both in rates for each in both), *made])
    return made


def _points(answer: Candidate, criteria: str, judge: str, score: float) -> Rating:
    said = (answer.prompt, answer.id, answer.model, judge, score)
    return Rating(*said, rubric=criteria, call=f"{judge} {answer.id}", tokens=70, cost=0.002, seconds=1.0)


def sent(ledger: Ledger, on: Sequence[Contest], queue: Queue = "random", batch: int = 1) -> list[ReviewItem]:
    """Send contests to surgeons."""
    items = [ReviewItem(each.prompt.id, each.a.id, each.b.id, "ab", queue, batch, 1.0) for each in on]
    ledger.append(items)
    return items


def rated(
    ledger: Ledger, items: Sequence[ReviewItem], surgeon: str, verdict: Verdict = "a", seconds: float = 60.0
) -> list[Comparison]:
    """One surgeon's answers to review items."""
    said = [_rating(ledger, item, surgeon, verdict, seconds) for item in items]
    ledger.append(said)
    return said


def _rating(ledger: Ledger, item: ReviewItem, surgeon: str, verdict: Verdict, seconds: float) -> Comparison:
    a, b = (ledger.get(Candidate, each) for each in (item.a, item.b))
    return Comparison(
        item.prompt,
        item.a,
        item.b,
        a.model,
        b.model,
        f"surgeon:{surgeon}",
        verdict,
        strength={"a": 0.75, "b": 0.25}.get(verdict, 0.5),
        rubric=VERSION,
        item=item.id,
        count=0 if item.repeat_of else 1,
        seconds=seconds,
    )
