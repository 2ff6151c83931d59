"""The fused-LM-head forward of TRL 1.16, run once over every distinct prefix of a batch.

TRL's own forward still runs whole, on the packed batch instead of the padded one: a hook hands its LM head the hidden
states that predict something, one a distinct prediction, and what it says of them is dealt out to TRL's rows. All that
the head can do (temperature, soft-capping, casts, tiles, sharded weights) therefore stays TRL's.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from align.shared_prefix.attention import KEY, Packing, attend_in, pack
from align.shared_prefix.tree import IGNORED, plan_batch

if TYPE_CHECKING:
    import torch

PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
KNOWN = {"input_ids", "attention_mask", "use_cache", "return_dict"}


def share_prefixes(model: Any) -> Callable[[], None]:
    """Let a causal language model to which TRL has added its fused LM head run each distinct prefix of a batch once.

    It does so when called as TRL's trainers do: with ``fused_lm_head=True``, ``labels``, ids and a two-dimensional
    mask. Any other call goes to the forward that was there.

    Args:
        model: not wrapped in PEFT; see `eligibility.objection` for the models that this is right for.

    Returns:
        What undoes it.
    """
    stock = model.forward

    @functools.wraps(type(model).forward)  # `generate` reads the signature
    def shared_forward(self: Any, *given: Any, **named: Any) -> Any:
        packing = None if given or not _packable(named) else _pack(named)
        return stock(*given, **named) if packing is None else _run_packed(stock, packing, named)

    hooks = [*attend_in(model.base_model), model.base_model.register_forward_hook(_hand_over, with_kwargs=True)]
    model.forward = types.MethodType(shared_forward, model)

    def undo() -> None:
        model.forward = stock
        for hook in hooks:
            hook.remove()

    return undo


def _packable(named: Mapping[str, Any]) -> bool:
    head = {"fused_lm_head", "labels", "num_items_in_batch"}
    more = [name for name, value in named.items() if name not in KNOWN | head and value is not None]
    ids, mask = named.get("input_ids"), named.get("attention_mask")
    if not named.get("fused_lm_head") or named.get("labels") is None or ids is None or more:
        return False
    return ids.dim() == 2 and (mask is None or mask.shape == ids.shape)


def _pack(named: Mapping[str, Any]) -> Packing | None:
    import torch

    ids = named["input_ids"]
    mask = named.get("attention_mask")
    batch = torch.stack([ids, torch.ones_like(ids) if mask is None else mask.to(ids), named["labels"].to(ids)])
    plan = plan_batch(*batch.cpu().numpy())  # one transfer
    return None if plan is None else pack(plan, ids.device)


def _run_packed(stock: Callable[..., Any], packing: Packing, named: Mapping[str, Any]) -> Any:
    import torch

    from align.shared_prefix.head import one_pass_head

    with one_pass_head():
        found = stock(
            input_ids=packing.tokens,
            position_ids=packing.positions,
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=packing.tokens.device),  # handed on as it is
            shift_labels=packing.labels,
            use_cache=False,
            fused_lm_head=True,
            **{KEY: packing},
        )
    for name in PER_TOKEN:
        if (values := getattr(found, name)) is not None:
            setattr(found, name, _deal(values, packing.item_of))
    taught = (named["labels"][:, 1:] != IGNORED).to(found.log_probs.device)
    items = named.get("num_items_in_batch")
    found.loss = -found.log_probs.sum() / (taught.sum().clamp(min=1) if items is None else items)
    found.label_mask = taught
    return found


def _deal(values: torch.Tensor, item_of: torch.Tensor) -> torch.Tensor:
    """[1, items] to [rows, length - 1], zero where nothing is to be learnt."""
    import torch

    padded = torch.cat([values[0], values.new_zeros(1)])
    return padded.index_select(0, item_of.flatten().to(values.device)).view(item_of.shape)


def _hand_over(_backbone: Any, _given: Any, named: Mapping[str, Any], found: Any) -> Any:
    """Keep of the backbone's hidden states those that predict something, one a distinct prediction."""
    packing = named.get(KEY)
    if packing is not None:
        hidden = found.last_hidden_state
        found.last_hidden_state = hidden.index_select(1, packing.places.to(hidden.device))
    return found
