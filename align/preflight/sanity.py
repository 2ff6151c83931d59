"""``wardround train --sanity``: two short runs that show whether a long one can work, before it is paid for.

A handful of pairs is memorised at a high rate; up to a hundred are trained on with the settings as they are. What the
trainer says of its first step is held against the same figures computed by hand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from align.preference.methods import beta
from align.preference.runs import Row, TrainingRun, make_trainer
from align.preflight.sanity_checks import (
    Sanity,
    begins_at_the_reference,
    first_loss,
    loss_falls,
    mask_is_right,
    memorises,
    prompt_is_read,
    trains_only_what_it_should,
)
from align.running import run_trainer
from align.watching.steps import Step, step_of
from ledger.config import AlignConfig
from ledger.errors import StageError
from sampling.quiet import quiet

PAIRS = 100
HANDFUL = 8
MEMORISING_STEPS = 25
MEMORISING_RATE = 2e-3  # a hundred times DPO's default with LoRA
LEARNING_STEPS = 15


@dataclass(frozen=True)
class Answer:
    """Token ids of one answer after its prompt; the first ``context`` of the answer are not in the loss."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    context: int
    chosen: bool


def check_sanity(run: TrainingRun, fresh: Callable[[], Any]) -> Sanity:
    """Train on a handful, and on up to `PAIRS` pairs, in a folder that is removed again.

    Args:
        run: as for `make_trainer`; its model is not used, its rows are (TRL's conversational columns, or token ids: see
            `answers_of`).
        fresh: loads the model anew; called twice.

    Raises:
        StageError: there are no pairs; ConfigError: as `align.preference.runs.make_trainer`.
    """
    a_pair = 2 if run.config.method == "kto" else 1
    handful = list(run.rows)[: HANDFUL * a_pair]
    if not handful:
        raise StageError("no pairs to look at", where="--sanity", advice="`wardround pairs` says why")
    half = _half_precision()
    model = fresh()
    answers = answers_of(handful, run.tokenizer, run.config.max_length)
    expected, labelled = by_hand(model, answers, mean=run.config.method == "orpo")
    flipped, _ = by_hand(model, [_flipped(each) for each in answers], mean=run.config.method == "orpo")
    before = fingerprint(model.parameters())
    memorised, steps = _train(replace(run, model=model, rows=handful, config=_memorising(run.config, len(handful))))
    trained = memorised.model
    trainable = [name for name, weight in trained.named_parameters() if weight.requires_grad]
    after = fingerprint(weight for weight in trained.parameters() if not weight.requires_grad)
    del model, trained, memorised
    some = list(run.rows)[: PAIRS * a_pair]
    learnt, more = _train(replace(run, model=fresh(), rows=some, config=_learning(run.config)))
    return Sanity(
        (
            begins_at_the_reference(steps[0], first_loss(run.config, beta(run.config)), half=half),
            mask_is_right(steps[0], expected, labelled, half=half),
            prompt_is_read(expected, flipped),
            trains_only_what_it_should(steps[0], trainable, before, after),
            memorises(steps, len(handful) // a_pair),
            loss_falls(more),
        ),
        _seconds_a_row(learnt),
    )


def _half_precision() -> bool:
    import torch

    return torch.cuda.is_available()


def _memorising(config: AlignConfig, rows: int) -> AlignConfig:
    """The whole handful in each step, so that the first step's figures are those of all of it."""
    batch = next(
        size for size in range(min(config.batch_size, rows), 0, -1) if rows % size == 0 and _fits(config, size)
    )
    rate = max(MEMORISING_RATE, config.learning_rate or 0.0)
    own = {"lr_scheduler_type": "constant", "warmup_steps": 0, "max_steps": MEMORISING_STEPS}
    update = {"batch_size": batch, "gradient_accumulation": rows // batch, "learning_rate": rate}
    return config.model_copy(update={**update, "trainer": {**config.trainer, **SHORT, **own}})


def _fits(config: AlignConfig, size: int) -> bool:
    """KTO needs both classes in each batch, as many of the one as of the other."""
    return config.method != "kto" or size % 2 == 0 or size == 1


def _learning(config: AlignConfig) -> AlignConfig:
    return config.model_copy(update={"trainer": {**config.trainer, **SHORT, "max_steps": LEARNING_STEPS}})


SHORT: dict[str, Any] = {
    "logging_steps": 1,
    "logging_strategy": "steps",
    "eval_strategy": "no",
    "load_best_model_at_end": False,
    "save_strategy": "no",
}


def _train(run: TrainingRun) -> tuple[Any, list[Step]]:
    """The trainer, and the steps that it logged."""
    with tempfile.TemporaryDirectory(prefix="wardround-sanity-") as name:
        own = replace(run, folder=Path(name))
        with quiet():
            trainer = make_trainer(own)
            run_trainer(trainer, own.folder, f"Trying {len(run.rows)} rows")
    return trainer, [step_of(entry) for entry in trainer.state.log_history if "loss" in entry]


def _seconds_a_row(trainer: Any) -> float | None:
    """By the trainer's own clock."""
    speeds = [entry["train_samples_per_second"] for entry in trainer.state.log_history if "train_runtime" in entry]
    return 1 / speeds[-1] if speeds and speeds[-1] else None


def answers_of(rows: Sequence[Row], tokenizer: Any, max_length: int) -> list[Answer]:
    """Each answer's tokens: those of ``*_ids`` columns where there are such, else rendered with the chat template."""
    found: list[Answer] = []
    for row in rows:
        for name, chosen in _answers(row):
            if "prompt_ids" in row:
                prompt, answer = row["prompt_ids"], row[f"{name}_ids"]
            else:
                prompt, answer = _rendered(tokenizer, row, name)
            context = int(row.get("context" if name == "completion" else f"{name}_context", 0))
            kept = answer[: max(0, max_length - len(prompt))]
            found.append(Answer(tuple(prompt), tuple(kept), context, chosen))
    return found


def _answers(row: Row) -> tuple[tuple[str, bool], ...]:
    if "label" in row:
        return (("completion", bool(row["label"])),)
    return ("chosen", True), ("rejected", False)


def _rendered(tokenizer: Any, row: Row, name: str) -> tuple[list[int], list[int]]:
    told = row.get("chat_template_kwargs") or {}
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False, **told)
    whole = tokenizer.apply_chat_template([*row["prompt"], *row[name]], return_dict=False, **told)
    return list(prompt), list(whole)[len(prompt) :]


def _flipped(answer: Answer) -> Answer:
    """With another token in the middle of the prompt: one that the prompt or the answer holds elsewhere."""
    prompt = list(answer.prompt)
    place = len(prompt) // 2
    others = [token for token in (*prompt, *answer.answer) if token != prompt[place]]
    prompt[place] = others[0] if others else prompt[place]
    return replace(answer, prompt=tuple(prompt))


def by_hand(model: Any, answers: Sequence[Answer], *, mean: bool) -> tuple[tuple[float, float], int]:
    """Mean log-probability of the chosen and of the rejected answers (nats), and how many tokens were counted.

    One sequence at a time, without padding, masks or anything of a trainer's. ``mean``: of an answer's tokens, as ORPO
    has it, rather than their sum.
    """
    import torch

    was_training = model.training
    model.eval()
    sums: dict[bool, list[float]] = {True: [], False: []}
    labelled = 0
    with torch.no_grad():
        for each in answers:
            start = len(each.prompt) + each.context
            ids = torch.tensor([[*each.prompt, *each.answer]], device=next(model.parameters()).device)
            targets = ids[0, start:]
            logits = model(input_ids=ids, use_cache=False).logits[0, start - 1 : -1].float()
            logps = logits.log_softmax(-1).gather(-1, targets[:, None])[:, 0]
            sums[each.chosen].append(float(logps.mean() if mean else logps.sum()))
            labelled += len(targets)
    model.train(was_training)
    return (_mean(sums[True]), _mean(sums[False])), labelled


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def fingerprint(weights: Any) -> list[tuple[int, float]]:
    """Size and sum of each tensor, in float64: enough to see whether any has changed."""
    return [(int(weight.numel()), float(weight.detach().double().sum())) for weight in weights]
