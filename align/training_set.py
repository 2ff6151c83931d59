"""What a policy is trained on: the ledger's pairs as token ids, and those that are held out to stop early."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from align.rendering.answer_tokens import RenderSettings
from align.rendering.class_order import interleaved
from align.rendering.pairs import Answered, Labelled, Rendering, TokenRow, rendered_answers, rendered_pairs
from annotate.kto_labels import Label, labels_from_pairs
from ledger.errors import StageError
from ledger.lots import lot
from ledger.records import Candidate, Pair, Prompt
from ledger.workspace import Workspace
from sampling.chat import Turn, conversation
from sampling.reasoning import Spoken


@dataclass(frozen=True)
class TrainingSet:
    """Rows to train on, and rows whose loss says when to stop."""

    train: Rendering
    held_out: Rendering

    @property
    def rows(self) -> tuple[TokenRow, ...]:
        """What is trained on."""
        return self.train.rows


@dataclass(frozen=True)
class PairMaterial:
    """Pairs with all that they point at."""

    pairs: Sequence[Pair]
    answers: dict[str, Candidate]
    prompts: dict[str, Prompt]


def pair_material(workspace: Workspace, pair_ids: Sequence[str]) -> PairMaterial:
    """The pairs in the order of their ids, so that it does not matter when one was written."""
    found = workspace.ledger.get_many(Pair, pair_ids)
    pairs = [found[each] for each in sorted(pair_ids)]
    answers = workspace.ledger.get_many(Candidate, [each for pair in pairs for each in (pair.chosen, pair.rejected)])
    return PairMaterial(pairs, answers, workspace.ledger.get_many(Prompt, [pair.prompt for pair in pairs]))


def training_set(workspace: Workspace, tokenizer: Any, ends: Collection[int], of: PairMaterial) -> TrainingSet:
    """Pairs for DPO, IPO and ORPO, labelled answers for KTO; those of a held-out question apart.

    ``ends`` are the token ids that sampling stops at.

    Raises:
        ModelError: the chat template refuses a conversation.
        StageError: nothing is left to train on.
    """
    share = workspace.config.align.holdout
    apart = {name for name, prompt in of.prompts.items() if _is_held_out(prompt, share)}
    align = workspace.config.align
    settings = RenderSettings(align.max_length, align.train_reasoning, frozenset(ends))
    train = _rendered(workspace, tokenizer, settings, of, [pair for pair in of.pairs if pair.prompt not in apart])
    held_out = _rendered(workspace, tokenizer, settings, of, [pair for pair in of.pairs if pair.prompt in apart])
    if not train.rows:
        raise StageError(
            "no pair is left to train on", where="align", advice="`wardround train --preflight` says what is wrong"
        )
    return TrainingSet(train, held_out)


def _is_held_out(prompt: Prompt, share: float) -> bool:
    """By its group of near-duplicates, so that nothing is trained on that is nearly what is held out."""
    return lot("held out of training", prompt.group or prompt.id) < share


def _rendered(
    workspace: Workspace, tokenizer: Any, settings: RenderSettings, of: PairMaterial, pairs: Sequence[Pair]
) -> Rendering:
    align = workspace.config.align
    if align.method != "kto":
        return rendered_pairs(tokenizer, (_answered(workspace, of, pair) for pair in pairs), settings)
    by_id = {pair.id: pair for pair in pairs}
    labels = labels_from_pairs(pairs)
    labelled = (_labelled(workspace, of, label, _certainty(label, by_id)) for label in labels)
    return interleaved(rendered_answers(tokenizer, labelled, settings), align.seed)


def _answered(workspace: Workspace, of: PairMaterial, pair: Pair) -> Answered:
    chosen, rejected = of.answers[pair.chosen], of.answers[pair.rejected]
    return Answered(
        pair=pair.id,
        turns=turns_of(workspace, of, chosen),
        chosen=Spoken(chosen.text, chosen.reasoning),
        rejected=Spoken(rejected.text, rejected.reasoning),
        weight=pair.weight if workspace.config.align.pair_weights else 1.0,
        template=workspace.config.chat.template,
    )


def _labelled(workspace: Workspace, of: PairMaterial, label: Label, certainty: float) -> Labelled:
    answer = of.answers[label.candidate]
    return Labelled(
        answer=label.candidate,
        turns=turns_of(workspace, of, answer),
        said=Spoken(answer.text, answer.reasoning),
        label=label.desirable,
        weight=certainty if workspace.config.align.pair_weights else 1.0,
        template=workspace.config.chat.template,
    )


def turns_of(workspace: Workspace, of: PairMaterial, answer: Candidate) -> tuple[Turn, ...]:
    """What the policy was asked when it gave an answer."""
    return tuple(conversation(of.prompts[answer.prompt], workspace.config.chat, answer.passages))


def _certainty(label: Label, pairs: dict[str, Pair]) -> float:
    """The mean probability that the pairs behind a label give it."""
    return fmean(
        pair.weight if (pair.chosen == label.candidate) == label.desirable else 1 - pair.weight
        for pair in (pairs[each] for each in label.behind)
    )
