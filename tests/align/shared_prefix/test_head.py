"""The one-pass LM head against TRL's kernel."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from trl.kernels import ChunkedLogProbFunction
from trl.trainer import utils

from align.shared_prefix import head
from align.shared_prefix.head import OnePassHead, one_pass_head

OUTPUTS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


def said(
    function: Any, hidden: torch.Tensor, *, trained: bool = False, dtype: torch.dtype = torch.float32, **settings: Any
) -> tuple[list[Any], torch.Tensor]:
    """All fields, and the gradient of a weighted sum of the log-probabilities with respect to the hidden states."""
    torch.manual_seed(1)
    weight = torch.randn(50, 8, dtype=dtype, requires_grad=trained)
    bias = torch.randn(50, dtype=dtype) if settings.pop("biased", False) else None
    targets = torch.randint(0, 50, (len(hidden),))
    own = hidden.clone().requires_grad_()
    fields = function.apply(
        own, weight, bias, targets, settings.get("temperature", 1.0), 32, None, settings.get("scale", 1.0), OUTPUTS
    )
    (fields[0] * torch.linspace(-1, 1, len(hidden))).sum().backward()
    assert own.grad is not None
    return list(fields), own.grad


@pytest.mark.parametrize(
    "settings", [{}, {"biased": True}, {"temperature": 0.7}, {"scale": 3.0, "temperature": 2.0}, {"trained": True}]
)
@pytest.mark.parametrize("at_once", [2**25, 50 * 3], ids=["whole", "in parts"])
def test_fields_and_gradient_are_those_of_trl(
    settings: dict[str, Any], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "ELEMENTS", at_once)
    torch.manual_seed(0)
    hidden = torch.randn(11, 8)
    ours, theirs = said(OnePassHead, hidden, **settings), said(ChunkedLogProbFunction, hidden, **settings)
    for one, other in zip(ours[0], theirs[0], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-5, atol=1e-5)
    assert bool(theirs[1].abs().max() > 0.1)


def test_in_sixteen_bits_it_rounds_no_worse_than_trl() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(40, 8)
    exact = said(ChunkedLogProbFunction, hidden.bfloat16().double().float())[1]
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = said(OnePassHead, hidden)[1], said(ChunkedLogProbFunction, hidden)[1]
    assert float((ours - exact).abs().mean()) <= 1.1 * float((theirs - exact).abs().mean())


def test_the_first_of_equal_logits_is_the_top_one() -> None:
    weight = torch.zeros(4, 2)
    weight[1] = weight[3] = torch.tensor([1.0, 0.0])
    hidden = torch.tensor([[2.0, 0.0]] * 3).requires_grad_()
    targets = torch.tensor([1, 3, 0])
    for function in (OnePassHead, ChunkedLogProbFunction):
        fields = function.apply(hidden, weight, None, targets, 1.0, 32, None, 1.0, OUTPUTS)
        assert fields[4].tolist() == [True, False, False]


def test_what_it_does_not_do_better_it_leaves_to_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained head, and soft-capping."""
    asked: list[str] = []
    monkeypatch.setattr(head._OnePass, "apply", lambda *_given: asked.append("ours"))
    monkeypatch.setattr(ChunkedLogProbFunction, "apply", lambda *_given: asked.append("TRL's"))
    hidden, weight, targets = torch.randn(3, 8, requires_grad=True), torch.randn(5, 8), torch.tensor([0, 1, 2])
    plain = (targets, 1.0, 32)
    OnePassHead.apply(hidden, weight, None, *plain)
    OnePassHead.apply(hidden, weight.clone().requires_grad_(), None, *plain)
    OnePassHead.apply(hidden, weight, None, *plain, 30.0)
    assert asked == ["ours", "TRL's", "TRL's"]


def test_a_pass_without_a_gradient_says_the_same_to_the_last_bit() -> None:
    hidden, weight, targets = torch.randn(7, 8, requires_grad=True), torch.randn(50, 8), torch.arange(7)
    learning = OnePassHead.apply(hidden, weight, None, targets, 0.9, 32, None, 1.0, OUTPUTS)
    with torch.no_grad():
        asked = OnePassHead.apply(hidden, weight, None, targets, 0.9, 32, None, 1.0, OUTPUTS)
    assert all(torch.equal(one, other) for one, other in zip(learning, asked, strict=True))


def test_it_is_put_back_even_after_an_error() -> None:
    def fails() -> None:
        with one_pass_head():
            assert utils._ChunkedLogProbFunction is OnePassHead
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert utils._ChunkedLogProbFunction is ChunkedLogProbFunction
