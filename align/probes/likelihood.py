"""Log-probabilities that a model gives to texts: option letters, answers behind their prompts, plain text.

Prompts are rendered and answers tokenised apart from them as in training (`align.rendering.answer_tokens`). Results
come as batches end, the longest texts first, so that a caller can write down what there is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from align.probes.forward import TOKENS, Scorable, longest, scored_batches
from align.rendering.answer_tokens import AnswerTokens, Asked, RenderSettings, Tokens
from ledger.config import ChatConfig
from ledger.records import Likelihood, Prompt
from sampling.chat import LETTERS, conversation
from sampling.reasoning import Spoken


@dataclass(frozen=True)
class Scored:
    """What one item was given: each option's letter for a question, or one entry for a whole text."""

    place: int  # of the item in what was asked for, from 0
    logprobs: tuple[float, ...] = ()  # in nats, each summed over its whole text
    tokens: tuple[int, ...] = ()  # of each text
    cause: str = ""  # why there are none: the template refuses the prompt, or the model takes no text as long


def option_logprobs(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], chat: ChatConfig, *, tokens_at_once: int = TOKENS
) -> Iterator[Scored]:
    """The log-probability of each option's letter where the answer to its question begins; in any order.

    One pass a question where the tokenizer has one token for each letter.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its own, with a chat template.
        prompts: multiple-choice questions.
        chat: what goes around a prompt.
        tokens_at_once: in a batch, padding included.

    Raises:
        ModelError: neither the template nor the tokenizer has a token that ends an answer.
    """
    letters = _encoded(tokenizer, LETTERS)
    works: list[list[Scorable] | str] = []
    for prompt, found in zip(prompts, _rendered(tokenizer, prompts, [""] * len(prompts), chat), strict=True):
        options = letters[: len(prompt.options)]
        if isinstance(found, str):
            works.append(found)
        elif not options:
            works.append("the question has no options")
        else:
            works.append(_of_options([*found.prompt, *found.ids[: found.context]], options))
    yield from _scored(model, works, tokens_at_once)


def completion_logprobs(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    completions: Sequence[str],
    chat: ChatConfig,
    *,
    tokens_at_once: int = TOKENS,
) -> Iterator[Scored]:
    """The log-probability of each completion and its end behind its prompt; in any order.

    It is over the tokens that training has in its loss.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its own, with a chat template.
        prompts: one for each completion.
        completions: answers, without reasoning.
        chat: what goes around a prompt.
        tokens_at_once: in a batch, padding included.

    Raises:
        ModelError: neither the template nor the tokenizer has a token that ends an answer.
    """
    works = [
        found if isinstance(found, str) else [_of_text([*found.prompt, *found.ids], len(found.prompt) + found.context)]
        for found in _rendered(tokenizer, prompts, completions, chat)
    ]
    yield from _scored(model, works, tokens_at_once)


def text_logprobs(
    model: Any, tokenizer: Any, texts: Sequence[str], *, tokens_at_once: int = TOKENS
) -> Iterator[Scored]:
    """The log-probability of plain texts, without a template; in any order.

    A tokenizer that has a beginning token gets it in front; of one without, the first token of a text is not scored and
    not counted, since nothing comes before it.

    Args:
        model: a causal language model of transformers, in evaluation mode.
        tokenizer: its own.
        texts: whatever their lengths, as far as the model takes them.
        tokens_at_once: in a batch, padding included.
    """
    begin = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
    works = [
        [_of_text([*begin, *ids], 1)] if len(begin) + len(ids) > 1 else "the text has no token behind another one"
        for ids in _encoded(tokenizer, texts)
    ]
    yield from _scored(model, works, tokens_at_once)


def perplexity(scored: Iterable[Scored | Likelihood]) -> float | None:
    """The perplexity of all texts together: exp(-sum of log-probabilities / number of tokens); None for no token."""
    every = [each for each in scored if each.tokens]
    tokens = sum(sum(each.tokens) for each in every)
    return math.exp(-sum(sum(each.logprobs) for each in every) / tokens) if tokens else None


def _rendered(
    tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[str], chat: ChatConfig
) -> list[Tokens | str]:
    asked = [
        Asked(tuple(conversation(prompt, chat)), chat.template, Spoken(answer))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return AnswerTokens(tokenizer, RenderSettings()).of(asked)


def _encoded(tokenizer: Any, texts: Iterable[str]) -> list[list[int]]:
    """As answers are tokenised: special tokens that are written out are text."""
    every = list(texts)
    if not every:
        return []
    told = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    return [list(ids) for ids in tokenizer(every, split_special_tokens=True, **told)["input_ids"]]


def _of_text(ids: list[int], first: int) -> Scorable:
    """The tokens of ``ids`` from number ``first`` on."""
    return Scorable(ids[:-1], range(first - 1, len(ids) - 1), [(each,) for each in ids[first:]])


def _of_options(context: list[int], options: Sequence[Sequence[int]]) -> list[Scorable]:
    """One pass that reads all letters off the last position, or one for each letter where some take several tokens."""
    if all(len(letter) == 1 for letter in options):
        return [Scorable(context, (len(context) - 1,), [[letter[0] for letter in options]])]
    return [_of_text([*context, *letter], len(context)) for letter in options]


def _scored(model: Any, items: Sequence[list[Scorable] | str], tokens_at_once: int) -> Iterator[Scored]:
    """Each item as soon as all of its works are done, or why there are none; the latter at once."""
    most = longest(model)
    works: list[Scorable] = []
    owners: list[int] = []
    for place, item in enumerate(items):
        length = 0 if isinstance(item, str) else max(len(work.ids) for work in item)
        if isinstance(item, str):
            yield Scored(place, cause=item)
        elif most is not None and length > most:
            yield Scored(place, cause=f"{length} tokens, of which the model takes {most}")
        else:
            works += item
            owners += [place] * len(item)
    done: dict[int, dict[int, tuple[float, ...]]] = defaultdict(dict)
    for batch in scored_batches(model, works, tokens_at_once):
        for number, sums in batch.items():
            done[owners[number]][number] = sums
        for place in dict.fromkeys(owners[number] for number in batch):
            if len(done[place]) == len(items[place]):
                yield _put_together(place, works, done.pop(place))


def _put_together(place: int, works: Sequence[Scorable], sums: Mapping[int, tuple[float, ...]]) -> Scored:
    every = [(value, len(works[number].positions)) for number in sorted(sums) for value in sums[number]]
    return Scored(place, tuple(value for value, _ in every), tuple(tokens for _, tokens in every))
