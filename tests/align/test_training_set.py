"""The ledger's pairs as what a policy is trained on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from align.training import with_align
from align.training_set import TrainingSet, pair_material, training_set
from ledger.config import parse_config
from ledger.errors import StageError
from ledger.records import Candidate, Pair, Prompt
from ledger.workspace import Workspace
from sampling.models import PolicySource, load_tokenizer
from tests.annotate.answered import question

CONFIG = """
[chat]
clinical = "You answer surgeons."
"""


@pytest.fixture(scope="module")
def tokenizer(tiny_policy: Path) -> Any:
    return load_tokenizer(PolicySource(str(tiny_policy), (), parse_config("").model))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is trained does not depend on where the records are."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    return replace(workspace, config=parse_config(CONFIG))


def filled(workspace: Workspace, prompts: list[Prompt], weight: float = 0.9, reasoning: str = "") -> list[Pair]:
    """Two pairs of each prompt's three answers: the first before the second, the second before the third."""
    pairs = []
    for prompt in prompts:
        said = [Candidate(prompt.id, "m", text, reasoning) for text in ("A hernia.", "The wall.", "What?")]
        made = [Pair(prompt.id, one.id, other.id, weight, ()) for one, other in pairwise(said)]
        workspace.ledger.append([prompt, *said, *made])
        pairs += made
    return pairs


def rendered(workspace: Workspace, tokenizer: Any, pairs: list[Pair]) -> TrainingSet:
    of = pair_material(workspace, [pair.id for pair in pairs])
    return training_set(workspace, tokenizer, {tokenizer.eos_token_id}, of)


def test_the_policy_is_trained_on_what_it_was_asked(ready: Workspace, tokenizer: Any) -> None:
    """The system prompt is in the rows, the answer and its end are in the loss, the order is that of the pairs' ids."""
    pairs = filled(ready, [question(number) for number in range(3)])
    found = rendered(ready, tokenizer, list(reversed(pairs)))
    assert list(found.train.ids) == sorted(pair.id for pair in pairs)
    by_id = {pair.id: pair for pair in pairs}
    for name, row in zip(found.train.ids, found.rows, strict=True):
        shown = tokenizer.decode(row["prompt_ids"])
        assert "You answer surgeons." in shown
        assert ready.ledger.get(Prompt, by_id[name].prompt).question in shown
        for side in ("chosen", "rejected"):
            said = ready.ledger.get(Candidate, getattr(by_id[name], side))
            assert tokenizer.decode(row[f"{side}_ids"]) == said.text + tokenizer.eos_token
        assert row["weight"] == 0.9


def test_weights_count_where_they_are_wanted(ready: Workspace, tokenizer: Any) -> None:
    pairs = filled(ready, [question(0)])
    assert [row["weight"] for row in rendered(with_align(ready, pair_weights=False), tokenizer, pairs).rows] == [1, 1]


def test_kto_takes_each_answer_once_with_what_the_pairs_say_of_it(ready: Workspace, tokenizer: Any) -> None:
    """The second answer is better than the third as surely as it is worse than the first: it has no label."""
    pairs = filled(ready, [question(number) for number in range(4)])
    found = rendered(with_align(ready, method="kto"), tokenizer, pairs)
    said = [(tokenizer.decode(row["completion_ids"]), row["label"], row["weight"]) for row in found.rows]
    assert sorted(set(said)) == [("A hernia.<|im_end|>", True, 0.9), ("What?<|im_end|>", False, 0.9)]
    assert len(said) == 8
    assert [label for _, label, _ in said] == [True, False] * 4


def test_reasoning_is_context_unless_it_is_asked_for(ready: Workspace, tokenizer: Any) -> None:
    pairs = filled(ready, [question(0)], reasoning="Let me think.")
    plain = rendered(ready, tokenizer, pairs)
    asked = rendered(with_align(ready, train_reasoning=True), tokenizer, pairs)
    dropped = plain.train.counts.reasoning_dropped  # the tiny policy's template has no place for it
    assert dropped == 4
    assert [row["chosen_ids"] for row in plain.rows] == [row["chosen_ids"] for row in asked.rows]


def test_a_question_that_is_held_out_takes_its_near_duplicates_along(ready: Workspace, tokenizer: Any) -> None:
    first = [replace(question(number), group=f"g{number % 10}") for number in range(40)]
    pairs = filled(ready, first)
    found = rendered(with_align(ready, holdout=0.4), tokenizer, pairs)
    prompt_of = {pair.id: pair.prompt for pair in pairs}
    group_of = {prompt.id: prompt.group for prompt in first}
    trained, apart = ({group_of[prompt_of[name]] for name in part.ids} for part in (found.train, found.held_out))
    assert trained
    assert apart
    assert not trained & apart
    assert len(found.train.ids) + len(found.held_out.ids) == len(pairs)
    assert rendered(ready, tokenizer, pairs).held_out.rows == ()


def test_nothing_left_is_an_error(ready: Workspace, tokenizer: Any) -> None:
    pairs = filled(ready, [question(0)])
    with pytest.raises(StageError, match=r"no pair is left to train on -> .*--preflight"):
        rendered(with_align(ready, max_length=3), tokenizer, pairs)
