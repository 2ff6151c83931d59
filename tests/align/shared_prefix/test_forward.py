"""The packed forward gives what TRL's own gives, in every field and gradient, and faults put into it are seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from align.shared_prefix import attention, forward
from align.shared_prefix.forward import share_prefixes
from align.shared_prefix.tree import Plan
from tests.align.shared_prefix.worlds import DENSE, Pair, collated, pair_batches, replaced, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
SHARED: list[Pair] = [
    ([3, 4, 5, 6], [7, 8, 9], [10, 11, 12, 13, 14]),
    ([3, 4, 15], [16, 17], [16, 18, 19]),
    ([3, 4, 15], [16, 17], [20]),
]


def with_head(model: Any, **asked: Any) -> Any:
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model, **{"outputs": FIELDS, **asked})
    return model


def asked_of(batch: Mapping[str, Any]) -> dict[str, Any]:
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}


def passed(model: Any, asked: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What the model says, and the gradients of a weighted sum of its log-probabilities and entropies."""
    import torch

    model.zero_grad()
    found = model(**asked, fused_lm_head=True, use_cache=False)
    weights = torch.linspace(0.3, 1, found.log_probs.numel()).view_as(found.log_probs)
    scored = found.log_probs if found.entropy is None else found.log_probs + 0.1 * found.entropy
    (scored * weights).sum().backward()
    return found, {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def apart(model: Any, asked: Mapping[str, Any]) -> float:
    """The largest difference of a field, or of a gradient over the largest gradient."""
    stock, gradients = passed(model, asked)
    undo = share_prefixes(model)
    try:
        shared, same = passed(model, asked)
    finally:
        undo()
    assert (stock.label_mask == shared.label_mask).all()
    fields = [name for name in (*FIELDS, "loss") if getattr(stock, name) is not None]
    assert all(getattr(shared, name) is None for name in FIELDS if name not in fields)
    off = [
        float((getattr(stock, name).float() - getattr(shared, name).float()).detach().abs().max()) for name in fields
    ]
    largest = max(float(each.abs().max()) for each in gradients.values())
    return max(*off, *(float((gradients[name] - same[name]).abs().max()) / largest for name in gradients))


@pytest.mark.parametrize("kind", DENSE)
def test_every_field_and_gradient_is_trls(kind: str) -> None:
    model = with_head(tiny_model(kind))

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(pair_batches())
    def check(pairs: list[Pair]) -> None:
        assert apart(model, asked_of(collated(pairs))) < 1e-5

    check()


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
def test_padding_on_the_left_or_none_makes_no_difference(kind: str) -> None:
    model = with_head(tiny_model(kind))
    asked = asked_of(collated(SHARED))
    lengths = asked["attention_mask"].sum(1).tolist()
    left = {name: value.clone().index_copy_(0, *_rolled(value, lengths)) for name, value in asked.items()}
    assert left["attention_mask"][:, -1].all()
    assert apart(model, left) < 1e-5
    even = collated([([3, 4], [5, 6], [7, 8]), ([3, 4], [5, 6], [9, 5])])
    assert apart(model, {**asked_of(even), "attention_mask": None}) < 1e-5


def _rolled(value: Any, lengths: list[int]) -> tuple[Any, Any]:
    import torch

    rows = [row.roll(len(row) - length) for row, length in zip(value, lengths, strict=True)]
    return torch.arange(len(rows)), torch.stack(rows)


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ({"final_logit_softcapping": 5.0}, {}),
        ({"logit_scale": 0.5}, {"temperature": 0.7}),
        ({}, {"cast_lm_head_to_fp32": True}),
        ({"tie_word_embeddings": True}, {"outputs": ("log_probs",)}),
    ],
)
def test_whatever_trls_head_can_do_it_still_does(made: dict[str, Any], asked: dict[str, Any]) -> None:
    model = tiny_model(tie_word_embeddings=made.pop("tie_word_embeddings", False))
    for name, value in made.items():
        setattr(model.config, name, value)
    assert apart(with_head(model, **asked), {**asked_of(collated(SHARED)), "num_items_in_batch": 7}) < 1e-5


@pytest.mark.parametrize("reentrant", [True, False])
def test_layers_run_again_by_gradient_checkpointing_attend_as_they_did(reentrant: bool) -> None:
    model = with_head(tiny_model())
    model.train()
    asked = asked_of(collated(SHARED))
    plain = passed(model, asked)[1]
    model.activation_checkpointing_enable({"use_reentrant": reentrant})
    model.enable_input_require_grads()
    assert apart(model, asked) < 1e-5
    share_prefixes(model)
    again = passed(model, asked)[1]
    assert all(float((plain[name] - again[name]).abs().max()) < 1e-4 for name in plain)


def test_fewer_tokens_run_than_the_rows_have() -> None:
    model = with_head(tiny_model())
    share_prefixes(model)
    ran: list[int] = []
    model.model.layers[0].register_forward_hook(lambda _layer, given, _found: ran.append(given[0].shape[1]))
    asked = asked_of(collated(SHARED))
    model(**asked, fused_lm_head=True)
    assert int(asked["attention_mask"].sum()) == 36
    assert ran == [2 + 2 + 2 + 4 + 1 + 2]  # shared; first prompt and answers; second; each without its last token


def test_other_calls_go_to_the_forward_that_was_there() -> None:
    import torch

    model = with_head(tiny_model())
    asked = asked_of(collated(SHARED))
    ids, mask = asked["input_ids"], asked["attention_mask"]
    positions = torch.arange(ids.shape[1]).expand_as(ids) + 3
    shifted = {"input_ids": ids, "shift_labels": asked["labels"], "fused_lm_head": True}
    calls: list[dict[str, Any]] = [{"input_ids": ids, "attention_mask": mask, "labels": asked["labels"]}]
    calls += [shifted, {**asked, "position_ids": positions, "fused_lm_head": True}]
    calls += [{**asked, "labels": torch.full_like(ids, -100), "fused_lm_head": True}]
    before = [model(**call).loss for call in calls]
    share_prefixes(model)
    after = [model(**call).loss for call in calls]
    assert before == after
    found = model.generate(ids[:1, :4], max_new_tokens=2, do_sample=False)
    assert found.shape == (1, 6)


def test_the_models_own_attention_is_put_back_when_a_layer_raises() -> None:
    model = with_head(tiny_model())
    share_prefixes(model)

    def fails(*_given: Any) -> None:
        raise RuntimeError("no")

    hook = model.model.layers[1].self_attn.o_proj.register_forward_hook(fails)
    with pytest.raises(RuntimeError, match="no"):
        model(**asked_of(collated(SHARED)), fused_lm_head=True)
    assert model.config._attn_implementation == "sdpa"
    hook.remove()
    model(**asked_of(collated(SHARED)), fused_lm_head=True)


Change = Callable[[Plan], Plan]


def leaked(plan: Plan) -> Plan:
    """The last branch sees the tokens before it too, which are a sibling's."""
    *others, last = plan.runs
    return replace(plan, runs=(*others, replace(last, context=((0, last.start),))))


def blind(plan: Plan) -> Plan:
    """The last branch does not see its prompt."""
    *others, last = plan.runs
    return replace(plan, runs=(*others, replace(last, context=())))


def misplaced(plan: Plan) -> Plan:
    """Branches are counted on from the token packed before them."""
    return replace(plan, positions=np.arange(len(plan.positions)))


def shifted(plan: Plan) -> Plan:
    """Predictions are read one token early."""
    return replace(plan, places=np.maximum(plan.places - 1, 0))


def swapped(plan: Plan) -> Plan:
    """Two predictions of one branching place are dealt to each other's row."""
    item_of = plan.item_of.copy()
    item_of[item_of == 0], item_of[item_of == 1] = 1, 0
    return replace(plan, item_of=item_of)


@pytest.mark.parametrize("fault", [leaked, blind, misplaced, shifted, swapped])
def test_a_fault_in_the_plan_is_seen(fault: Change) -> None:
    model = with_head(tiny_model())
    asked = asked_of(collated(SHARED))
    assert apart(model, asked) < 1e-5
    with replaced(forward, "plan_batch", lambda real: lambda *given: fault(real(*given))):
        assert apart(model, asked) > 1e-3


def test_a_mask_aligned_to_the_wrong_corner_is_seen() -> None:
    import torch

    model = with_head(tiny_model())

    def upper_left(_real: Any) -> Any:
        def mask(_packing: Any, run: Any) -> Any:
            seen = run.end - run.start + sum(end - start for start, end in run.context)
            return torch.ones(run.end - run.start, seen, dtype=torch.bool).tril() if run.context else None

        return mask

    with replaced(attention.Packing, "_mask", upper_left):
        assert apart(model, asked_of(collated(SHARED))) > 1e-3


def test_the_mask_for_cuda_is_the_same_one() -> None:
    from torch.nn.attention.bias import causal_lower_right

    model = with_head(tiny_model())

    def as_on_cuda(_real: Any) -> Any:
        def mask(_packing: Any, run: Any) -> Any:
            seen = run.end - run.start + sum(end - start for start, end in run.context)
            return causal_lower_right(run.end - run.start, seen) if run.context else None

        return mask

    with replaced(attention.Packing, "_mask", as_on_cuda):
        assert apart(model, asked_of(collated(SHARED))) < 1e-5
