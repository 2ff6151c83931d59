"""Which models have to train TRL's way, and why: known before the first step, by configuration and by trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from align.shared_prefix.forward import share_prefixes

# Of a log-probability (nats). Above what rounding does to a model of any size, below what a leak does to a small one.
TOLERANCE = {"float32": 2e-4, "float64": 2e-4}
TOLERANCE_HALF = 0.3
ROPE_BY_LENGTH = ("dynamic", "longrope")


def objection(model: Any, *, aux_loss: bool = False) -> str | None:
    """Why a model cannot share prefixes; ``None`` if it can.

    Args:
        model: to which TRL has added its fused LM head; with or without PEFT around it.
        aux_loss: whether a mixture-of-experts balancing loss is trained, which counts every token of every row.
    """
    return next(_known(model, aux_loss), None) or differs(_inner(model))


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model


def _known(model: Any, aux_loss: bool) -> Iterator[str]:
    if _compiled(model):
        yield "it is compiled, and every batch has other shapes"
    if any(getattr(each, "is_prompt_learning", False) for each in (getattr(model, "peft_config", None) or {}).values()):
        yield "its adapter learns a prompt, which TRL puts before every row"
    inner = _inner(model)
    config = inner.config
    text = config.get_text_config()
    if text is not config or any(hasattr(config, name) for name in ("vision_config", "audio_config")):
        yield "it is not of text alone"
    if getattr(config, "is_encoder_decoder", False):
        yield "it has an encoder"
    if aux_loss or getattr(text, "output_router_logits", False):
        yield "its auxiliary loss balances experts over every token of every row"
    yield from _layers(inner, text)
    if getattr(inner, "base_model", inner) is inner or not getattr(inner, "_supports_attention_backend", False):
        yield "its attention cannot be replaced"
    if any(hasattr(weight, "ds_id") for weight in inner.parameters()):
        yield "its weights are spread by ZeRO-3, so that it cannot be tried before training"


def _layers(inner: Any, text: Any) -> Iterator[str]:
    kinds = getattr(text, "layer_types", None)
    other = sorted({kind for kind in kinds or () if kind != "full_attention"})
    if other:
        yield f"it has layers of {' and '.join(kind.replace('_', ' ') for kind in other)}"
    window = getattr(text, "sliding_window", None)
    if not kinds and window and getattr(text, "use_sliding_window", True):
        yield f"its attention has a sliding window of {window} tokens"
    if getattr(inner, "_is_stateful", False):
        yield "it has state-space layers"
    if getattr(text, "alibi", False):
        yield "its attention is biased by distance (ALiBi)"
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") in ROPE_BY_LENGTH:
        yield f"its position embedding ({rope['rope_type']}) depends on the longest row"


def _compiled(model: Any) -> bool:
    return hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None


def differs(model: Any) -> str | None:
    """What a trial finds: a tiny ragged batch through both forwards, without gradients.

    It catches whatever is not known of a model: attention sinks, soft-capped scores, layers that look at neighbours.
    """
    import torch

    weight = model.get_input_embeddings().weight
    if weight.device.type == "meta":
        return None
    ids, mask, labels = _trial(model.config.get_text_config().vocab_size, weight.device)

    def scored() -> Any:
        return model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True, use_cache=False).log_probs

    with torch.no_grad(), _without_dropout(model):
        stock = scored()
        undo = share_prefixes(model)
        try:
            shared = scored()
        except (RuntimeError, TypeError, ValueError, AttributeError, LookupError) as error:
            return f"a trial of it failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        finally:
            undo()
    worst = float((stock - shared).abs().max())
    # Accelerate keeps the forward that it put mixed precision around, whatever the weights are.
    precision = "mixed" if hasattr(model, "_original_forward") else str(weight.dtype).removeprefix("torch.")
    allowed = TOLERANCE.get(precision, TOLERANCE_HALF)
    return None if worst <= allowed else f"a trial of it gave log-probabilities that differ by {worst:.2g}"


def _trial(vocabulary: int, device: Any) -> tuple[Any, Any, Any]:
    """Two prompts with a common beginning, two answers each, of four lengths; padded on the right."""
    import torch

    prompts = [[*range(1, 8), *range(20 + each, 24 + each)] for each in (0, 10)]
    rows = [prompt + [40 + 7 * row + place for place in range(4 + row)] for row, prompt in enumerate(prompts * 2)]
    length = max(map(len, rows))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows], device=device)
    ids = ids * 7919 % vocabulary  # all over the vocabulary, without touching the random numbers of the run
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :11] = -100
    return ids, mask, labels


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    yield
    for module in training:
        module.training = True
