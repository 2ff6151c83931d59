"""Short real runs: a good one passes every check, and one with something wrong fails that check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from align.export.rows import Preference, paired_rows, unpaired_rows
from align.preference.runs import TrainingRun
from align.preflight.sanity import Answer, _flipped, _memorising, answers_of, by_hand, check_sanity, fingerprint
from align.preflight.sanity_checks import Sanity
from ledger.config import AlignConfig, ModelConfig
from ledger.errors import StageError
from sampling.models import PolicySource, load_policy, load_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = [
    "begins at the reference",
    "mask is right",
    "prompt is read",
    "trains only what it should",
    "memorises",
    "loss falls",
]
PREFERENCES = [
    Preference(({"role": "user", "content": f"{number}. What is a hernia?"},), f"A protrusion {number}.", "The wall.")
    for number in range(10)
]


def tried(policy: Path, method: Literal["dpo", "kto", "orpo"], preferences: list[Preference], **columns: Any) -> Sanity:
    source = PolicySource(str(policy), (), ModelConfig())
    rows = unpaired_rows(preferences, 0) if method == "kto" else paired_rows(preferences)
    config = AlignConfig(method=method, lora_rank=4, learning_rate=1e-3, batch_size=4)
    run = TrainingRun(None, load_tokenizer(source), [{**row, **columns} for row in rows], config, policy / "unused")
    found = check_sanity(run, lambda: load_policy(source))
    assert [check.name for check in found.checks] == NAMES
    assert not run.folder.exists()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dpo", "kto", "orpo"])
def test_a_good_run_passes(method: Literal["dpo", "kto", "orpo"], tiny_policy: Path) -> None:
    found = tried(tiny_policy, method, PREFERENCES)
    assert found.passed, found.text()


@pytest.mark.slow
def test_what_is_wrong_is_found(tiny_policy: Path) -> None:
    """Equal answers cannot be told apart; a context that the trainer does not leave out shows in the mask."""
    same = [replace(each, rejected=each.chosen) for each in PREFERENCES]
    found = tried(tiny_policy, "dpo", same, chosen_context=2)
    wrong = {check.name for check in found.checks if not check.passed}
    assert {"mask is right", "memorises"} <= wrong <= {"mask is right", "memorises", "loss falls", NAMES[3]}


def test_no_pairs(tiny_policy: Path) -> None:
    with pytest.raises(StageError, match="no pairs to look at"):
        tried(tiny_policy, "dpo", [])


class TestByHand:
    @pytest.fixture
    def model(self, tiny_policy: Path) -> Any:
        return load_policy(PolicySource(str(tiny_policy), (), ModelConfig()))

    def test_it_is_the_sum_over_the_answers(self, model: Any) -> None:
        """Against the model's own mean cross-entropy."""
        import torch

        answers = [Answer((5, 6, 7), (8, 9), 0, True), Answer((5, 6), (9, 10, 11), 1, False)]
        found, labelled = by_hand(model, answers, mean=False)
        ids = torch.tensor([[5, 6, 7, 8, 9]])
        chosen = model(input_ids=ids, labels=torch.tensor([[-100, -100, -100, 8, 9]])).loss
        ids = torch.tensor([[5, 6, 9, 10, 11]])
        rejected = model(input_ids=ids, labels=torch.tensor([[-100, -100, -100, 10, 11]])).loss
        assert labelled == 4
        assert list(found) == pytest.approx([-2 * chosen.item(), -2 * rejected.item()], rel=1e-5)
        assert by_hand(model, answers, mean=True)[0][0] == pytest.approx(found[0] / 2, rel=1e-5)

    def test_another_prompt_token_moves_it_but_not_the_count(self, model: Any) -> None:
        answers = [Answer((5, 6, 7), (8, 9), 0, True)]
        flipped = [_flipped(each) for each in answers]
        assert (flipped[0].prompt, flipped[0].answer) == ((5, 5, 7), (8, 9))
        one, other = by_hand(model, answers, mean=False), by_hand(model, flipped, mean=False)
        assert one[1] == other[1] == 2
        assert one[0][0] != other[0][0]

    def test_a_changed_weight_shows(self, model: Any) -> None:
        before = fingerprint(model.parameters())
        assert before == fingerprint(model.parameters())
        next(model.parameters()).data[0, 0] += 0.01
        assert before != fingerprint(model.parameters())


class TestAnswers:
    def test_rendered_with_the_template(self, tiny_policy: Path) -> None:
        tokenizer = load_tokenizer(PolicySource(str(tiny_policy), (), ModelConfig()))
        chosen, rejected = answers_of(paired_rows(PREFERENCES[:1]), tokenizer, 2_048)
        assert tokenizer.decode(chosen.prompt).endswith("0. What is a hernia?<|im_end|>\n<|im_start|>assistant\n")
        assert tokenizer.decode(chosen.answer) == "A protrusion 0.<|im_end|>"
        assert tokenizer.decode(rejected.answer) == "The wall.<|im_end|>"
        assert (chosen.chosen, rejected.chosen, chosen.context) == (True, False, 0)

    def test_token_ids_are_taken_as_they_are(self) -> None:
        row = {"prompt_ids": [1, 2], "chosen_ids": [3, 4, 5], "rejected_ids": [6], "chosen_context": 1}
        chosen, rejected = answers_of([row], None, 4)
        assert chosen == Answer((1, 2), (3, 4), 1, True)
        assert rejected == Answer((1, 2), (6,), 0, False)
        unpaired = {"prompt_ids": [1], "completion_ids": [2], "context": 1, "label": False}
        assert answers_of([unpaired], None, 4) == [Answer((1,), (2,), 1, False)]


@pytest.mark.parametrize(("method", "rows", "batch"), [("dpo", 8, 4), ("dpo", 7, 1), ("kto", 16, 4), ("kto", 14, 2)])
def test_the_first_step_holds_the_whole_handful(method: Any, rows: int, batch: int) -> None:
    config = _memorising(AlignConfig(method=method, batch_size=5), rows)
    assert (config.batch_size, config.gradient_accumulation) == (batch, rows // batch)
    assert config.trainer["max_steps"] == 25
