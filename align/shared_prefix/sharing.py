"""What a trainer of TRL becomes one over shared prefixes by: a class to put before TRL's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from align.shared_prefix.eligibility import objection
from align.shared_prefix.forward import share_prefixes
from ledger.screen import say


class SharedPrefix:
    """Put before a trainer of TRL that uses the fused LM head: ``class Mine(SharedPrefix, DPOTrainer)``.

    The policy and a separate reference model share prefixes from the first reference pass on. A model that cannot do so
    trains TRL's way, with a notice. ``shares_prefixes = False`` in a subclass does the same without one.
    """

    shares_prefixes: bool = True
    objection: str | None = None  # why this run trains TRL's way, where it does
    _settled: bool = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._settle()

    def _precompute_ref_logps(self, *given: Any, **named: Any) -> Any:
        # TRL calls this at the end of its own __init__, when the LM heads are in place.
        self._settle()
        return super()._precompute_ref_logps(*given, **named)  # type: ignore[misc]

    def _settle(self) -> None:
        if self._settled or not self.shares_prefixes:
            return
        self._settled = True
        models = list(self._models())
        aux_loss = bool(getattr(self, "aux_loss_enabled", False))
        found = (self._refusal(), *(objection(model, aux_loss=aux_loss) for model in models))
        self.objection = next((each for each in found if each), None)
        if self.objection:
            say(f"No shared prefixes, training as TRL does: {self.objection}")
            return
        for model in models:
            share_prefixes(model.get_base_model() if hasattr(model, "peft_config") else model)

    def _models(self) -> Iterator[Any]:
        trainer: Any = self
        for model in (trainer.model, getattr(trainer, "ref_model", None)):
            if model is not None:
                yield trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=True)

    def _refusal(self) -> str | None:
        trainer: Any = self
        return "torch.compile would compile it anew for every batch" if trainer.args.torch_compile else None
