"""The checks before a training run: each a trap that TRL walks into in silence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from align.preflight.figures import Contradictions, Shortcut, class_ratio_of, one_sided_batches
from align.rendering.pairs import EATEN, MADE_SAME, SAME, Rendering, TokenRow

LEAST_LORA_RATE, MOST_FULL_RATE = 5e-6, 1e-5  # TRL's default of 1e-6 is meant for full fine-tuning
SMOOTHED = frozenset({"robust", "exo_pair", "aot", "aot_unpaired"})  # TRL 1.16's losses that read label_smoothing
ENOUGH = 20  # pairs before a share says anything
TELLS = 0.7  # share of pairs from which a length is said to tell the preference
LEAST_WEIGHT = 0.5
SLACK = 1e-6  # weights are shown rounded
BALANCED = 4 / 3  # ratio of KTO's weighted classes up to which they count as balanced (Ethayarajh et al., 2024)

Level = Literal["fault", "warning", "note"]


@dataclass(frozen=True)
class Plan:
    """The settings of a run that the checks depend on."""

    method: str  # dpo, ipo, orpo, kto
    learning_rate: float
    lora: bool  # adapters alone are trained
    batch_size: int  # rows a device and a step
    losses: tuple[str, ...] = ("sigmoid",)  # DPO's, under TRL's names
    label_smoothing: float = 0.0
    class_weights: tuple[float, float] = (1.0, 1.0)  # KTO's, of desirable and undesirable answers


@dataclass(frozen=True)
class Finding:
    """Something that the one who starts the run should know, and what to do about it."""

    level: Level
    what: str
    advice: str = ""

    def text(self) -> str:
        """One line."""
        return f"{self.level}: {self.what}" + (f" -> {self.advice}" if self.advice else "")


def of_rendering(rendering: Rendering) -> Iterator[Finding]:
    """What truncation and the chat template do."""
    if not rendering.rows:
        yield Finding("fault", "nothing is left to train on", "see what is left out")
    yield from _of_left_out(rendering)
    yield from _of_template(rendering)
    counts = rendering.counts
    if counts.ends_lost:
        yield Finding(
            "warning",
            f"answers that align.max_length cuts, so that their end is not learnt: {counts.ends_lost}",
            "raise align.max_length: a policy that sees few ends runs on",
        )
    if counts.special_text:
        yield Finding(
            "warning",
            f"answers in which a special token is written out, which is learnt as plain text: {counts.special_text}",
            "look at these answers: rendered prompts or cut samples may have been imported",
        )


def _of_left_out(rendering: Rendering) -> Iterator[Finding]:
    reasons = Counter(each.reason for each in rendering.left_out)
    advice = {
        EATEN: "raise align.max_length, or leave passages out of the longest prompts",
        MADE_SAME: "raise align.max_length: what tells the answers apart is cut",
        SAME: "nothing can be learnt from them",
    }
    for reason, number in sorted(reasons.items()):
        yield Finding(
            "warning", f"left out: {number}, {reason}", advice.get(reason, "give turns that the template takes")
        )


def _of_template(rendering: Rendering) -> Iterator[Finding]:
    counts = rendering.counts
    if counts.prompts_with_two_bos:
        yield Finding(
            "fault",
            f"prompts that begin with the beginning token twice: {counts.prompts_with_two_bos}",
            "give questions, not ready-rendered prompts, or take it out of the chat template",
        )
    if counts.ends_added:
        yield Finding(
            "fault",
            f"answers that the chat template writes no end token after; the tokenizer's is learnt: {counts.ends_added}",
            "let the template end an assistant turn, or sampling runs on where training ends",
        )
    if counts.ends_unknown:
        yield Finding(
            "warning",
            f"answers that end with a token that sampling does not stop at: {counts.ends_unknown}",
            "name it as an eos_token_id in the model's generation_config.json",
        )
    if counts.reasoning_dropped:
        yield Finding(
            "warning",
            f"answers whose reasoning has no place in the chat template and is left out: {counts.reasoning_dropped}",
            "train with the template and the settings that these answers were sampled with",
        )
    if counts.prompts_not_continued:
        yield Finding(
            "note",
            "prompts that the template writes otherwise once they are answered, as where it strips a reasoning block;"
            f" they are trained on as they were sampled: {counts.prompts_not_continued}",
        )
    if counts.empty_blocks:
        yield Finding(
            "note",
            f"answers with an empty reasoning block before them, which is not learnt: {counts.empty_blocks}",
        )


def of_pairs(pairs: int, shortcut: Shortcut, said: Contradictions) -> Iterator[Finding]:
    """Whether the pairs say more than which answer is longer, and the same thing throughout."""
    if pairs >= ENOUGH and not 1 - TELLS < shortcut.longer < TELLS:
        which, share = ("longer", shortcut.longer) if shortcut.longer >= TELLS else ("shorter", 1 - shortcut.longer)
        yield Finding(
            "warning",
            f"the chosen answer is the {which} one in {share:.0%} of the pairs: length alone predicts the preference",
            "compare win rates with length control, and watch the answers' length during training",
        )
    if said.duplicates:
        yield Finding(
            "warning", f"pairs that repeat another one: {said.duplicates}", "leave them out, or weigh them once"
        )
    if said.reversed:
        yield Finding(
            "warning",
            f"pairs that another one says the contrary of: {said.reversed}",
            "see `wardround pairs`: assessors disagree on them",
        )
    if said.both_ways:
        yield Finding(
            "note", f"answers chosen in one pair and rejected in another, as in any ranking: {said.both_ways}"
        )


def of_weights(weights: Sequence[float]) -> Iterator[Finding]:
    """How sure the labels are."""
    if not weights:
        return
    ordered = sorted(weights)
    if ordered[0] <= LEAST_WEIGHT:
        unsure = sum(weight <= LEAST_WEIGHT for weight in ordered)
        yield Finding(
            "warning", f"rows with a weight of {LEAST_WEIGHT:g} or less, which says the contrary or nothing: {unsure}"
        )
    if ordered[0] == ordered[-1]:
        yield Finding("note", f"every row weighs {ordered[0]:g}: all labels count as equally sure")
    else:
        middle = ordered[len(ordered) // 2]
        yield Finding("note", f"weights from {ordered[0]:.2f} to {ordered[-1]:.2f}, half of them above {middle:.2f}")


def of_classes(rows: Sequence[TokenRow], plan: Plan) -> Iterator[Finding]:
    """KTO's classes, their weights, and the order of the rows."""
    ratio = class_ratio_of(rows)
    if not ratio.desirable or not ratio.undesirable:
        yield Finding("fault", ratio.text(), "choose another method, or gather answers of the other class")
        return
    weighted = ratio.desirable * plan.class_weights[0] / (ratio.undesirable * plan.class_weights[1])
    if not 1 / BALANCED - SLACK <= weighted <= BALANCED + SLACK:
        good, poor = ratio.weights
        yield Finding(
            "warning",
            f"the weighted classes stand {weighted:.2f} to 1",
            f"set desirable_weight to {good:.3g} and undesirable_weight to {poor:.3g}",
        )
    one_sided, batches = one_sided_batches(rows, plan.batch_size)
    if plan.batch_size == 1:
        yield Finding(
            "fault", "KTO estimates its KL term within a batch, and a batch is one answer", "raise batch_size"
        )
    elif one_sided:
        yield Finding(
            "fault" if one_sided == batches else "warning",
            f"batches that hold one class alone: {one_sided} of {batches}",
            "let the classes alternate; TRL reads KTO's rows in the order given",
        )


def of_settings(plan: Plan) -> Iterator[Finding]:
    """Settings that do not do what they seem to."""
    if plan.lora and plan.learning_rate < LEAST_LORA_RATE:
        yield Finding(
            "warning",
            f"a learning rate of {plan.learning_rate:g} is meant for full fine-tuning; an adapter hardly moves",
            "leave align.learning_rate out, or give 1e-5 to 5e-5",
        )
    if not plan.lora and plan.learning_rate > MOST_FULL_RATE:
        yield Finding(
            "warning",
            f"a learning rate of {plan.learning_rate:g} is meant for adapters; all weights forget at that pace",
            "set align.learning_rate to 1e-6 or less than 1e-5",
        )
    if plan.label_smoothing and plan.method != "kto" and SMOOTHED.isdisjoint(plan.losses):
        yield Finding(
            "warning",
            f"label_smoothing is {plan.label_smoothing:g}, which the loss {', '.join(plan.losses)} ignores",
            "pair weights already hold how sure each label is; leave it out, or choose the robust loss",
        )
