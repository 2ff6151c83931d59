"""What a model is shown: a prompt as a conversation, rendered by the tokenizer's own chat template.

Sampling and training render through the same two functions, so that a policy is trained on exactly what it will see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.config import ChatConfig
from ledger.errors import ModelError
from ledger.lots import lot
from ledger.records import Message, Prompt

Turn = dict[str, str]  # {"role": ..., "content": ...}: what chat templates and TRL take
LETTERS = "ABCDEFGHIJ"  # of options: a question has ten at most
CONTEXT_ONLY = "Answer only from the passages above; say so if the answer is not there."
CITE = "Name the passages that the answer rests on by their numbers, such as [1]."


def conversation(prompt: Prompt, chat: ChatConfig, passages: int | None = None) -> list[Turn]:
    """The turns that a model answers: the mode's system prompt, then the conversation.

    Numbered passages (the first ``passages`` of them, by default all) come before the last question, lettered options
    after it.
    """
    turns = [{"role": message.role, "content": message.content} for message in prompt.messages]
    turns[-1]["content"] = _last_turn(prompt, chat, prompt.context[:passages])
    system = _system_prompt(prompt, chat)
    has_own = turns[0]["role"] == "system"
    return turns if has_own or not system else [{"role": "system", "content": system}, *turns]


def _system_prompt(prompt: Prompt, chat: ChatConfig) -> str:
    # By the prompt's id, so that training shows the prompt as sampling did.
    if lot("system prompt", prompt.id) >= chat.system_share:
        return ""
    return chat.clinical if prompt.mode == "clinical" else chat.exam


def _last_turn(prompt: Prompt, chat: ChatConfig, passages: Sequence[str]) -> str:
    parts = [f"[{number}] {passage}" for number, passage in enumerate(passages, start=1)]
    if passages and chat.context_only:
        parts.append(CONTEXT_ONLY)
    if passages and chat.cite:
        parts.append(CITE)
    parts.append(prompt.question)
    parts.extend(f"{letter}. {option}" for letter, option in zip(LETTERS, prompt.options, strict=False))
    return "\n".join(parts)


def template_faults(tokenizer: Any, chat: ChatConfig) -> list[str]:
    """What is wrong with a chat template for our purposes; nothing, for a sound one.

    Raises:
        ModelError: the template refuses a plain conversation with the configured system prompt.
    """
    asked = Prompt(
        (Message("user", "What is a hernia?"), Message("assistant", "A bulge."), Message("user", "Of what?"))
    )
    turns = conversation(asked, chat.model_copy(update={"system_share": 1.0}))
    shown = prompt_tokens(tokenizer, turns, chat)
    answered = [*turns, {"role": "assistant", "content": "Of an organ."}]
    whole = tokenizer.apply_chat_template(answered, tokenize=True, return_dict=True, **chat.template)["input_ids"]
    faults = []
    if tokenizer.bos_token_id is not None and list(shown[:2]) == [tokenizer.bos_token_id] * 2:
        faults.append("it writes the beginning token twice")
    if list(whole[: len(shown)]) != shown:
        faults.append("the prompt is not the beginning of the text that is trained on")
    return faults


def prompt_tokens(tokenizer: Any, turns: Sequence[Mapping[str, str]], chat: ChatConfig) -> list[int]:
    """The token ids of a conversation with the generation prompt, special tokens as the template writes them.

    Raises:
        ModelError: the tokenizer has no chat template, or its template refuses the conversation.
    """
    told = {**chat.template, "add_generation_prompt": True, "tokenize": True, "return_dict": True}
    return list(_applied(tokenizer, turns, told)["input_ids"])


def rendered(
    tokenizer: Any, turns: Sequence[Mapping[str, str]], template: Mapping[str, Any], *, asks: bool = True
) -> str:
    """The text of a conversation; ``asks``: with the generation prompt.

    Its tokens, without special tokens added, are those of `prompt_tokens`.

    Raises:
        ModelError: the tokenizer has no chat template, or its template refuses the conversation.
    """
    return str(_applied(tokenizer, turns, {**template, "add_generation_prompt": asks, "tokenize": False}))


def _applied(tokenizer: Any, turns: Sequence[Mapping[str, str]], told: Mapping[str, Any]) -> Any:
    try:
        return tokenizer.apply_chat_template(list(turns), **told)
    except Exception as error:  # templates raise whatever they like
        raise ModelError(
            f"the chat template refuses a conversation: {error}",
            where=getattr(tokenizer, "name_or_path", "tokenizer"),
            advice="give a model with a chat template that takes system, user and assistant turns",
        ) from error
