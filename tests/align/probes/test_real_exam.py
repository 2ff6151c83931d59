from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from align.probes.exam import ExamAnswer, likeliest
from align.probes.exam_report import exam
from align.probes.likelihood import option_logprobs
from align.probes.option_orders import showings
from align.probes.sets import as_choice
from align.tiny_policy import make_tiny_policy
from ledger.config import ChatConfig, ModelConfig
from ledger.records import Prompt
from sampling.layouts import choose_layout
from sampling.models import PolicySource, load_policy, load_tokenizer
from sampling.prompts import Rules, draft
from tests.real_data import real_file


def real_questions() -> list[Prompt]:
    text = real_file("medmcqa_surgical/medmcqa_surgical.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.strip().split("\n")]
    rules = Rules(choose_layout("medmcqa", list(rows[0]), {}, "medmcqa"))
    return [draft(row, rules, "medmcqa").prompt for row in rows]


def real_decisions() -> list[Prompt]:
    text = real_file("pubmedqa/pubmedqa_dev500.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.strip().split("\n")]
    rules = Rules(choose_layout("pubmedqa", list(rows[0]), {}, "pubmedqa"))
    drafts = [(draft(row, rules, "pubmedqa").prompt, row["final_decision"]) for row in rows]
    return [replace(as_choice(prompt, decision), context=prompt.context[:1]) for prompt, decision in drafts]


@pytest.mark.parametrize(("exam_of", "options"), [(real_questions, 4), (real_decisions, 3)])
def test_an_untrained_model_is_at_chance(exam_of: Callable[[], list[Prompt]], options: int, tmp_path: Path) -> None:
    questions = exam_of()[::2]
    chance = 1 / options
    make_tiny_policy(tmp_path / "policy", (prompt.question for prompt in questions), vocabulary=1_000)
    source = PolicySource(str(tmp_path / "policy"), (), ModelConfig(device="cpu"))
    shown = [each for prompt in questions for each in showings(prompt, options)]
    scored = option_logprobs(load_policy(source), load_tokenizer(source), [each.prompt for each in shown], ChatConfig())
    answers = [ExamAnswer(shown[s.place].question, shown[s.place].order, likeliest(s.logprobs)) for s in scored]
    found = exam({prompt.id: prompt for prompt in questions}, answers)
    assert found is not None
    assert (found.questions, found.unreadable) == (len(questions), 0)
    assert found.showings > 0.95 * options * len(questions)
    assert found.chance == pytest.approx(chance)
    assert found.accuracy.low is not None
    assert found.accuracy.high is not None
    assert found.accuracy.low <= chance <= found.accuracy.high
    assert found.accuracy.high - found.accuracy.low < 0.15
    assert any(place.is_favoured for place in found.places)  # it has learnt nothing but has its letters
