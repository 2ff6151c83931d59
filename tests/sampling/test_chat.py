"""What a policy is shown when it answers is what it is trained on, token by token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from align.export.rows import Preference, paired_rows, unpaired_rows
from align.preference.runs import TrainingRun, make_trainer
from align.tiny_policy import CHAT_TEMPLATE
from ledger.config import ChatConfig, parse_config
from ledger.errors import ModelError
from ledger.records import Message, Prompt
from sampling.chat import CITE, CONTEXT_ONLY, conversation, prompt_tokens, template_faults
from sampling.quiet import quiet
from tests.sampling.templates import like_gpt_oss, like_qwen3

CHAT = ChatConfig(clinical="You are a surgeon.", exam="Give the letter.")
QUESTION = (Message("user", "What is a hernia?"),)
FOLLOW_UP = (
    Message("user", "What is a hernia?"),
    Message("assistant", "A protrusion."),
    Message("user", "Through what?"),
)
REFUSES_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"


def test_the_system_prompt_is_the_modes() -> None:
    assert conversation(Prompt(QUESTION), CHAT) == [
        {"role": "system", "content": "You are a surgeon."},
        {"role": "user", "content": "What is a hernia?"},
    ]
    assert conversation(Prompt(QUESTION, mode="exam"), CHAT)[0]["content"] == "Give the letter."


def test_an_empty_system_prompt_is_left_out() -> None:
    assert conversation(Prompt(QUESTION), ChatConfig()) == [{"role": "user", "content": "What is a hernia?"}]


def test_a_conversations_own_system_turn_stays() -> None:
    turns = conversation(Prompt((Message("system", "You are a nurse."), *QUESTION)), CHAT)
    assert [turn["content"] for turn in turns] == ["You are a nurse.", "What is a hernia?"]


def test_passages_come_before_the_last_question_and_options_after_it() -> None:
    prompt = Prompt(FOLLOW_UP, context=("The wall is weak.", "It holds fat."), options=("Wall", "Bowel"))
    turns = conversation(prompt, ChatConfig())
    assert [turn["content"] for turn in turns[:2]] == ["What is a hernia?", "A protrusion."]
    assert turns[2]["content"] == "[1] The wall is weak.\n[2] It holds fat.\nThrough what?\nA. Wall\nB. Bowel"
    assert prompt.messages == FOLLOW_UP


@pytest.mark.parametrize(("context", "expected"), [(("The wall is weak.",), 1), ((), 0)])
def test_context_only_is_said_where_there_is_context(context: tuple[str, ...], expected: int) -> None:
    turns = conversation(Prompt(QUESTION, context=context), ChatConfig(context_only=True))
    assert turns[-1]["content"].count(CONTEXT_ONLY) == expected


@pytest.fixture(params=["plain", "adds a BOS by itself"])
def tokenizer(request: pytest.FixtureRequest, tiny_policy: Path) -> Any:
    """The tiny policy's tokenizer, as it is, and as Llama's are: a BOS in the template and one from the tokenizer."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tiny_policy)
    if request.param == "plain":
        return loaded
    loaded.add_special_tokens({"bos_token": "<s>"})
    loaded.chat_template = "{{ bos_token }}" + CHAT_TEMPLATE
    loaded.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", loaded.bos_token_id)]
    )
    assert loaded("hernia")["input_ids"][0] == loaded.bos_token_id
    return loaded


def preferences() -> list[Preference]:
    asked = [
        Prompt(QUESTION),
        Prompt(FOLLOW_UP, context=("The wall is weak.",)),
        Prompt(QUESTION, options=("Wall", "Bowel")),
        Prompt((Message("user", "Wozu dient eine Naht? \u00e9\u4e2d"),)),
    ]
    answers = [("A protrusion.", "No."), ("The wall.", ""), ("B. It is so.", "A"), ("\u00c9toile", "1\n\n2")]
    turns = [tuple(conversation(prompt, CHAT)) for prompt in asked]
    return [Preference(each, *pair) for each, pair in zip(turns, answers, strict=True)]


def test_the_tokens_are_those_of_the_rendered_text(tokenizer: Any) -> None:
    for preference in preferences():
        turns = list(preference.turns)
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        assert prompt_tokens(tokenizer, turns, CHAT) == tokenizer(text, add_special_tokens=False)["input_ids"]
        assert text.endswith("<|im_start|>assistant\n")


def columns(
    method: str, tokenizer: Any, model: Any, folder: Path, template: Mapping[str, Any] | None = None
) -> tuple[list[Preference], list[Any]]:
    """Preferences, and the rows that TRL made of them, in the same order."""
    asked = [replace(each, template=template or {}) for each in preferences()]
    config = parse_config(f'[align]\nmethod = "{method}"\nlora_rank = 2').align
    rows = unpaired_rows(asked, 0) if method == "kto" else paired_rows(asked)
    with quiet():
        trainer = make_trainer(TrainingRun(model, tokenizer, rows, config, folder))
    by_turns = {repr(list(each.turns)): each for each in asked}
    return [by_turns[repr(row["prompt"])] for row in rows], list(trainer.train_dataset)


def sequences(method: str, row: Any) -> list[list[int]]:
    """What the model is run over: the prompt with each answer."""
    if method == "orpo":
        return [row["chosen_input_ids"], row["rejected_input_ids"]]
    answers = ["completion_ids"] if method == "kto" else ["chosen_ids", "rejected_ids"]
    return [[*row["prompt_ids"], *row[answer]] for answer in answers]


@pytest.mark.parametrize("method", ["dpo", "kto", "orpo"])
def test_trl_trains_on_answers_to_the_very_prompt_that_is_sampled(
    method: str, tokenizer: Any, tiny_policy: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    asked, rows = columns(method, tokenizer, model, tmp_path)
    assert len(rows) == len(asked) == (8 if method == "kto" else 4)
    for preference, row in zip(asked, rows, strict=True):
        shown = prompt_tokens(tokenizer, preference.turns, CHAT)
        for sequence in sequences(method, row):
            assert sequence[: len(shown)] == shown
            assert sequence[-1] == tokenizer.eos_token_id
            if tokenizer.bos_token_id is not None:
                assert sequence.count(tokenizer.bos_token_id) == 1
        if method == "orpo":
            assert row["chosen_labels"][: len(shown)] == [-100] * len(shown)
            assert row["chosen_labels"][len(shown)] != -100
        else:
            assert row["prompt_ids"] == shown


@pytest.mark.parametrize("method", ["dpo", "kto", "orpo"])
@pytest.mark.parametrize(
    ("like", "told"),
    [(like_qwen3, {}), (like_qwen3, {"enable_thinking": False}), (like_gpt_oss, {"reasoning_effort": "low"})],
)
def test_trl_shows_a_reasoning_model_the_prompt_that_is_sampled(
    like: Callable[[Any], Any], told: dict[str, Any], method: str, tiny_policy: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = like(AutoTokenizer.from_pretrained(tiny_policy))
    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    asked, rows = columns(method, tokenizer, model, tmp_path, told)
    for preference, row in zip(asked, rows, strict=True):
        shown = prompt_tokens(tokenizer, preference.turns, ChatConfig(template=told))
        for sequence in sequences(method, row):
            assert sequence[: len(shown)] == shown


def test_a_sound_template_has_no_fault(tokenizer: Any) -> None:
    assert template_faults(tokenizer, CHAT) == []


@pytest.mark.parametrize("told", [{}, {"enable_thinking": False}])
def test_templates_of_reasoning_models_are_sound(told: dict[str, Any], tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    for like in (like_qwen3, like_gpt_oss):
        assert template_faults(like(AutoTokenizer.from_pretrained(tiny_policy)), ChatConfig(template=told)) == []


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ bos_token }}{{ bos_token }}" + CHAT_TEMPLATE, "it writes the beginning token twice"),
        (CHAT_TEMPLATE + "{% if add_generation_prompt %}Say: {% endif %}", "is not the beginning of the text"),
    ],
)
def test_a_faulty_template_is_found(template: str, fault: str, tokenizer: Any) -> None:
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.chat_template = template
    (said,) = template_faults(tokenizer, CHAT)
    assert fault in said


@pytest.mark.parametrize(("share", "expected"), [(0.0, range(1)), (0.3, range(200, 400)), (1.0, range(1000, 1001))])
def test_a_stated_share_of_the_prompts_gets_the_system_prompt(share: float, expected: range) -> None:
    chat = ChatConfig(clinical="You are a surgeon.", system_share=share)
    asked = [Prompt((Message("user", f"Question {number}?"),)) for number in range(1000)]
    given = [conversation(prompt, chat)[0]["role"] == "system" for prompt in asked]
    assert sum(given) in expected
    assert given == [conversation(prompt, chat)[0]["role"] == "system" for prompt in asked]
    more = ChatConfig(clinical="You are a surgeon.", system_share=min(1.0, share + 0.2))
    assert all(
        conversation(prompt, more)[0]["role"] == "system" for prompt, had in zip(asked, given, strict=True) if had
    )


def test_passages_are_cut_from_the_end_and_keep_their_numbers() -> None:
    prompt = Prompt(QUESTION, context=("The wall is weak.", "It holds fat.", "It bulges."))
    chat = ChatConfig(context_only=True, cite=True)
    whole = conversation(prompt, chat)[-1]["content"]
    assert whole.splitlines()[:3] == ["[1] The wall is weak.", "[2] It holds fat.", "[3] It bulges."]
    assert whole.splitlines()[3:] == [CONTEXT_ONLY, CITE, "What is a hernia?"]
    cut = conversation(prompt, chat, 2)[-1]["content"]
    assert cut == whole.replace("[3] It bulges.\n", "")
    assert conversation(prompt, chat, 0) == [{"role": "user", "content": "What is a hernia?"}]


@pytest.mark.parametrize("template", [REFUSES_SYSTEM, "{{ nothing.at.all }}", None])
def test_a_template_that_refuses_is_one_line(template: str | None, tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match="the chat template refuses a conversation") as caught:
        prompt_tokens(tokenizer, [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], CHAT)
    assert str(tiny_policy) in str(caught.value)
    assert "\n" not in str(caught.value)
