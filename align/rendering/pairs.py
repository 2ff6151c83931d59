"""Pairs and labelled answers to token ids: the prompt exactly as it was sampled, then what the policy said after it.

An answer is tokenised by itself, since a policy never merges tokens across the end of its prompt, and special tokens
within its text are text. Reasoning and what the template writes around it are context: attended to, never in the loss
unless asked. What cannot be trained on is left out and listed, never cut to nothing in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from align.rendering.answer_tokens import AnswerTokens, Asked, RenderSettings, Tokens
from sampling.chat import Turn
from sampling.engines.protocol import batches
from sampling.reasoning import Spoken

AT_ONCE = 1_000  # pairs or answers
EATEN = "truncation leaves nothing of an answer"
MADE_SAME = "truncation makes both answers the same"
SAME = "both answers are the same"
IN_LOSS = ("[[", "]]")

TokenRow = dict[str, Any]  # the columns of a training set: lists of token ids, counts, a weight


@dataclass(frozen=True)
class Answered:
    """A pair with its texts."""

    pair: str  # its id
    turns: tuple[Turn, ...]
    chosen: Spoken
    rejected: Spoken
    weight: float = 1.0  # probability that chosen is better
    template: Mapping[str, Any] = field(default_factory=dict)  # what the chat template is told beside the turns


@dataclass(frozen=True)
class Labelled:
    """One answer that is desirable or not, with its text."""

    answer: str  # its id
    turns: tuple[Turn, ...]
    said: Spoken
    label: bool
    weight: float = 1.0  # probability that the label is right
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A pair or an answer that is not trained on."""

    id: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """What happened on the way. Prompts are counted once, answers as often as they are rendered."""

    prompts: int = 0
    prompts_not_continued: int = 0  # the template's text with an answer does not begin with the prompt
    prompts_with_two_bos: int = 0
    answers: int = 0
    answers_cut: int = 0  # by truncation, those of what is left out too
    ends_lost: int = 0  # answers that are trained on without their end token
    ends_added: int = 0  # the template writes no end token after an answer
    ends_unknown: int = 0  # the template ends an answer with a token that sampling does not stop at
    empty_blocks: int = 0  # answers without reasoning before which the template writes an empty reasoning block
    reasoning_dropped: int = 0  # answers for whose reasoning the template has no place
    special_text: int = 0  # answers in which a special token is written out as text


@dataclass(frozen=True)
class Rendering:
    """A training set as token ids; ``ids`` are the ids of its rows, in their order."""

    rows: tuple[TokenRow, ...]
    ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    counts: Counts = Counts()
    settings: RenderSettings = field(default_factory=RenderSettings)

    def facts(self) -> dict[str, object]:
        """For ``--json`` and the log: counts, and how many were left out for which reason."""
        reasons = Counter(each.reason for each in self.left_out)
        return {"rows": len(self.rows), "left_out": dict(sorted(reasons.items())), **asdict(self.counts)}


def rendered_pairs(tokenizer: Any, answered: Iterable[Answered], settings: RenderSettings) -> Rendering:
    """Rows of ``prompt_ids``, ``chosen_ids``, ``rejected_ids``, ``chosen_context``, ``rejected_context``, ``weight``.

    In the order given. ``*_context`` is how many leading tokens of that answer are not in the loss.

    Raises:
        ModelError: neither the template nor the tokenizer has a token that ends an answer.
    """
    tokens = AnswerTokens(tokenizer, settings)
    return _rendering(_paired(tokens, answered), tokens)


def rendered_answers(tokenizer: Any, labelled: Iterable[Labelled], settings: RenderSettings) -> Rendering:
    """Rows of ``prompt_ids``, ``completion_ids``, ``context``, ``label``, ``weight``; see `rendered_pairs`."""
    tokens = AnswerTokens(tokenizer, settings)
    return _rendering(_unpaired(tokens, labelled), tokens)


# A row with its id, and how many of its answers have lost their end token; or what is left out.
_Outcome = tuple[str, TokenRow, int] | LeftOut


def _rendering(outcomes: Iterable[_Outcome], tokens: AnswerTokens) -> Rendering:
    kept: list[tuple[str, TokenRow]] = []
    left_out: list[LeftOut] = []
    ends_lost = 0
    for outcome in outcomes:
        if isinstance(outcome, LeftOut):
            left_out.append(outcome)
        else:
            name, row, lost = outcome
            kept.append((name, row))
            ends_lost += lost
    return Rendering(
        rows=tuple(row for _, row in kept),
        ids=tuple(name for name, _ in kept),
        left_out=tuple(left_out),
        counts=Counts(**tokens.counted, ends_lost=ends_lost),
        settings=tokens.settings,
    )


def _paired(tokens: AnswerTokens, answered: Iterable[Answered]) -> Iterator[_Outcome]:
    for batch in batches(answered, AT_ONCE):
        asked = [Asked(each.turns, each.template, said) for each in batch for said in (each.chosen, each.rejected)]
        said = tokens.of(asked)
        for each, chosen, rejected in zip(batch, said[::2], said[1::2], strict=True):
            yield _pair(each, chosen, rejected)


def _pair(each: Answered, chosen: Tokens | str, rejected: Tokens | str) -> _Outcome:
    if isinstance(chosen, str) or isinstance(rejected, str):
        return LeftOut(each.pair, next(said for said in (chosen, rejected) if isinstance(said, str)))
    reason = _fault(chosen, rejected)
    if reason:
        return LeftOut(each.pair, reason)
    row: TokenRow = {
        "prompt_ids": chosen.prompt,
        "chosen_ids": chosen.ids,
        "rejected_ids": rejected.ids,
        "chosen_context": chosen.context,
        "rejected_context": rejected.context,
        "weight": each.weight,
    }
    return each.pair, row, chosen.cut + rejected.cut


def _fault(chosen: Tokens, rejected: Tokens) -> str:
    """Why a pair cannot be trained on. The same answer after other reasoning is the same answer."""
    if chosen.all_in_loss == rejected.all_in_loss:
        return SAME
    if not chosen.in_loss or not rejected.in_loss:
        return EATEN
    return MADE_SAME if chosen.in_loss == rejected.in_loss else ""


def _unpaired(tokens: AnswerTokens, labelled: Iterable[Labelled]) -> Iterator[_Outcome]:
    for batch in batches(labelled, AT_ONCE):
        said = tokens.of([Asked(each.turns, each.template, each.said) for each in batch])
        for each, answer in zip(batch, said, strict=True):
            if isinstance(answer, str):
                yield LeftOut(each.answer, answer)
            elif not answer.in_loss:
                yield LeftOut(each.answer, EATEN)
            else:
                row = {"prompt_ids": answer.prompt, "completion_ids": answer.ids, "context": answer.context}
                yield each.answer, {**row, "label": each.label, "weight": each.weight}, int(answer.cut)


def one_pair_shown(tokenizer: Any, row: TokenRow) -> str:
    """A rendered row as text, what is in the loss between ``[[`` and ``]]``; for the one who started the run alone.

    It holds the texts of prompt and answers, as they are in the ledger.
    """
    if "label" in row:
        shown = {"desirable" if row["label"] else "undesirable": (row["completion_ids"], row["context"])}
    else:
        shown = {name: (row[f"{name}_ids"], row[f"{name}_context"]) for name in ("chosen", "rejected")}
    lines = [f"prompt: {tokenizer.decode(row['prompt_ids'], skip_special_tokens=False)}"]
    lines += [f"{name}: {_shown(tokenizer, *said)}" for name, said in shown.items()]
    return "\n".join([*lines, f"weight: {row['weight']:g}"])


def _shown(tokenizer: Any, ids: Sequence[int], context: int) -> str:
    before, learnt = (tokenizer.decode(part, skip_special_tokens=False) for part in (ids[:context], ids[context:]))
    return f"{before}{IN_LOSS[0]}{learnt}{IN_LOSS[1]}"
