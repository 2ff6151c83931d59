"""What a model is shown: a prompt as a conversation, rendered by the tokenizer's own chat template.

Sampling and training render through the same two functions, so that a policy is trained on exactly what it will see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.config import ChatConfig
from ledger.errors import ModelError
from ledger.records import Mode, Prompt

Turn = dict[str, str]  # {"role": ..., "content": ...}: what chat templates and TRL take
LETTERS = "ABCDEFGHIJ"  # of options: a question has ten at most
CONTEXT_ONLY = "Answer only from the passages above; say so if the answer is not there."


def conversation(prompt: Prompt, chat: ChatConfig) -> list[Turn]:
    """The turns that a model answers: the mode's system prompt, then the conversation.

    Numbered passages come before the last question, lettered options after it.
    """
    turns = [{"role": message.role, "content": message.content} for message in prompt.messages]
    turns[-1]["content"] = _last_turn(prompt, chat)
    system = _system_prompt(prompt.mode, chat)
    has_own = turns[0]["role"] == "system"
    return turns if has_own or not system else [{"role": "system", "content": system}, *turns]


def _system_prompt(mode: Mode, chat: ChatConfig) -> str:
    return chat.clinical if mode == "clinical" else chat.exam


def _last_turn(prompt: Prompt, chat: ChatConfig) -> str:
    parts = [f"[{number}] {passage}" for number, passage in enumerate(prompt.context, start=1)]
    if prompt.context and chat.context_only:
        parts.append(CONTEXT_ONLY)
    parts.append(prompt.question)
    parts.extend(f"{letter}. {option}" for letter, option in zip(LETTERS, prompt.options, strict=False))
    return "\n".join(parts)


def prompt_tokens(tokenizer: Any, turns: Sequence[Mapping[str, str]]) -> list[int]:
    """The token ids of a conversation with the generation prompt, special tokens as the template writes them.

    Raises:
        ModelError: the tokenizer has no chat template, or its template refuses the conversation.
    """
    try:
        encoded = tokenizer.apply_chat_template(
            list(turns), add_generation_prompt=True, tokenize=True, return_dict=True
        )
    except Exception as error:  # templates raise whatever they like
        raise ModelError(
            f"the chat template refuses a conversation: {error}",
            where=getattr(tokenizer, "name_or_path", "tokenizer"),
            advice="give a model with a chat template that takes system, user and assistant turns",
        ) from error
    return list(encoded["input_ids"])
