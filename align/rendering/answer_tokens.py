"""Answers as token ids behind the prompts that they were sampled for. Reads a tokenizer, holds what prompts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from align.rendering.answer_frames import Frame, answer_frame
from ledger.errors import ModelError
from ledger.records import canonical_json
from sampling.chat import Turn
from sampling.reasoning import OPEN, Spoken


@dataclass(frozen=True)
class RenderSettings:
    """What a rendering depends on beside the texts."""

    max_length: int | None = None  # tokens of prompt and answer together; what is beyond it is cut
    train_reasoning: bool = False
    ends: frozenset[int] = frozenset()  # token ids that sampling stops at; none: any special token ends an answer


class Asked(NamedTuple):
    """One answer and what it was sampled with."""

    turns: tuple[Turn, ...]
    template: Mapping[str, Any]  # what the chat template is told beside the turns
    said: Spoken


@dataclass(frozen=True)
class Tokens:
    """An answer as tokens."""

    prompt: list[int]  # the same list for all answers to a prompt
    ids: list[int]  # after the prompt, cut to what fits
    context: int  # so many of them are not in the loss
    whole: list[int]  # before the cut

    @property
    def cut(self) -> bool:
        """Has it lost its end?"""
        return len(self.ids) < len(self.whole)

    @property
    def in_loss(self) -> list[int]:
        """What is learnt."""
        return self.ids[self.context :]

    @property
    def all_in_loss(self) -> list[int]:
        """What would be learnt without the cut."""
        return self.whole[self.context :]


class AnswerTokens:
    """Tokenises batches of answers for one tokenizer, each prompt once; ``counted`` says what happened on the way."""

    def __init__(self, tokenizer: Any, settings: RenderSettings) -> None:
        self.tokenizer, self.settings = tokenizer, settings
        self.counted: Counter[str] = Counter()
        special = {int(each): token.content for each, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._special = frozenset(special) | frozenset(tokenizer.all_special_ids)
        self._special_texts = tuple(special.values())
        self._special_marks = frozenset(text[:1] for text in self._special_texts)
        self._ints: dict[int, int] = {}  # one object a token id, not one for each place where it stands
        self._prompts: dict[object, list[int]] = {}
        self._frames: dict[object, Frame | str] = {}  # or why there is none
        self._pieces: dict[str, list[int]] = {}  # what templates write before and after answers
        self._tails: dict[str, tuple[list[int], str]] = {}

    def of(self, asked: Sequence[Asked]) -> list[Tokens | str]:
        """The tokens of each answer, or why its template refuses it.

        Raises:
            ModelError: neither the template nor the tokenizer has a token that ends an answer.
        """
        keys = [_key(each) for each in asked]
        frames = [self._frame(key, each) for key, each in zip(keys, asked, strict=True)]
        self._encode_prompts(keys, frames)
        answers = self._encode([each.said.text for each in asked], as_text=True)
        thoughts = self._encode([_thought(*each) for each in zip(frames, asked, strict=True)])
        return [
            frame if isinstance(frame, str) else self._tokens(self._prompts[key], frame, thought, answer, each.said)
            for key, frame, thought, answer, each in zip(keys, frames, thoughts, answers, asked, strict=True)
        ]

    def _frame(self, key: object, asked: Asked) -> Frame | str:
        framed = (key, bool(asked.said.reasoning))
        if framed not in self._frames:
            try:
                frame = answer_frame(self.tokenizer, asked.turns, asked.template, reasoning=framed[1])
            except ModelError as error:
                self._frames[framed] = error.what
            else:
                self._frames[framed] = frame
        return self._frames[framed]

    def _encode_prompts(self, keys: Sequence[object], frames: Sequence[Frame | str]) -> None:
        new = {
            key: frame
            for key, frame in zip(keys, frames, strict=True)
            if isinstance(frame, Frame) and key not in self._prompts
        }
        bos = self.tokenizer.bos_token_id
        encoded = self._encode([frame.prompt for frame in new.values()])
        for (key, frame), ids in zip(new.items(), encoded, strict=True):
            self._prompts[key] = ids
            self.counted["prompts"] += 1
            self.counted["prompts_not_continued"] += not frame.continues
            self.counted["prompts_with_two_bos"] += bos is not None and ids[:2] == [bos, bos]

    def _tokens(self, prompt: list[int], frame: Frame, thought: list[int], answer: list[int], said: Spoken) -> Tokens:
        head = self._piece(frame.head)
        tail, flaw = self._tail(frame.tail)
        whole = [*head, *thought, *answer, *tail]
        context = len(head) if self.settings.train_reasoning else len(head) + len(thought)
        room = len(whole) if self.settings.max_length is None else max(self.settings.max_length - len(prompt), 0)
        self._count(frame, said)
        self.counted["answers_cut"] += room < len(whole)
        if flaw:
            self.counted[flaw] += 1
        return Tokens(prompt, whole[:room], context, whole)

    def _count(self, frame: Frame, said: Spoken) -> None:
        self.counted["answers"] += 1
        self.counted["empty_blocks"] += not said.reasoning and OPEN in frame.head
        self.counted["reasoning_dropped"] += not frame.holds_reasoning
        # Some tokenizers have thousands of special tokens, and few answers have a character that one begins with.
        written = any(mark in said.text for mark in self._special_marks)
        self.counted["special_text"] += written and any(text in said.text for text in self._special_texts)

    def _piece(self, text: str) -> list[int]:
        if text not in self._pieces:
            (self._pieces[text],) = self._encode([text])
        return self._pieces[text]

    def _tail(self, text: str) -> tuple[list[int], str]:
        """What ends an answer, and what is wrong with it.

        It is the template's text after the answer up to the first end token, which is the last one that is sampled. A
        special token that sampling does not stop at ends it where there is no other.
        """
        if text not in self._tails:
            tail = self._piece(text)
            known, any_end = (self._up_to(tail, ends) for ends in (self.settings.ends or self._special, self._special))
            if known or any_end:
                self._tails[text] = known or any_end, "" if known else "ends_unknown"
            else:
                self._tails[text] = [*self._piece(text.rstrip()), self._end()], "ends_added"
        return self._tails[text]

    @staticmethod
    def _up_to(tail: list[int], ends: frozenset[int]) -> list[int]:
        """``tail`` to its first end token; nothing where it has none."""
        return next((tail[:place] for place, token in enumerate(tail, 1) if token in ends), [])

    def _end(self) -> int:
        end = self.tokenizer.eos_token_id
        if end is None:
            raise ModelError(
                "nothing ends an answer: neither the chat template nor the tokenizer has an end token",
                where=getattr(self.tokenizer, "name_or_path", "tokenizer"),
                advice="name an eos_token in the tokenizer's settings",
            )
        return int(end)

    def _encode(self, texts: Sequence[str], *, as_text: bool = False) -> list[list[int]]:
        """``as_text``: special tokens that are written out in ``texts`` are text."""
        if not texts:
            return []
        told = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
        encoded = self.tokenizer(list(texts), split_special_tokens=as_text, **told)["input_ids"]
        one = self._ints.setdefault
        return [[one(token, token) for token in ids] for ids in encoded]


def _key(asked: Asked) -> object:
    """What makes a prompt; a hash of its strings, which Python remembers, is much cheaper than one of its JSON."""
    template = canonical_json(asked.template) if asked.template else ""
    return (*(part for turn in asked.turns for part in (turn["role"], turn["content"])), template)


def _thought(frame: Frame | str, asked: Asked) -> str:
    """The reasoning, with what stands between it and the answer."""
    if isinstance(frame, str) or not asked.said.reasoning or not frame.holds_reasoning:
        return ""
    return asked.said.reasoning + frame.link
